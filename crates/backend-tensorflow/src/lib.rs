//! The TensorFlow backend library.
//!
//! Runs the user's own TensorFlow (2.15 or newer) through its C API. A run happens on the worker's
//! thread; one that may last runs in TensorFlow's pool, where its deadline can end it.

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
mod calls;
mod environment;
mod error;
mod fed;
mod files;
mod graph;
mod handles;
mod model;
mod names;
mod proto;
mod run;
mod runs;
mod saved;
mod session;
mod strings;
mod survey;
mod sys;
mod tensor;
mod walk;

pub use backend::TensorFlowBackend;

use redisai_backend_abi::{Host, InitOptions};
use redisai_core::{Backend, BackendError};
use std::sync::Arc;

redisai_backend_abi::export_backend!("TF", init);

fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError> {
    Ok(Arc::new(TensorFlowBackend::new(host, options)?))
}
