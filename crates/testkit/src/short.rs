//! Short ways to make tensors, to load and to run, for the tests of one backend.

use redisai_core::{
    AlignedBytes, Backend, BackendError, Buffer, DType, Device, LoadKind, LoadRequest, LoadedModel,
    Run, RunOutput, Shape, Tensor,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Loads a model of these bytes on a device.
pub fn load_on(
    backend: &dyn Backend,
    device: &str,
    blob: Vec<u8>,
) -> Result<Arc<dyn LoadedModel>, BackendError> {
    let blob: Arc<dyn Buffer> = Arc::new(blob);
    backend.load(&LoadRequest {
        kind: LoadKind::Model,
        blob: &blob,
        device: &Device::lenient(device.as_bytes()),
        options: Vec::new(),
    })
}

/// A number for a run, never twice.
pub fn run_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A run of `inputs`.
pub fn request(inputs: &[Arc<Tensor>], outputs: usize) -> Run<'_> {
    Run {
        id: run_id(),
        deadline: 0,
        call_context: 0,
        function: b"",
        inputs,
        outputs,
        keys: &[],
        args: &[],
    }
}

/// Runs a model that has as many outputs as it says.
pub fn run(model: &dyn LoadedModel, inputs: &[Arc<Tensor>]) -> Result<RunOutput, BackendError> {
    let outputs = model.signature().functions[0].outputs.len();
    model.run(&request(inputs, outputs))
}

/// A tensor of these bytes.
pub fn tensor(dtype: DType, dims: &[i64], bytes: &[u8]) -> Arc<Tensor> {
    let data = AlignedBytes::copy_of(bytes);
    Arc::new(Tensor::new(dtype, Shape::new(dims).unwrap(), Box::new(data)).unwrap())
}

/// A FLOAT tensor.
pub fn floats(dims: &[i64], values: &[f32]) -> Arc<Tensor> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect();
    tensor(DType::Float, dims, &bytes)
}

/// An INT64 tensor.
pub fn ints(dims: &[i64], values: &[i64]) -> Arc<Tensor> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect();
    tensor(DType::Int64, dims, &bytes)
}

/// The values of a FLOAT tensor.
pub fn values(tensor: &Tensor) -> Vec<f32> {
    assert_eq!(tensor.dtype(), DType::Float);
    let chunks = tensor.bytes().chunks_exact(4);
    chunks
        .map(|chunk| f32::from_ne_bytes(chunk.try_into().unwrap()))
        .collect()
}

/// A figure of a backend.
pub fn figure(backend: &dyn Backend, name: &str) -> u64 {
    let figures = backend.figures();
    let found = figures
        .iter()
        .find(|pair| pair.0 == name)
        .expect("the figure");
    found.1.parse().expect("a number")
}
