//! What comes and goes leaves nothing behind. A process of its own, since memory is the process's.

mod common;

use common::{floats, load, model, run};
use redisai_core::{Shape, Tensor};
use std::sync::Arc;

/// Bytes of memory that the process has.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 4096
}

/// A session of each kind, a run that works, one that fails, a store that fails.
fn turn() {
    let x = floats(&[2, 3], &[0.1, 0.7, 0.2, 0.5, 0.25, 0.25]);
    for name in [
        "zipmap_string.onnx",
        "sequence.onnx",
        "optional_none.onnx",
        "mlp.onnx",
    ] {
        let model = model(name);
        // The last one wants four columns.
        let ran = run(model.as_ref(), std::slice::from_ref(&x));
        assert_eq!(ran.is_ok(), name != "mlp.onnx", "{name}");
    }
    let words: [&[u8]; 3] = [b"one", b"a long one that is no small string in C++", b"\0"];
    let words = Tensor::from_strings(Shape::new(&[3]).unwrap(), &words).unwrap();
    assert!(run(model("concat_string.onnx").as_ref(), &[Arc::new(words)]).is_ok());
    assert!(load(common::fixture("bad_domain.onnx")).is_err());
    assert!(load(common::fixture("external/subgraph.onnx")).is_err());
}

#[test]
fn sessions_and_runs_leave_nothing() {
    // The first turns fill ONNX Runtime's and the C library's own caches.
    (0..30).for_each(|_| turn());
    let (before, counted) = (resident(), common::figure("onnxruntime_memory"));
    (0..200).for_each(|_| turn());
    assert_eq!(common::figure("onnxruntime_memory"), counted);
    // Twenty KB of each turn would show: no session is that small.
    let grown = resident().saturating_sub(before);
    assert!(grown < 4 << 20, "{grown} bytes more");
}
