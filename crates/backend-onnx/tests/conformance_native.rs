//! testkit's cases on the backend without its library.
//!
//! The loaded library has a file of its own: ONNX Runtime has one environment in a process.

mod common;

use redisai_core::Backend;
use redisai_onnxruntime::OnnxBackend;
use std::sync::Arc;

fn native() -> Arc<dyn Backend> {
    let options = common::options(&[("intra_op_threads", "2")]);
    Arc::new(OnnxBackend::new(common::logging_host(), &options).expect("ONNX Runtime loads"))
}

redisai_testkit::conformance_tests!(native(), common::fixture::Onnx);
