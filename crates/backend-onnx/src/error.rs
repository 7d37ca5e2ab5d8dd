//! Texts of our own and the mapping of ONNX Runtime's errors to ours.

use redisai_core::{BackendError, Status};

/// The contract's text for an allocation beyond `BACKEND_MEMORY_LIMIT`.
pub(crate) const MEMORY_LIMIT: &str =
    "Onnxruntime memory limit exceeded, memory allocation failed.";
/// The same with its closing NUL, for the C++ exception.
pub(crate) const MEMORY_LIMIT_C: &std::ffi::CStr =
    c"Onnxruntime memory limit exceeded, memory allocation failed.";

/// For an allocation that the host refused.
pub(crate) const MEMORY_REFUSED: &str = "Onnxruntime memory allocation was refused by the server.";
/// The same with its closing NUL, for the C++ exception.
pub(crate) const MEMORY_REFUSED_C: &std::ffi::CStr =
    c"Onnxruntime memory allocation was refused by the server.";

/// The contract's text for a model whose weights are in other files.
pub(crate) const EXTERNAL_DATA: &str = "Initializer tensors with external data is not allowed.";

/// ONNX Runtime's own text for bytes that are no protobuf, given by our walk before it gets to see
/// them.
pub(crate) const NO_PROTOBUF: &str = "Failed to load model because protobuf parsing failed.";

/// For the FlatBuffers format of ONNX Runtime.
pub(crate) const ORT_FORMAT: &str =
    "ERR the model is in ORT format; only the ONNX (protobuf) format can be stored";

/// For sparse tensors that would be large once dense, as ONNX Runtime makes them.
pub(crate) const SPARSE: &str = "ERR the model's sparse tensors would take too much memory";

/// For a Split that would make ONNX Runtime abort.
pub(crate) const SPLIT: &str = "ERR the model has a Split with more outputs than its num_outputs";

/// For a model of more nodes, or parts in all, than any real one has.
pub(crate) const PARTS: &str = "ERR the model has too many parts";

/// For functions that call each other too often or without end.
pub(crate) const FUNCTIONS: &str =
    "ERR the model's functions call each other in a circle, too deeply or too often";

/// The contract's text for a device text that names no device.
pub(crate) const NO_DEVICE: &str = "ERR unsupported device";

/// The contract's text for a GPU where the library has no CUDA.
pub(crate) const NO_CUDA: &str = "ERR GPU requested but ONNX couldn't find CUDA";

/// ONNX Runtime's text for a run that was stopped, also used for one that never began.
pub(crate) const TERMINATED: &str = "Exiting due to terminate flag being set to true.";

/// What was going on when ONNX Runtime failed: it decides whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Opening the library, making the environment.
    Init,
    /// Building a session.
    Load,
    /// Running one.
    Run,
}

/// ONNX Runtime's codes that matter here (`OrtErrorCode`).
const INVALID_ARGUMENT: i32 = 2;
const NOT_IMPLEMENTED: i32 = 9;
const EP_FAIL: i32 = 11;
const DEVICE_RESET: i32 = 15;

/// The error for a status of ONNX Runtime. The text goes out as it is.
pub(crate) fn from_status(code: i32, text: String, doing: Doing) -> BackendError {
    let status = if text.contains(MEMORY_LIMIT) || text.contains(MEMORY_REFUSED) {
        Status::NoMemory
    } else if code == DEVICE_RESET {
        Status::DeviceLost
    } else {
        match (doing, code) {
            (Doing::Init, _) | (Doing::Load, EP_FAIL) | (Doing::Run, NOT_IMPLEMENTED) => {
                Status::Unsupported
            }
            (Doing::Load, _) => Status::BadModel,
            (Doing::Run, INVALID_ARGUMENT) => Status::BadInput,
            (Doing::Run, _) if text.contains(TERMINATED) => Status::Cancelled,
            (Doing::Run, _) => Status::RunFailed,
        }
    };
    BackendError::new(status, text)
}

/// The error for something that this library cannot do.
pub(crate) fn unsupported(text: impl Into<std::borrow::Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::Unsupported, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_forms_of_a_text_are_one() {
        assert_eq!(MEMORY_LIMIT.as_bytes(), MEMORY_LIMIT_C.to_bytes());
        assert_eq!(MEMORY_REFUSED.as_bytes(), MEMORY_REFUSED_C.to_bytes());
    }

    #[test]
    fn classes() {
        let class = |code, text: &str, doing| from_status(code, text.to_owned(), doing).status;
        assert_eq!(
            class(2, "Got invalid dimensions", Doing::Run),
            Status::BadInput
        );
        assert_eq!(class(1, TERMINATED, Doing::Run), Status::Cancelled);
        assert_eq!(
            class(6, &format!("Non-zero status. {MEMORY_LIMIT}"), Doing::Run),
            Status::NoMemory
        );
        assert_eq!(class(6, "division by zero", Doing::Run), Status::RunFailed);
        assert_eq!(class(7, NO_PROTOBUF, Doing::Load), Status::BadModel);
    }
}
