//! testkit's cases through the library, as the server loads it; and what only shows there.

mod common;

use redisai_core::{Backend, BackendKind};
use redisai_testkit::conformance::{Model, load, run};
use redisai_testkit::door;
use std::sync::Arc;

const PACKAGE: &str = "redisai-backend-onnx";

fn loaded() -> Arc<dyn Backend> {
    let site_packages = door::site_packages(&common::library(), 3);
    door::loaded(BackendKind::Onnx, PACKAGE, &site_packages)
}

redisai_testkit::conformance_tests!(loaded(), common::fixture::Onnx);

#[test]
fn a_missing_framework_is_said_in_words() {
    door::says_what_is_missing(BackendKind::Onnx, PACKAGE, "pip install");
}

#[test]
fn outputs_are_memory_of_the_host() {
    let backend = loaded();
    let session = load(
        backend.as_ref(),
        &Model {
            blob: common::fixture("mlp.onnx"),
            options: Vec::new(),
        },
    )
    .expect("a model");
    let outputs = run(session.as_ref(), &[common::floats(&[1, 4], &[0.5; 4])]).expect("it runs");
    let output = outputs[0].as_ref().expect("a tensor");
    assert!(
        !output.buffer().is_foreign(),
        "an output is not copied again"
    );
    assert_eq!(output.bytes().as_ptr() as usize % 64, 0);
    let figures = backend.figures();
    let memory = figures
        .iter()
        .find(|pair| pair.0 == "onnxruntime_memory")
        .expect("a figure");
    assert!(memory.1.parse::<u64>().expect("a number") > 0);
}

#[test]
fn a_zip_map_keeps_its_classes() {
    let backend = loaded();
    let model = Model {
        blob: common::fixture("zipmap_string.onnx"),
        options: Vec::new(),
    };
    let session = load(backend.as_ref(), &model).expect("a model");
    let output = &session.signature().functions[0].outputs[0];
    assert_eq!(
        output.classes,
        [b"pear" as &[u8], b"apple", b"fig"].map(Into::into)
    );
    assert_eq!(output.kind, redisai_core::ValueKind::ZipMap);
}
