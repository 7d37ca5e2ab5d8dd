//! testkit's cases through the library, as the server loads it; and what only shows there.

mod common;

use redisai_core::{Backend, BackendKind};
use redisai_testkit::conformance::{Fixture, load, run};
use redisai_testkit::door;
use std::sync::Arc;

const PACKAGE: &str = "redisai-backend-torch";

fn loaded() -> Arc<dyn Backend> {
    common::shim();
    let torch = common::torch();
    let site_packages = torch.parent().expect("…/site-packages/torch");
    door::loaded(BackendKind::Torch, PACKAGE, site_packages)
}

redisai_testkit::conformance_tests!(loaded(), common::fixture::Torch);

#[test]
fn a_missing_framework_is_said_in_words() {
    door::says_what_is_missing(
        BackendKind::Torch,
        PACKAGE,
        "pip install 'redisai-rs[torch]'",
    );
}

#[test]
fn outputs_are_memory_of_the_host() {
    let backend = loaded();
    let session = load(backend.as_ref(), &common::fixture::Torch.sum()).expect("a model");
    let input = common::floats(&[1, 4], &[0.5; 4]);
    let request = redisai_testkit::conformance::numbered;
    let inputs = [Arc::clone(&input), input];
    let outputs = session.run(&request(&inputs, 1)).expect("it runs");
    let output = outputs[0].as_ref().expect("a tensor");
    assert!(
        !output.buffer().is_foreign(),
        "an output is not copied again"
    );
    assert_eq!(output.bytes().as_ptr() as usize % 64, 0);
    let figures = backend.figures();
    let memory = figures
        .iter()
        .find(|pair| pair.0 == "torch_memory")
        .expect("a figure");
    assert!(memory.1.parse::<u64>().expect("a number") > 0);
    let identity = load(
        backend.as_ref(),
        &common::fixture::Torch
            .identity(redisai_core::DType::Float, 1)
            .expect("a model"),
    );
    run(identity.expect("it loads").as_ref(), &inputs[..1]).expect("it runs");
}
