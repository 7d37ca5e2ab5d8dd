//! Why a payload cannot be read.

use std::fmt;

/// Why a payload is refused; `Display` is for a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// It ends too early, or a field is of another kind. The server said so.
    Short,
    /// Its encoding version is none that this build reads.
    Version(i32),
    /// A field holds what cannot be.
    Damaged(&'static str),
    /// The allocator refused the memory.
    Memory,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the payload ends too early"),
            Self::Version(version) if *version > crate::VERSION => write!(
                f,
                "encoding version {version} is newer than this module's {}",
                crate::VERSION
            ),
            Self::Version(version) => {
                write!(
                    f,
                    "encoding version {version} cannot be read by this module"
                )
            }
            Self::Damaged(what) => write!(f, "the payload is damaged: {what}"),
            Self::Memory => f.write_str("there is not enough memory for it"),
        }
    }
}

impl std::error::Error for Error {}
