//! testkit's cases on the backend without its library.

mod common;

use redisai_core::Backend;
use redisai_tensorflow::TensorFlowBackend;
use std::sync::Arc;

fn native() -> Arc<dyn Backend> {
    let options = common::options(&[]);
    Arc::new(TensorFlowBackend::new(common::logging_host(), &options).expect("it loads"))
}

redisai_testkit::conformance_tests!(native(), common::fixture::TensorFlow);
