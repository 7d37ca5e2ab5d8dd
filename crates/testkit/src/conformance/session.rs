//! Short ways to load and run.

use super::{Fixture, Model};
use redisai_core::{
    Backend, BackendError, Buffer, DType, Device, LoadKind, LoadRequest, LoadedModel, Run, Tensor,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Builds a session of a model on the CPU.
pub fn load(backend: &dyn Backend, model: &Model) -> Result<Arc<dyn LoadedModel>, BackendError> {
    let blob: Arc<dyn Buffer> = Arc::new(model.blob.clone());
    backend.load(&LoadRequest {
        kind: LoadKind::Model,
        blob: &blob,
        device: &Device::cpu(),
        options: model.options.clone(),
    })
}

/// The session of an identity model; none where the backend has no such dtype.
pub fn model(
    backend: &dyn Backend,
    fixture: &dyn Fixture,
    dtype: DType,
    count: usize,
) -> Option<Arc<dyn LoadedModel>> {
    let model = fixture.identity(dtype, count)?;
    let loaded = load(backend, &model);
    Some(loaded.unwrap_or_else(|error| panic!("identity of {}: {error}", dtype.name())))
}

/// A run with a number of its own and nothing else set.
pub fn numbered(inputs: &[Arc<Tensor>], outputs: usize) -> Run<'_> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Run {
        id: NEXT.fetch_add(1, Ordering::Relaxed),
        deadline: 0,
        call_context: 0,
        function: b"",
        inputs,
        outputs,
        keys: &[],
        args: &[],
    }
}

/// Runs, with as many outputs as there are inputs.
pub fn run(
    model: &dyn LoadedModel,
    inputs: &[Arc<Tensor>],
) -> Result<Vec<Option<Arc<Tensor>>>, BackendError> {
    run_with(model, &numbered(inputs, inputs.len()))
}

/// Runs, and checks that there are as many outputs as were asked for.
pub fn run_with(
    model: &dyn LoadedModel,
    run: &Run<'_>,
) -> Result<Vec<Option<Arc<Tensor>>>, BackendError> {
    let outputs = model.run(run)?;
    assert_eq!(outputs.len(), run.outputs, "number of outputs");
    Ok(outputs.into_vec())
}
