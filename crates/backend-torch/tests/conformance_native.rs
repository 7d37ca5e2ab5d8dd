//! testkit's cases on the backend without its library.
//!
//! The loaded library has a file of its own: libtorch is set up once in a process.

mod common;

use redisai_core::Backend;
use redisai_torch::TorchBackend;
use std::sync::Arc;

fn native() -> Arc<dyn Backend> {
    let options = common::options(&[("intra_op_threads", "2")]);
    Arc::new(TorchBackend::new(common::logging_host(), &options).expect("PyTorch loads"))
}

redisai_testkit::conformance_tests!(native(), common::fixture::Torch);
