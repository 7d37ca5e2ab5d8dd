//! The PyTorch backend library.
//!
//! Runs the user's own libtorch. TorchScript has no C API, so a small library in C++ (`shim/`, built for
//! one minor version of torch) puts one over it; everything else, all policy among it, is here. All
//! memory of tensors comes from the host and is counted; inputs are read where they lie, outputs are
//! handed on as they are.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod archive;
mod backend;
mod callbacks;
mod device;
mod error;
mod libtorch;
mod log;
mod memory;
mod model;
mod package;
mod script;
mod session;
mod shim;
mod signature;
mod stack;
mod sys;
mod tensor;
mod torch;

pub use backend::TorchBackend;
pub use shim::file_name as shim_file_name;

use redisai_backend_abi::{Host, InitOptions};
use redisai_core::{Backend, BackendError};
use std::sync::Arc;

redisai_backend_abi::export_backend!("TORCH", init);

fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError> {
    Ok(Arc::new(TorchBackend::new(host, options)?))
}
