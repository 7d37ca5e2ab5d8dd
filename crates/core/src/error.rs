//! Errors of backends.

use std::borrow::Cow;
use std::fmt;

/// The class of a backend's error: whose fault it is, and so what the engine does about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The model cannot be used: the user's file.
    BadModel,
    /// The inputs do not fit the model: the user's request.
    BadInput,
    /// The backend cannot do this (device, dtype, format).
    Unsupported,
    /// The run itself failed.
    RunFailed,
    /// The run was stopped on request.
    Cancelled,
    /// An allocation was refused.
    NoMemory,
    /// The device went away.
    DeviceLost,
    /// The backend's process went away.
    Lost,
    /// A panic has made this session, or this backend, unusable: ours to fix.
    Poisoned,
}

/// An error of a backend. Its text goes on the wire as it is, made one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendError {
    /// The class.
    pub status: Status,
    /// The text, one line.
    pub text: Cow<'static, str>,
}

impl BackendError {
    /// An error of this class; line breaks in the text become blanks.
    pub fn new(status: Status, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let text = if text.contains(['\n', '\r', '\0']) {
            text.trim_end().replace(['\n', '\r', '\0'], " ").into()
        } else {
            text
        };
        Self { status, text }
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for BackendError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_one_line() {
        let error = BackendError::new(Status::RunFailed, "a\nb\r\nc\0d\n".to_owned());
        assert_eq!(error.to_string(), "a b  c d");
    }
}
