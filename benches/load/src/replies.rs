//! Counts replies in a stream of RESP2 without keeping them.

/// How far a stream of replies has been read.
#[derive(Default)]
pub(crate) struct Replies {
    /// The line that is being read, up to its end; cut off at [`LONGEST`].
    line: Vec<u8>,
    /// Bytes of a bulk string that are still to come, with its end.
    skip: usize,
    /// Elements of arrays that are still to come, the innermost array last.
    open: Vec<u64>,
}

/// What is kept of a line.
const LONGEST: usize = 256;

impl Replies {
    /// Takes the next bytes; gives the number of replies that end in them, or an error reply.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<u64, String> {
        let mut whole = 0;
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                bytes = &bytes[skipped..];
                self.skip -= skipped;
                whole += u64::from(self.skip == 0 && self.ended());
                continue;
            }
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
            bytes = rest;
            let room = LONGEST.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                whole += u64::from(self.line(line.trim_ascii_end())?);
                self.line = line;
                self.line.clear();
            }
        }
        Ok(whole)
    }

    /// A header or a reply of one line; whether it ends a reply.
    fn line(&mut self, line: &[u8]) -> Result<bool, String> {
        let (&kind, rest) = line.split_first().ok_or("an empty line for a reply")?;
        match kind {
            b'$' => match length(rest)? {
                Some(length) => {
                    self.skip = length as usize + 2;
                    Ok(false)
                }
                None => Err("a null reply".to_owned()),
            },
            b'*' => match length(rest)? {
                Some(0) | None => Ok(self.ended()),
                Some(length) => {
                    self.open.push(length);
                    Ok(false)
                }
            },
            b'+' if rest != b"TIMEDOUT" => Ok(self.ended()),
            b':' => Ok(self.ended()),
            _ => Err(format!(
                "the server replied {}",
                String::from_utf8_lossy(line)
            )),
        }
    }

    /// A value has ended; whether it was the last of its reply.
    fn ended(&mut self) -> bool {
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}

/// The length in a header; none for a null.
fn length(text: &[u8]) -> Result<Option<u64>, String> {
    if text == b"-1" {
        return Ok(None);
    }
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    text.parse()
        .map(Some)
        .map_err(|_| format!("a reply of length {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_counted_however_they_are_cut() {
        let stream = b"+OK\r\n$3\r\na\r\n\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n*0\r\n:7\r\n";
        for size in 1..=stream.len() {
            let mut replies = Replies::default();
            let counts = stream.chunks(size).map(|part| replies.take(part).unwrap());
            assert_eq!(counts.sum::<u64>(), 5, "in parts of {size}");
        }
        let mut replies = Replies::default();
        assert_eq!(replies.take(b"*2\r\n:1\r\n").unwrap(), 0);
        assert_eq!(replies.take(b":1\r\n+O").unwrap(), 1);
    }

    #[test]
    fn errors_end_the_run() {
        for stream in [
            &b"-ERR no\r\n"[..],
            b"+TIMEDOUT\r\n",
            b"$-1\r\n",
            b"\r\n",
            b"*1\r\n-X\r\n",
            b"$x\r\n",
        ] {
            assert!(
                Replies::default().take(stream).is_err(),
                "{}",
                String::from_utf8_lossy(stream)
            );
        }
    }
}
