//! Memory of runs: a process of its own, since the limit and the figure are the process's.

mod common;

use common::{archive, backend_with, figure, floats, load, logging_host, run, values};
use redisai_core::Status;

const LIMIT: usize = 2_000_000;

fn forward(body: &str) -> std::sync::Arc<dyn redisai_core::LoadedModel> {
    let signature = "def forward(self: __torch__.M, x: Tensor) -> Tensor";
    load(archive::of(&format!("{signature}:\n  return {body}"))).unwrap()
}

/// One test: each part looks at what is in use.
#[test]
fn inputs_are_read_in_place_and_outputs_are_handed_on() {
    let limit = LIMIT.to_string();
    let pairs = [("intra_op_threads", "1"), ("memory_limit", limit.as_str())];
    backend_with(logging_host(), &pairs);
    let sum = forward("torch.sum(x)");
    let relu = forward("torch.relu(x)");
    // Four times as much as torch may take: a copy of it would be refused.
    let large = floats(&[LIMIT as i64], &vec![1.0; LIMIT]);
    let before = figure("torch_memory");
    for _ in 0..3 {
        let outputs = run(sum.as_ref(), std::slice::from_ref(&large)).unwrap();
        let output = outputs[0].as_ref().unwrap();
        assert_eq!(values(output), [LIMIT as f32]);
    }
    let error = run(relu.as_ref(), &[large]).expect_err("refused");
    assert_eq!(error.status, Status::NoMemory, "{error}");
    assert_eq!(figure("torch_memory"), before);

    // An output lies in the memory that torch's allocator took: it is not copied from there.
    let outputs = run(relu.as_ref(), &[floats(&[2, 3], &[-1.0; 6])]).unwrap();
    let output = outputs[0].as_ref().unwrap();
    assert_eq!(values(output), [0.0; 6]);
    assert!(!output.buffer().is_foreign());
    assert!(figure("torch_memory") > before);
    drop(outputs);
    assert_eq!(figure("torch_memory"), before);
}
