//! A built model and the permit to run it.

use crate::Model;
use crate::scheduler::{DeviceQueue, LineId, Reaper};
use redisai_core::{Backend, BackendError, LoadedModel, Run, RunOutput, Status};
use std::sync::Arc;

/// A built model. When the last user lets go of it, the freeing thread destroys it.
pub(crate) struct Session {
    /// Always there until the drop, which passes it on.
    loaded: Option<Arc<dyn LoadedModel>>,
    backend: Arc<dyn Backend>,
    reaper: Arc<Reaper>,
}

impl Session {
    pub(crate) fn new(
        loaded: Arc<dyn LoadedModel>,
        backend: Arc<dyn Backend>,
        reaper: Arc<Reaper>,
    ) -> Self {
        Self {
            loaded: Some(loaded),
            backend,
            reaper,
        }
    }

    /// Runs it on the calling thread.
    pub(crate) fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        match &self.loaded {
            Some(loaded) => loaded.run(run),
            None => Err(BackendError::new(Status::Lost, "ERR the session is gone")),
        }
    }

    /// The framework that it lives in.
    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    pub(crate) fn figures(&self) -> Vec<(String, String)> {
        self.loaded
            .as_ref()
            .map(|loaded| loaded.figures())
            .unwrap_or_default()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(loaded) = self.loaded.take() {
            self.reaper.push(Box::new(loaded));
        }
    }
}

/// The right to run a model once; nothing to count where its runs are not limited.
pub(crate) struct Permit(Option<(Arc<DeviceQueue>, LineId)>);

impl Permit {
    /// A permit that a worker got with its job, if there was need for one.
    pub(crate) fn with_job(held: bool, queue: &Arc<DeviceQueue>, line: LineId) -> Self {
        Self(held.then(|| (Arc::clone(queue), line)))
    }

    /// A permit for the calling thread, which waits for it until `deadline` (0: none). Jobs of the
    /// model and such threads take turns.
    pub(crate) fn wait(model: &Model, deadline: u64) -> Option<Self> {
        match model.limited_line() {
            None => Some(Self(None)),
            Some((queue, line)) => {
                let entered = queue.gate().enter(line, deadline);
                entered.then(|| Self(Some((Arc::clone(queue), line))))
            }
        }
    }

    /// A permit for the calling thread, if there is one at once.
    pub(crate) fn try_now(model: &Model) -> Option<Self> {
        match model.limited_line() {
            None => Some(Self(None)),
            Some((queue, line)) => {
                let entered = queue.gate().try_enter(line);
                entered.then(|| Self(Some((Arc::clone(queue), line))))
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((queue, line)) = self.0.take() {
            queue.gate().leave(line);
        }
    }
}
