//! What runs keep for the next run. A process of its own, since what is counted is the process's.

mod common;

use common::{floats, run};
use redisai_core::{Backend, Buffer, Device, LoadKind, LoadRequest};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Room for what one of the two runs needs, not for both.
const LIMIT: u64 = 14_000_000;
/// Columns of the inputs of `mlp.onnx`.
const COLUMNS: usize = 4;

fn used() -> u64 {
    common::figure("onnxruntime_memory")
}

#[test]
fn memory_is_kept_for_the_next_run_but_not_for_long_nor_against_the_limit() {
    let limit = LIMIT.to_string();
    let pairs = [("intra_op_threads", "1"), ("memory_limit", limit.as_str())];
    let backend = common::backend_with(common::logging_host(), &pairs);
    let blob: Arc<dyn Buffer> = Arc::new(common::fixture("mlp.onnx"));
    let model = backend
        .load(&LoadRequest {
            kind: LoadKind::Model,
            blob: &blob,
            device: &Device::cpu(),
            options: Vec::new(),
        })
        .unwrap();
    let runs = |rows: usize| {
        let input = floats(&[rows as i64, COLUMNS as i64], &vec![0.5; rows * COLUMNS]);
        drop(run(model.as_ref(), &[input]).unwrap());
        used()
    };
    let idle = used();
    // A shape's first run takes its values one by one, the later ones in one block.
    runs(100_000);
    let kept = runs(100_000);
    assert!(kept > idle + 1_000_000, "{kept}, idle {idle}");
    assert_eq!(runs(100_000), kept, "the block is used again");
    // Larger ones do not fit beside what is kept: that goes first.
    let large = runs(200_000);
    assert!(large > idle, "{large}, idle {idle}");
    runs(200_000);
    let deadline = Instant::now() + Duration::from_secs(30);
    while used() != idle {
        assert!(Instant::now() < deadline, "{} for {idle}", used());
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
