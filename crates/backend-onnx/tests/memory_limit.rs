//! `BACKEND_MEMORY_LIMIT`: a process of its own, since the limit is the process's.

mod common;

use common::{fixture, floats, ints, onnx, run};
use redisai_core::{Backend, BackendError, DType, LoadKind, LoadRequest, LoadedModel, Status};
use std::sync::Arc;

const LIMIT: u64 = 1_000_000;
const TEXT: &str = "Onnxruntime memory limit exceeded, memory allocation failed.";

fn load(blob: Vec<u8>) -> Result<Arc<dyn LoadedModel>, BackendError> {
    let limit = LIMIT.to_string();
    let backend = common::backend_with(
        common::logging_host(),
        &[
            ("intra_op_threads", "2"),
            ("inter_op_threads", "2"),
            ("memory_limit", &limit),
        ],
    );
    let blob: Arc<dyn redisai_core::Buffer> = Arc::new(blob);
    backend.load(&LoadRequest {
        kind: LoadKind::Model,
        blob: &blob,
        device: &redisai_core::Device::cpu(),
        options: Vec::new(),
    })
}

fn used() -> u64 {
    let (_, value) = common::backend_with(common::logging_host(), &[])
        .figures()
        .into_iter()
        .find(|pair| pair.0 == "onnxruntime_memory")
        .unwrap();
    value.parse().unwrap()
}

fn refused(error: &BackendError) {
    assert_eq!(error.status, Status::NoMemory, "{error}");
    assert!(error.text.ends_with(TEXT), "{error}");
}

/// One test: each part looks at what is in use.
#[test]
fn memory_stays_below_the_limit() {
    // A run: what it expands to is refused, with the failing node's text before ours.
    let start = {
        drop(load(fixture("mlp.onnx")).unwrap());
        used()
    };
    for name in ["expand", "tile", "constant_of_shape"] {
        let model = load(fixture(&format!("{name}.onnx"))).unwrap();
        let error = run(model.as_ref(), &[ints(&[1], &[1_000_000])]).unwrap_err();
        refused(&error);
        assert!(
            error
                .text
                .contains("Non-zero status code returned while running"),
            "{error}"
        );
        // What fits is still served, on the same session.
        let outputs = run(model.as_ref(), &[ints(&[1], &[1000])]).unwrap();
        assert!(outputs[0].is_some(), "{name}");
    }
    let range = load(fixture("range.onnx")).unwrap();
    refused(&run(range.as_ref(), &[ints(&[], &[1_000_000])]).unwrap_err());
    drop(range);
    assert_eq!(used(), start, "everything is given back");

    // A session: weights that do not fit.
    let error = load(weights(400_000)).err().expect("refused");
    refused(&error);
    assert!(
        error.text.contains("Exception during initialization"),
        "{error}"
    );
    assert_eq!(used(), start, "a refused session leaves nothing");
    let small = load(weights(100_000)).unwrap();
    assert!(used() >= start + 400_000, "weights are counted");

    // Outputs that a client keeps count too, until they are gone.
    let kept: Vec<_> = (0..1)
        .map(|_| run(small.as_ref(), &[floats(&[100_000], &vec![1.0; 100_000])]).unwrap())
        .collect();
    refused(&run(small.as_ref(), &[floats(&[100_000], &vec![1.0; 100_000])]).unwrap_err());
    drop(kept);
    assert!(run(small.as_ref(), &[floats(&[100_000], &vec![1.0; 100_000])]).is_ok());
    drop(small);
    assert_eq!(used(), start);
}

/// A model `y = x + w` with `count` floats of weights.
fn weights(count: usize) -> Vec<u8> {
    let data: Vec<u8> = (0..count)
        .flat_map(|index| (index as f32).to_ne_bytes())
        .collect();
    onnx::model(
        &[onnx::node("Add", &["x", "w"], &["y"])],
        &[onnx::initializer("w", DType::Float, &[count as u64], &data)],
        &[onnx::value("x", DType::Float)],
        &[onnx::value("y", DType::Float)],
    )
}
