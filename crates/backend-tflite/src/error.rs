//! Texts: the contract's, and what LiteRT's status codes mean.

use redisai_core::{BackendError, Status};
use std::borrow::Cow;

/// The contract's text for bytes that are no model.
pub(crate) const NO_MODEL: &str = "Failed to load model from buffer";
/// The contract's text for a model that cannot be compiled.
pub(crate) const NO_INTERPRETER: &str = "Failed to construct interpreter";
/// The contract's text for tensors that cannot be laid out.
pub(crate) const NO_TENSORS: &str = "Failed to allocate tensors";
/// The contract's text for dimensions that the model cannot take.
pub(crate) const NO_RESIZE: &str = "Failed to resize input tensors";
/// The contract's text for a run that failed.
pub(crate) const NO_RUN: &str = "Failed to invoke TfLite";
/// The contract's text for another number of inputs than the model has.
pub(crate) const INPUTS: &str = "Inconsistent number of inputs";
/// The contract's text for another number of outputs than the model has.
pub(crate) const OUTPUTS: &str = "Inconsistent number of outputs";
/// The contract's text for another element type than the model takes.
pub(crate) const INPUT_TYPE: &str =
    "Input tensor type doesn't match the type expected by the model definition";
/// The contract's text for strings.
pub(crate) const NO_INPUT_TYPE: &str = "Unsupported input data type";
/// The contract's text for an output of a type that tensors have not.
pub(crate) const NO_OUTPUT_TYPE: &str = "Unsupported output data type";
/// The contract's text for a device that is none.
pub(crate) const NO_DEVICE: &str = "ERR Unsupported device";
/// The contract's text for a GPU, which LiteRT's wheel cannot use.
pub(crate) const NO_GPU: &str = "Failed to set GPU delegate";
/// For a run that was stopped; LiteRT's own words.
pub(crate) const STOPPED: &str = "Client requested cancel during Invoke()";
/// For weights in other files.
pub(crate) const EXTERNAL: &str = "ERR the model keeps data in other files, which cannot be stored";
/// For a signature that would make LiteRT abort.
pub(crate) const BAD_SIGNATURE: &str =
    "ERR the model has a signature with nameless or wrong inputs or outputs";
/// For outputs whose size only the run knows.
pub(crate) const DATA_DEPENDENT: &str = "ERR the model has an output whose size depends on data, which LiteRT's C API cannot return; \
     give it a fixed size in the model";

/// For an output that stays unwritten, however often the model runs.
pub(crate) const UNWRITTEN: &str = "ERR the model has an output that LiteRT's C API does not write";

/// LiteRT's status for memory that was not there.
pub(crate) const MEMORY: i32 = 2;

/// An error of this class. What LiteRT said goes behind the contract's text.
pub(crate) fn with_detail(status: Status, text: &'static str, detail: &str) -> BackendError {
    if detail.contains("kTfLiteArenaRw") {
        return BackendError::new(Status::Unsupported, DATA_DEPENDENT);
    }
    let text: Cow<'static, str> = if detail.is_empty() {
        text.into()
    } else {
        let detail: Vec<&str> = detail.lines().map(str::trim).collect();
        format!("{text}: {}", detail.join("; ")).into()
    };
    BackendError::new(status, text)
}

/// The error for something that this library cannot do.
pub(crate) fn unsupported(text: impl Into<Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::Unsupported, text)
}

/// The error for a model that cannot be used.
pub(crate) fn bad_model(text: impl Into<Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::BadModel, text)
}

/// The error for inputs that do not fit the model.
pub(crate) fn bad_input(text: impl Into<Cow<'static, str>>) -> BackendError {
    BackendError::new(Status::BadInput, text)
}
