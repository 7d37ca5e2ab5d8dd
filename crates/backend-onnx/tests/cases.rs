//! The runs of `data/cases.json`: what ONNX Runtime's own Python API computes, we give.

mod common;

use common::{fixture, model};
use redisai_testkit::cases;

#[test]
fn every_case_gives_what_onnx_runtime_gives() {
    cases::every_case(&fixture("cases.json"), 40, &model);
}

#[test]
fn inputs_may_lie_anywhere() {
    cases::inputs_anywhere(&fixture("cases.json"), &model);
}
