//! The TensorFlow Lite backend library.
//!
//! Runs the user's own `libLiteRt.so` (2.2 or newer, of the wheel `ai-edge-litert`) through its C API.
//! One environment for the process; a model is parsed once, and as many runs of it go on at once as
//! there are compiled models in its pool. Inputs and outputs are used where they lie.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod backend;
mod buffers;
mod compiled;
mod element;
mod environment;
mod error;
mod flatbuffer;
mod handles;
mod model;
mod options;
mod padded;
mod pool;
mod resize;
mod run;
mod signature;
mod survey;
mod sys;

pub use backend::TfLiteBackend;

use redisai_backend_abi::{Host, InitOptions};
use redisai_core::{Backend, BackendError};
use std::sync::Arc;

redisai_backend_abi::export_backend!("TFLITE", init);

fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError> {
    Ok(Arc::new(TfLiteBackend::new(host, options)?))
}
