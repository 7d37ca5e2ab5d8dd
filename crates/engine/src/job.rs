//! One request: what goes in, how it ends, and the handle of the one who waits.

use crate::scheduler::{class_of, rows_of};
use crate::shared::Shared;
use crate::sync::guarded;
use crate::ticket::{End, Ticket};
use crate::{Model, Refused};
use redisai_core::{BackendError, RunOutput, Tensor};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

/// Inputs of a job, in order.
pub type Inputs = SmallVec<[Arc<Tensor>; 4]>;

/// What a run of a script, or of a named function of a model, has beside its tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The function's name.
    pub function: Box<[u8]>,
    /// Names of keys that the script may touch.
    pub keys: Vec<Vec<u8>>,
    /// Its arguments.
    pub args: Vec<Vec<u8>>,
    /// What the door knows the caller by: [`Run::call_context`](redisai_core::Run::call_context).
    pub context: u64,
}

/// A model or a script to run once.
pub struct Request {
    /// What runs.
    pub model: Arc<Model>,
    /// For a script: its function and words.
    pub call: Option<Arc<Call>>,
    /// Its inputs, in order.
    pub inputs: Inputs,
    /// Number of outputs asked for.
    pub outputs: usize,
    /// How long the client waits; `None`: for as long as it takes.
    pub timeout: Option<Duration>,
}

/// How a job ended.
pub enum Outcome {
    /// It ran, or could not.
    Done(Result<RunOutput, BackendError>),
    /// Its deadline passed first. A run in progress is told to stop, and counts as a run.
    TimedOut,
    /// [`JobHandle::gone`] came first. A run in progress goes on, counts, and its outputs are
    /// dropped.
    Gone,
}

/// Called exactly once for each job that was taken: on any thread, even inside
/// [`Engine::submit`](crate::Engine::submit), and under no lock of the engine. It must not wait. It
/// gets the job's inputs back, so that no worker drops the last reference; it gets none where a
/// run still reads them (after `TimedOut` and `Gone`), and the engine's freeing thread drops them.
pub type Completion = Box<dyn FnOnce(Outcome, Inputs) + Send>;

/// A job that was taken.
pub struct JobHandle(pub(crate) Arc<Job>);

impl JobHandle {
    /// The client went away: the job ends as [`Outcome::Gone`], unless it has ended. If it has not
    /// started it never runs.
    pub fn gone(&self) {
        self.0.end(End::Gone, || Outcome::Gone);
    }

    /// Whether it has not ended yet.
    pub fn pending(&self) -> bool {
        self.0.ticket.pending()
    }
}

impl std::fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JobHandle")
            .field("pending", &self.pending())
            .finish()
    }
}

/// A job inside the engine.
pub(crate) struct Job {
    pub(crate) ticket: Ticket<Completion, Inputs>,
    pub(crate) model: Arc<Model>,
    pub(crate) call: Option<Arc<Call>>,
    /// Number of inputs.
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Nanoseconds of the clock; 0: never.
    pub(crate) deadline: u64,
    /// When it came, likewise.
    pub(crate) since: u64,
    /// Rows by which it can share a run; 0: it runs alone.
    pub(crate) rows: u64,
    /// Jobs of one model with the same class can share a run.
    pub(crate) class: u64,
}

impl Request {
    /// Refuses counts that the model cannot take.
    pub(crate) fn check_counts(&self) -> Result<(), BackendError> {
        let call = self.call.as_deref();
        self.model
            .check_counts(call, self.inputs.len(), self.outputs)
    }
}

impl Job {
    /// As [`Request::check_counts`].
    pub(crate) fn check_counts(&self) -> Result<(), BackendError> {
        let call = self.call.as_deref();
        self.model.check_counts(call, self.inputs, self.outputs)
    }

    /// A pending job.
    pub(crate) fn new(request: Request, deadline: u64, completion: Completion) -> Self {
        // A named function has dimensions of its own, which the model's line does not know.
        let joins = request.model.def().batch().size > 1 && request.call.is_none();
        let rows = if joins { rows_of(&request.inputs) } else { 0 };
        Self {
            rows,
            class: if rows > 0 { class_of(&request) } else { 0 },
            since: request.model.shared.clock.now(),
            inputs: request.inputs.len(),
            ticket: Ticket::new(completion, request.inputs),
            model: request.model,
            call: request.call,
            outputs: request.outputs,
            deadline,
        }
    }

    /// Ends the job if nobody has and calls its completion. Gives the number of the run that goes
    /// on without it (0: it has not started and will not), or `None` if somebody else was first,
    /// in which case `outcome` was not asked.
    pub(crate) fn end(&self, end: End, outcome: impl FnOnce() -> Outcome) -> Option<u64> {
        let won = self.ticket.end(end)?;
        if won.run == 0
            && end != End::Done
            && let Some(queue) = self.model.queue()
        {
            queue.note_ended();
        }
        complete(won.completion, outcome(), won.inputs.unwrap_or_default());
        Some(won.run)
    }

    /// Ends it with an error, if nobody has ended it.
    pub(crate) fn fail(&self, error: BackendError) {
        self.end(End::Done, || Outcome::Done(Err(error)));
    }

    /// Takes a job that was never started apart again.
    pub(crate) fn refuse(&self, error: crate::EngineError) -> Option<Refused> {
        let won = self.ticket.end(End::Done)?;
        Some(Refused {
            error,
            inputs: won.inputs.unwrap_or_default(),
            completion: won.completion,
        })
    }
}

/// Calls a completion. A panic in it ends here: it must not take a worker down.
pub(crate) fn complete(completion: Completion, outcome: Outcome, inputs: Inputs) {
    guarded(|| completion(outcome, inputs));
}

/// Drops a job on a thread of the engine: if it held the last reference to its model, the freeing
/// thread drops that.
pub(crate) fn retire(shared: &Shared, job: Arc<Job>) {
    if let Some(job) = Arc::into_inner(job)
        && let Some(model) = Arc::into_inner(job.model)
    {
        shared.reaper.push(Box::new(model));
    }
}
