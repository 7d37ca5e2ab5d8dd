//! Looks at a library's header before the system's loader does: its own messages (`invalid ELF
//! header`) say too little.

use crate::{LoadError, Reason};
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

const MAGIC: &[u8] = b"\x7fELF";
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const SHARED_OBJECT: u16 = 3;

/// Machine numbers of ELF, with the names that Rust and users know.
const MACHINES: [(u16, &str); 5] = [
    (3, "x86"),
    (40, "arm"),
    (62, "x86_64"),
    (183, "aarch64"),
    (243, "riscv64"),
];

/// Refuses a file that is no shared library of this machine.
pub(crate) fn check(path: &Path) -> Result<(), LoadError> {
    let shown = path.display();
    let refuse = |text: String| Err(LoadError::new(Reason::NotALibrary, text));
    let mut head = Vec::new();
    let read = open_file(path).and_then(|file| file.take(64).read_to_end(&mut head));
    if let Err(error) = read {
        let text = format!("{shown} cannot be read: {error}");
        return Err(LoadError::new(Reason::LibraryNotFound, text));
    }
    if head.is_empty() {
        return refuse(format!("{shown} is an empty file, not a shared library"));
    }
    if !head.starts_with(MAGIC) {
        let what = if std::str::from_utf8(&head).is_ok() {
            "a text file"
        } else {
            "no ELF file"
        };
        return refuse(format!("{shown} is {what}, not a shared library"));
    }
    let Some(header) = Header::read(&head) else {
        return refuse(format!("{shown} is cut short"));
    };
    let here = std::env::consts::ARCH;
    let machine = MACHINES.iter().find(|row| row.0 == header.machine);
    let there = machine.map_or("another processor", |row| row.1);
    let known_here = MACHINES.iter().any(|row| row.1 == here);
    if known_here && (there != here || header.class != CLASS_64 || header.data != LITTLE_ENDIAN) {
        return refuse(format!(
            "{shown} was built for {there}, this machine is {here}: install the build for {here}"
        ));
    }
    if header.kind != SHARED_OBJECT {
        return refuse(format!("{shown} is an ELF file, but no shared library"));
    }
    match is_whole(path, &head) {
        Ok(true) => Ok(()),
        // The system's loader would map what is not there, and its first touch kills the process.
        _ => refuse(format!("{shown} is cut short")),
    }
}

/// Opens a regular file only: what opens a pipe without a writer waits for one, maybe for ever.
fn open_file(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(path)
}

/// Whether everything that the program headers want mapped is in the file. For a header that was
/// checked: 64 bits, this machine's byte order.
fn is_whole(path: &Path, head: &[u8]) -> io::Result<bool> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let (Some(at), Some(entry), Some(count)) =
        (u64_at(head, 32), u16_at(head, 54), u16_at(head, 56))
    else {
        return Ok(false);
    };
    let mut table = vec![0; usize::from(entry) * usize::from(count)];
    file.read_exact_at(&mut table, at)?;
    // Every header: type, flags, offset, addresses, size in the file, …
    let fits = |header: &[u8]| {
        let end = u64_at(header, 8).and_then(|offset| offset.checked_add(u64_at(header, 32)?));
        end.is_some_and(|end| end <= size)
    };
    Ok(entry > 0 && table.chunks(usize::from(entry)).all(fits))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
    Some(u64::from_ne_bytes(bytes))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(bytes))
}

struct Header {
    class: u8,
    data: u8,
    kind: u16,
    machine: u16,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let data = *bytes.get(5)?;
        let number = |at: usize| {
            let pair: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
            Some(if data == LITTLE_ENDIAN {
                u16::from_le_bytes(pair)
            } else {
                u16::from_be_bytes(pair)
            })
        };
        bytes.get(..64)?;
        Some(Self {
            class: *bytes.get(4)?,
            data,
            kind: number(16)?,
            machine: number(18)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(name: &str, bytes: &[u8]) -> String {
        let path = std::env::temp_dir().join(format!("redisai-elf-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let outcome = check(&path);
        std::fs::remove_file(&path).unwrap();
        outcome.map_or_else(|error| error.text, |()| "fine".to_owned())
    }

    /// The test program itself, which is laid out as a library is, with changes.
    fn elf(change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = std::fs::read("/proc/self/exe").unwrap();
        bytes[16..18].copy_from_slice(&3_u16.to_le_bytes());
        change(&mut bytes);
        bytes
    }

    #[test]
    fn files_are_told_apart() {
        assert_eq!(text_of("good", &elf(|_| {})), "fine");
        for (name, bytes, words) in [
            ("text", b"#!/bin/sh\nexit 1\n".to_vec(), "is a text file"),
            ("noise", vec![0xff, 0xfe, 0, 1], "is no ELF file"),
            ("empty", Vec::new(), "is an empty file"),
            ("short", elf(|it| it.truncate(20)), "is cut short"),
            ("header", elf(|it| it.truncate(64)), "is cut short"),
            ("page", elf(|it| it.truncate(4096)), "is cut short"),
            ("sizes", elf(|it| it[54..56].fill(0)), "is cut short"),
            ("offset", elf(|it| it[32..40].fill(0xff)), "is cut short"),
            ("program", elf(|it| it[16] = 2), "no shared library"),
            (
                "sparc",
                elf(|it| it[18..20].copy_from_slice(&[2, 0])),
                "built for another",
            ),
            (
                "other",
                elf(|it| it[18] = if it[18] == 62 { 183 } else { 62 }),
                "this machine is",
            ),
        ] {
            let text = text_of(name, &bytes);
            assert!(text.contains(words), "{name}: {text}");
        }
        let missing = check(Path::new("/nonexistent/x.so")).unwrap_err();
        assert_eq!(missing.reason, Reason::LibraryNotFound);
        let folder = check(Path::new("/tmp")).unwrap_err();
        assert_eq!(folder.reason, Reason::LibraryNotFound);
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let name = format!("redisai-elf-{}-pipe", std::process::id());
        let path = std::env::temp_dir().join(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.unwrap().success());
        let error = check(&path).unwrap_err();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(error.reason, Reason::LibraryNotFound);
        assert!(error.text.contains("no regular file"), "{}", error.text);
    }
}
