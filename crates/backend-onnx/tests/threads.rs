//! Threads are the process's, not a model's. A process of its own, so that no other test's threads
//! count.

mod common;

use common::{floats, model, run};

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn models_share_one_pool() {
    const POOL: usize = 4;
    let before = threads();
    common::backend_with(common::logging_host(), &[("intra_op_threads", "4")]);
    let input = floats(&[512, 4], &[0.5; 2048]);
    let first = model("mlp.onnx");
    run(first.as_ref(), std::slice::from_ref(&input)).unwrap();
    let one = threads();
    // The caller is one of the pool's threads. One more would be the library's telemetry.
    assert_eq!(one, before + POOL - 1, "{before} threads before");
    let others: Vec<_> = (0..23).map(|_| model("mlp.onnx")).collect();
    for other in &others {
        run(other.as_ref(), std::slice::from_ref(&input)).unwrap();
    }
    assert_eq!(threads(), one, "24 models have no more threads than one");
    drop((first, others));
    assert_eq!(threads(), one, "and the pool stays");
}
