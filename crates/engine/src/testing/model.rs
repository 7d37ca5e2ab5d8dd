//! What a model of a fake backend does.

use super::FakeBackends;
use redisai_core::{BackendError, LoadedModel, Run, RunOutput, Signature, Status};
use std::sync::Arc;

pub(super) struct FakeModel {
    pub(super) verb: String,
    pub(super) blob: String,
    pub(super) signature: Signature,
    pub(super) owner: Arc<FakeBackends>,
}

impl FakeModel {
    fn act(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        let error = |status, text| Err(BackendError::new(status, text));
        match self.verb.as_str() {
            "hold" if self.owner.take_release(Some(run.id)).is_none() => {
                error(Status::Cancelled, "stopped")
            }
            "stuck" if self.owner.take_release(None).is_none() => {
                error(Status::Cancelled, "stopped")
            }
            "fail" => error(Status::RunFailed, "it failed"),
            "poison" => error(Status::Poisoned, "it is poisoned"),
            "panic" => std::panic::panic_any("a run panics"),
            _ => Ok((0..run.outputs)
                .map(|_| run.inputs.first().cloned())
                .collect()),
        }
    }
}

impl LoadedModel for FakeModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        self.owner.change(|state| {
            state
                .started
                .push((run.id, self.blob.clone(), run.deadline));
            state.running += 1;
            state.peak = state.peak.max(state.running);
        });
        let _running = Running(&self.owner);
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
