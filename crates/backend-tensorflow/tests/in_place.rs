//! Inputs that fit are not copied. Alone in its process, whose memory it looks at.

mod common;

#[test]
fn inputs_are_read_in_place() {
    redisai_testkit::in_place::inputs_are_read_in_place(
        common::backend(),
        &common::fixture::TensorFlow,
    );
}
