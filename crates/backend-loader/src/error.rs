//! Why a backend is not there, in words that a user can act on.

use std::fmt;

/// The class of a [`LoadError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The backend library is not where it was looked for.
    LibraryNotFound,
    /// The file is no shared library that this machine can load.
    NotALibrary,
    /// The library was refused by the system's loader: a symbol or a library that it needs is
    /// missing.
    Unloadable,
    /// The library is no backend of this project, or of another version of it.
    Incompatible,
    /// The library is another backend than the one asked for.
    OtherBackend,
    /// The framework is not installed.
    FrameworkNotFound,
    /// The process has another copy of the framework already.
    SecondCopy,
    /// The framework was found and did not start.
    InitFailed,
}

/// A backend that could not be loaded. The text is one line, names the path, and says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The class.
    pub reason: Reason,
    /// The text, one line, without `ERR`.
    pub text: String,
}

impl LoadError {
    pub(crate) fn new(reason: Reason, text: impl Into<String>) -> Self {
        let text = text.into().trim_end().replace(['\n', '\r', '\0'], " ");
        Self { reason, text }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for LoadError {}
