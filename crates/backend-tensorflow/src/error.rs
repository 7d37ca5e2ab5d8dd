//! Texts of our own and the mapping of TensorFlow's errors to ours.

use redisai_core::{BackendError, Status};
use std::borrow::Cow;

/// The contract's text for a device text that names no device.
pub(crate) const NO_DEVICE: &str = "ERR unsupported device";
/// The contract's text for a GPU where TensorFlow has none.
pub(crate) const NO_CUDA: &str = "ERR GPU requested but TF couldn't find CUDA";
/// The contract's text for a graph without names.
pub(crate) const NO_INPUTS: &str = "ERR INPUTS not specified for TF";
/// The contract's text for a graph without names.
pub(crate) const NO_OUTPUTS: &str = "ERR OUTPUTS not specified for TF";
/// TensorFlow's own text, for bytes that it would take as a graph without nodes.
pub(crate) const NO_GRAPH: &str = "Invalid GraphDef";
/// For a run that was stopped, or never began.
pub(crate) const STOPPED: &str = "the run was stopped at its deadline";
/// For what Keras writes by default.
pub(crate) const KERAS: &str = "ERR this is a Keras file, which TensorFlow's C API cannot read: \
     export a SavedModel with `model.export(\"folder\")` and store a .zip or .tar of the folder";

/// `TF_Code`: what matters here.
pub(crate) mod code {
    pub(crate) const CANCELLED: i32 = 1;
    pub(crate) const INVALID_ARGUMENT: i32 = 3;
    pub(crate) const DEADLINE_EXCEEDED: i32 = 4;
    pub(crate) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(crate) const UNIMPLEMENTED: i32 = 12;
}

/// What was going on when TensorFlow failed: it decides whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Importing a graph, building a session.
    Load,
    /// Running one.
    Run,
}

/// The error for a status of TensorFlow. The text goes out as it is.
pub(crate) fn from_status(code: i32, text: String, doing: Doing) -> BackendError {
    let status = match (code, doing) {
        (code::RESOURCE_EXHAUSTED, _) => Status::NoMemory,
        (code::CANCELLED | code::DEADLINE_EXCEEDED, Doing::Run) => Status::Cancelled,
        (code::INVALID_ARGUMENT, Doing::Run) => Status::BadInput,
        (code::UNIMPLEMENTED, Doing::Run) => Status::Unsupported,
        (_, Doing::Run) => Status::RunFailed,
        (_, Doing::Load) => Status::BadModel,
    };
    BackendError::new(status, text)
}

/// The error for a model that cannot be used.
pub(crate) fn bad_model(text: impl Into<Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::BadModel, text)
}

/// The error for something that this library cannot do.
pub(crate) fn unsupported(text: impl Into<Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::Unsupported, text)
}
