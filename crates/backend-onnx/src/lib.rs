//! The ONNX Runtime backend library.
//!
//! Runs the user's own `libonnxruntime.so` (1.20 or newer) through its C API. One environment for the
//! process, whose thread pools all sessions share; all memory of sessions, runs and outputs comes
//! from the host and is counted; inputs are read where they lie, outputs are handed on as they are.

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
mod constants;
mod cuda;
mod division;
mod environment;
mod error;
mod external;
mod folding;
mod functions;
mod handles;
mod hazards;
mod integers;
mod log;
mod memory;
mod model;
mod parts;
mod proto;
mod runs;
mod sequence;
mod session;
mod signature;
mod sys;
mod tensor;

pub use backend::OnnxBackend;

use redisai_backend_abi::{Host, InitOptions};
use redisai_core::{Backend, BackendError};
use std::sync::Arc;

redisai_backend_abi::export_backend!("ONNX", init);

fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError> {
    Ok(Arc::new(OnnxBackend::new(host, options)?))
}
