//! One connection: what is to be sent, what is on its way, what has come.

use crate::replies::Replies;
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// Requests that one system call sends at most.
const AT_ONCE: usize = 16;

/// A connection and the request that it repeats.
pub(crate) struct Connection<'a> {
    pub(crate) stream: TcpStream,
    request: &'a [u8],
    /// Replies to one request.
    each: u64,
    /// Requests not yet sent whole.
    unsent: usize,
    /// Bytes of the first of them that are sent.
    sent: usize,
    /// When each request that has no reply was due.
    due: VecDeque<Instant>,
    replies: Replies,
    /// Replies to the first of them that have come.
    got: u64,
    /// Whether the loop is told when the socket takes more.
    pub(crate) watches_writing: bool,
}

impl<'a> Connection<'a> {
    /// Connects to a server on this machine.
    pub(crate) fn open(port: u16, request: &'a [u8], each: u64) -> std::io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            request,
            each,
            unsent: 0,
            sent: 0,
            due: VecDeque::new(),
            replies: Replies::default(),
            got: 0,
            watches_writing: false,
        })
    }

    /// Adds a request.
    pub(crate) fn add(&mut self, due: Instant) {
        self.unsent += 1;
        self.due.push_back(due);
    }

    /// Requests without a reply.
    pub(crate) fn waiting(&self) -> usize {
        self.due.len()
    }

    /// Sends what the socket takes; whether something is left.
    pub(crate) fn send(&mut self) -> Result<bool, String> {
        while self.unsent > 0 {
            let mut parts = [IoSlice::new(&[]); AT_ONCE];
            parts[0] = IoSlice::new(&self.request[self.sent..]);
            let count = self.unsent.min(AT_ONCE);
            parts[1..count].fill(IoSlice::new(self.request));
            match self.stream.write_vectored(&parts[..count]) {
                Ok(written) => {
                    let total = self.sent + written;
                    self.unsent -= total / self.request.len();
                    self.sent = total % self.request.len();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(false)
    }

    /// Reads what has come; calls `ended` with the time at which each request was due whose last
    /// reply is there.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        mut ended: impl FnMut(Instant),
    ) -> Result<(), String> {
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err("the server closed a connection".to_owned()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.to_string()),
            };
            self.got += self.replies.take(&buffer[..count])?;
            while self.got >= self.each {
                self.got -= self.each;
                ended(self.due.pop_front().ok_or("a reply to no request")?);
            }
            // A short read has emptied the socket.
            if count < buffer.len() {
                return Ok(());
            }
        }
    }
}
