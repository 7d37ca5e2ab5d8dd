//! Several models in one request.
//!
//! An operation becomes an ordinary job of its device's queue as soon as its inputs are there: the
//! completion of the one that makes the last of them hands it in, on whatever thread that is. So
//! operations that do not need each other run side by side, and each may share a batch with jobs of other
//! requests. Nothing polls, and the lock of a DAG is held only to move tensors in and out.

mod flight;
mod one;
mod progress;

use crate::sync::guarded;
use crate::{Call, Engine, JobHandle, Model};
use flight::Dag;
pub use progress::{InputSlots, OutputSlots};
use redisai_core::{BackendError, Tensor};
use std::sync::Arc;
use std::time::Duration;

/// Tensors of a DAG by slot. A name of the request is a slot for each time that it is produced, so
/// a slot is written once.
pub type Slots = Vec<Option<Arc<Tensor>>>;

/// Operations to run once, and the tensors between them.
pub struct DagRequest {
    /// Filled where the tensor is there before anything runs, empty where an operation makes it.
    pub slots: Slots,
    /// In order of position. An operation reads slots that are filled or that an earlier one
    /// writes.
    pub ops: Vec<DagOp>,
    /// How long the client waits for all of it; `None`: for as long as it takes.
    pub timeout: Option<Duration>,
}

/// A model or a script to run inside a DAG. Scripts run one after the other, in order of position: they may
/// do more than their tensors show.
pub struct DagOp {
    /// What runs.
    pub model: Arc<Model>,
    /// For a script: its function and words.
    pub call: Option<Arc<Call>>,
    /// Slots that it reads, in the order of its inputs.
    pub inputs: InputSlots,
    /// Slots that it writes, in the order of its outputs. No other operation writes them.
    pub outputs: OutputSlots,
}

/// How an operation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpEnd {
    /// It ran, and so did all before it.
    Done,
    /// It is the first that failed, by position. Its own error, also where its queue was full; or that an
    /// input of it holds no tensor, since the model that makes it gave none (a sequence or a map).
    Failed(BackendError),
    /// One before it failed.
    NotRun,
}

/// What the operations left.
pub struct DagResult {
    /// The slots that were handed in, and those that the operations wrote which are [`OpEnd::Done`].
    pub slots: Slots,
    /// One for each operation, in order of position.
    pub ops: Vec<OpEnd>,
}

/// How a DAG ended.
pub enum DagOutcome {
    /// Each operation has ended, or does not count any more.
    Done(DagResult),
    /// The deadline passed first. What had not started never runs, what runs is told to stop.
    TimedOut,
    /// [`DagHandle::gone`] came first. What had not started never runs; what runs goes on, counts,
    /// and its outputs are dropped.
    Gone,
}

/// Called exactly once: on any thread, even inside [`Engine::submit_dag`], and under no lock of the
/// engine. It must not wait.
pub type DagCompletion = Box<dyn FnOnce(DagOutcome) + Send>;

/// A DAG that was taken.
pub struct DagHandle(Inner);

enum Inner {
    /// It had nothing to run.
    Over,
    /// It is one operation.
    One(JobHandle),
    Many(Arc<Dag>),
}

impl DagHandle {
    /// The client went away: the DAG ends as [`DagOutcome::Gone`], unless it has ended.
    pub fn gone(&self) {
        match &self.0 {
            Inner::Over => {}
            Inner::One(job) => job.gone(),
            Inner::Many(dag) => dag.gone(),
        }
    }
}

impl std::fmt::Debug for DagHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DagHandle").finish_non_exhaustive()
    }
}

impl Engine {
    /// Takes a DAG; its completion is called exactly once, perhaps before this returns.
    ///
    /// It is never refused as a whole: an operation whose queue is full, whose counts are wrong or
    /// whose model has no session fails in its place. The numbers of inputs and outputs of a model are those
    /// of the slots. The deadline is one for all operations.
    pub fn submit_dag(&self, mut request: DagRequest, completion: DagCompletion) -> DagHandle {
        if request.ops.len() == 1
            && let Some(op) = request.ops.pop()
        {
            let (slots, timeout) = (request.slots, request.timeout);
            return DagHandle(one::submit(self, op, slots, timeout, completion));
        }
        let shared = Arc::clone(self.shared());
        DagHandle(Inner::Many(Dag::start(shared, request, completion)))
    }

    /// Runs a DAG of one operation on the calling thread where [`Engine::run_inline`] would run that
    /// operation; else, and with any other number of them, gives it back, to be submitted.
    pub fn run_dag_inline(&self, request: DagRequest) -> Result<DagOutcome, DagRequest> {
        one::run_inline(self, request)
    }
}

fn ended_early(timed_out: bool) -> DagOutcome {
    if timed_out {
        DagOutcome::TimedOut
    } else {
        DagOutcome::Gone
    }
}

/// Calls a completion. A panic in it ends here.
fn finish(completion: DagCompletion, outcome: DagOutcome) {
    guarded(|| completion(outcome));
}

#[cfg(all(test, not(loom)))]
mod property;
#[cfg(all(test, not(loom)))]
mod tests;
