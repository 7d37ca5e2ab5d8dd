//! The runs of `data/cases.json`: what LiteRT's own interpreter computes, we give.

mod common;

use common::{fixture, model};
use redisai_testkit::cases;

#[test]
fn every_case_gives_what_litert_gives() {
    cases::every_case(&fixture("cases.json"), 30, &model);
}

#[test]
fn inputs_may_lie_anywhere() {
    cases::inputs_anywhere(&fixture("cases.json"), &model);
}
