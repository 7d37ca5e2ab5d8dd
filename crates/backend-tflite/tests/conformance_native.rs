//! testkit's cases on the backend without its library.

mod common;

use redisai_core::Backend;
use redisai_tflite::TfLiteBackend;
use std::sync::Arc;

fn native() -> Arc<dyn Backend> {
    Arc::new(TfLiteBackend::new(common::logging_host(), &common::options(&[])).expect("it loads"))
}

redisai_testkit::conformance_tests!(native(), common::fixture::TfLite);
