//! Threads: as many as `intra_op_threads` says, whichever thread runs.

mod common;

use common::{archive, backend_with, floats, load, logging_host, run};
use std::sync::Barrier;

const RUNNERS: usize = 4;

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// OpenMP keeps its number of threads for each thread that calls it, the machine's cores by default.
#[test]
fn runs_on_several_threads_start_no_others() {
    backend_with(logging_host(), &[("intra_op_threads", "1")]);
    let model = load(archive::of(
        "def forward(self: __torch__.M, x: Tensor, w: Tensor) -> Tensor:\n  \
         return torch.conv2d(x, w)",
    ))
    .unwrap();
    let inputs = [
        floats(&[4, 8, 32, 32], &vec![1.0; 4 * 8 * 32 * 32]),
        floats(&[8, 8, 3, 3], &vec![1.0; 8 * 8 * 3 * 3]),
    ];
    let before = threads();
    let over = Barrier::new(RUNNERS + 1);
    let during = std::thread::scope(|scope| {
        for _ in 0..RUNNERS {
            scope.spawn(|| {
                run(model.as_ref(), &inputs).unwrap();
                // Its OpenMP threads would wait as long as it lives.
                over.wait();
                over.wait();
            });
        }
        over.wait();
        let during = threads();
        over.wait();
        during
    });
    assert_eq!(during, before + RUNNERS);
}
