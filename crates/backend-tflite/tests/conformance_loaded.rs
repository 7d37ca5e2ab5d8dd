//! testkit's cases through the library, as the server loads it; and what only shows there.

mod common;

use redisai_core::{Backend, BackendKind};
use redisai_testkit::conformance::{Model, load, numbered, run_with};
use redisai_testkit::door;
use std::sync::Arc;

const PACKAGE: &str = "redisai-backend-tflite";

fn loaded() -> Arc<dyn Backend> {
    let site_packages = door::site_packages(&common::library(), 2);
    door::loaded(BackendKind::TfLite, PACKAGE, &site_packages)
}

redisai_testkit::conformance_tests!(loaded(), common::fixture::TfLite);

#[test]
fn a_missing_framework_is_said_in_words() {
    door::says_what_is_missing(BackendKind::TfLite, PACKAGE, "pip install");
}

#[test]
fn outputs_are_memory_of_the_host() {
    let backend = loaded();
    let session = load(
        backend.as_ref(),
        &Model {
            blob: common::fixture("sum.tflite"),
            options: Vec::new(),
        },
    )
    .expect("a model");
    let inputs = [
        common::floats(&[2], &[0.5; 2]),
        common::floats(&[2], &[1.0; 2]),
    ];
    let outputs = run_with(session.as_ref(), &numbered(&inputs, 1)).expect("it runs");
    let output = outputs[0].as_ref().expect("a tensor");
    assert!(
        !output.buffer().is_foreign(),
        "an output is not copied again"
    );
    assert_eq!(output.bytes().as_ptr() as usize % 64, 0);
}
