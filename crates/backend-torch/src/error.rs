//! Texts of our own and the mapping of torch's errors to ours.

use crate::sys;
use redisai_core::{BackendError, Status};
use std::ffi::{CStr, c_int};

/// For an allocation beyond `BACKEND_MEMORY_LIMIT`.
pub(crate) const MEMORY_LIMIT: &CStr = c"Torch memory limit exceeded, memory allocation failed.";
/// For an allocation that the host refused.
pub(crate) const MEMORY_REFUSED: &CStr = c"Torch memory allocation was refused by the server.";
/// For a run that was stopped, or never began.
pub(crate) const STOPPED: &str = "ERR the run was stopped";

/// The contract's text for a device text that names no device.
pub(crate) const NO_DEVICE: &str = "ERR unsupported device";
/// The contract's text for a GPU where torch has no CUDA.
pub(crate) const NO_CUDA: &str = "GPU requested but Torch couldn't find CUDA";

/// Operators that read or write the server's files.
pub(crate) const FORBIDDEN: [&CStr; 2] = [c"aten::save", c"aten::from_file"];
/// For a model or script that holds one of them.
pub(crate) const FILES: &str =
    "ERR torch.save and torch.from_file are not allowed: they would use the server's files";

/// For machine code, where it is not allowed.
pub(crate) const NATIVE: &str = "ERR the file is a .pt2 package, which is machine code: load the module \
     with ALLOW_NATIVE_MODELS yes, or save the model with torch.jit.trace(model, example).save(file)";

/// What was going on when torch failed: it decides whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    Setup,
    Load,
    Run,
}

/// The error for a code and a text of the shim.
pub(crate) fn from_shim(code: c_int, text: &[u8], doing: Doing) -> BackendError {
    let text = without_frames(&String::from_utf8_lossy(text));
    let refused = [MEMORY_LIMIT, MEMORY_REFUSED]
        .iter()
        .any(|refusal| text.contains(&*refusal.to_string_lossy()));
    if code == sys::NO_MEMORY || refused || text.contains("bad_alloc") {
        let text = if text.is_empty() {
            MEMORY_REFUSED.to_string_lossy().into_owned()
        } else {
            text
        };
        return BackendError::new(Status::NoMemory, text);
    }
    // Their operators are not there any more, so this is how torch sees one.
    if FORBIDDEN
        .iter()
        .any(|name| text.contains(&*name.to_string_lossy()))
    {
        return BackendError::new(Status::BadModel, FILES);
    }
    let status = match doing {
        Doing::Setup => Status::Unsupported,
        Doing::Load => Status::BadModel,
        Doing::Run => Status::RunFailed,
    };
    BackendError::new(status, text)
}

/// Torch's text without the frames of its own native code.
fn without_frames(text: &str) -> String {
    let native = |line: &&str| {
        let line = line.trim_start();
        let frame = line.strip_prefix("frame #");
        !(line.starts_with("Exception raised from ")
            || line.starts_with("C++ CapturedTraceback:")
            || frame.is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit())))
    };
    let lines: Vec<&str> = text.lines().filter(native).collect();
    lines.join("\n").trim_end().to_owned()
}

/// The error for something that this library cannot do.
pub(crate) fn unsupported(text: impl Into<std::borrow::Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::Unsupported, text)
}

/// The error for a request that does not fit the model.
pub(crate) fn bad_input(text: impl Into<std::borrow::Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::BadInput, text)
}

/// The error for a file that is no model.
pub(crate) fn bad_model(text: impl Into<std::borrow::Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::BadModel, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn native_frames_are_left_out() {
        let text = "RuntimeError: no\nException raised from f at a.cpp:1 (most recent call first):\n\
                    frame #0: c10::Error::Error() + 0x7f (0x7f00 in libc10.so)\nat line 3";
        assert_eq!(without_frames(text), "RuntimeError: no\nat line 3");
        assert_eq!(without_frames("a frame #x stays\n"), "a frame #x stays");
    }

    #[test]
    fn classes() {
        let class = |code, text: &str, doing| from_shim(code, text.as_bytes(), doing).status;
        let limit = format!("x: {}", MEMORY_LIMIT.to_string_lossy());
        assert_eq!(class(sys::ERROR, &limit, Doing::Run), Status::NoMemory);
        assert_eq!(class(sys::NO_MEMORY, "", Doing::Run), Status::NoMemory);
        assert_eq!(class(sys::ERROR, "bad", Doing::Load), Status::BadModel);
        assert_eq!(class(sys::ERROR, "bad", Doing::Run), Status::RunFailed);
        let forbidden = from_shim(sys::ERROR, b"Unknown builtin op: aten::save.", Doing::Load);
        assert_eq!(forbidden.text, FILES);
    }
}
