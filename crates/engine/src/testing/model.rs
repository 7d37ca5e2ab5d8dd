//! What a model of a fake backend does.

use super::FakeBackends;
use redisai_core::{
    BackendError, DType, LoadedModel, Run, RunOutput, Shape, Signature, Status, Tensor,
};
use std::sync::Arc;

pub(super) struct FakeModel {
    pub(super) verb: String,
    pub(super) blob: String,
    pub(super) signature: Signature,
    pub(super) owner: Arc<FakeBackends>,
}

impl FakeModel {
    fn act(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        let error = |status, text: &str| Err(BackendError::new(status, text.to_owned()));
        match self.verb.as_str() {
            "hold" if self.owner.take_release(Some(run.id)).is_none() => {
                error(Status::Cancelled, "stopped")
            }
            "stuck" if self.owner.take_release(None).is_none() => {
                error(Status::Cancelled, "stopped")
            }
            "mix" => Ok(mix(run)),
            "picky" if has(255, run) => error(Status::RunFailed, "a byte is 255"),
            "picky" if has(254, run) && self.owner.take_release(Some(run.id)).is_none() => {
                error(Status::Cancelled, "stopped")
            }
            "picky" if has(253, run) && self.owner.take_release(None).is_none() => {
                error(Status::Cancelled, "stopped")
            }
            "fold" => Ok((0..run.outputs).map(|_| one_row()).collect()),
            "memory" => error(Status::NoMemory, "there is no memory"),
            "nothing" => Ok((0..run.outputs).map(|_| None).collect()),
            "say" => error(Status::RunFailed, &said(run)),
            "fail" => error(Status::RunFailed, "it failed"),
            "poison" => error(Status::Poisoned, "it is poisoned"),
            "panic" => std::panic::panic_any("a run panics"),
            _ => Ok((0..run.outputs)
                .map(|_| run.inputs.first().cloned())
                .collect()),
        }
    }
}

fn said(run: &Run<'_>) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = |words: &[Vec<u8>]| words.iter().map(|word| text(word)).collect::<Vec<_>>();
    let (keys, args) = (all(run.keys), all(run.args));
    format!("{} of {keys:?} {args:?}", text(run.function))
}

fn mix(run: &Run<'_>) -> RunOutput {
    let dims = run.inputs.iter().map(|tensor| tensor.shape().dims()[0]);
    let sum: i64 = dims.sum();
    let tensor = |output: usize| {
        let shape = Shape::new(&[1 + (sum + output as i64) % 97]).ok()?;
        Some(Arc::new(Tensor::zeros(DType::UInt8, shape).ok()?))
    };
    (0..run.outputs).map(tensor).collect()
}

fn has(byte: u8, run: &Run<'_>) -> bool {
    let first = run.inputs.first();
    first.is_some_and(|input| input.bytes().contains(&byte))
}

fn one_row() -> Option<Arc<Tensor>> {
    let shape = Shape::new(&[1, 2]).ok()?;
    Some(Arc::new(Tensor::zeros(DType::Float, shape).ok()?))
}

impl LoadedModel for FakeModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        let rows = run
            .inputs
            .first()
            .and_then(|input| input.shape().dims().first());
        let rows = rows.copied().unwrap_or(-1);
        let mut during = None;
        self.owner.change(|state| {
            state.rows.push(rows);
            during.clone_from(&state.during);
            state
                .started
                .push((run.id, self.blob.clone(), run.deadline));
            state.running += 1;
            state.peak = state.peak.max(state.running);
        });
        let _running = Running(&self.owner);
        if let Some(during) = during {
            during(rows);
        }
        self.act(run)
    }
}

struct Running<'a>(&'a FakeBackends);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.running -= 1);
    }
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        let thread = std::thread::current().name().unwrap_or("").to_owned();
        self.owner.change(|state| {
            state.alive -= 1;
            state.ended_on.push(thread);
        });
    }
}
