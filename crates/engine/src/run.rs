//! One run of a session, on whatever thread.

use crate::job::{Job, retire};
use crate::model::Model;
use crate::scheduler::{Fate, Jobs, NEVER, Slot};
use crate::session::{Permit, Session};
use crate::shared::{Shared, next_run};
use crate::sync::guarded;
use crate::ticket::End;
use crate::{Call, EngineError, Inputs, Outcome, Request, build};
use redisai_core::{BackendError, Run, RunOutput, Status};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What runs.
pub(crate) struct Attempt<'a> {
    pub(crate) run: u64,
    pub(crate) model: &'a Arc<Model>,
    pub(crate) session: &'a Arc<Session>,
    pub(crate) inputs: &'a Inputs,
    pub(crate) outputs: usize,
    /// For a script.
    pub(crate) call: Option<&'a Call>,
    /// Nanoseconds of the clock; 0: never.
    pub(crate) deadline: u64,
    /// The jobs to answer if the run does not stop, those that it serves first; none for a
    /// caller's own thread.
    pub(crate) jobs: Jobs,
    /// How many of them it serves.
    pub(crate) serves: usize,
}

/// What came of it.
pub(crate) struct Attempted {
    pub(crate) result: Result<RunOutput, BackendError>,
    /// When it began.
    pub(crate) began: u64,
    /// Nanoseconds inside the backend.
    pub(crate) nanos: u64,
    /// Whether the thread still has its client and its place.
    pub(crate) fate: Fate,
}

/// Runs a session once, under the limit of its backend. A panic, here or in the backend, is an
/// error and costs the session.
pub(crate) fn attempt(shared: &Shared, slot: &Slot, what: Attempt<'_>) -> Attempted {
    let begun = shared.clock.now();
    let limit = shared.config.run_limit(what.model.def().backend());
    let until = limit.map_or(NEVER, |limit| begun.saturating_add(limit));
    // A job's deadline is watched with the job; that of a run on a caller's own thread only here.
    let until = match what.deadline {
        deadline if deadline != 0 && what.jobs.is_empty() => until.min(deadline),
        _ => until,
    };
    slot.begin(
        what.run,
        what.jobs,
        what.serves,
        what.session.backend(),
        until,
    );
    if until != NEVER {
        shared.timer.arm(until);
    }
    let run = Run {
        id: what.run,
        deadline: first_of(what.deadline, until),
        call_context: what.call.map_or(0, |call| call.context),
        function: what.call.map_or(&[], |call| &call.function),
        inputs: what.inputs,
        outputs: what.outputs,
        keys: what.call.map_or(&[], |call| &call.keys),
        args: what.call.map_or(&[], |call| &call.args),
    };
    let result = guarded(|| what.session.run(&run)).unwrap_or_else(|| {
        Err(BackendError::new(
            Status::Poisoned,
            "ERR the backend panicked in a run",
        ))
    });
    let nanos = shared.clock.now().saturating_sub(begun);
    let result = result.and_then(|outputs| counted(outputs, what.outputs));
    // Before the client hears of it: its next request must not meet the broken session.
    if let Err(error) = &result
        && error.status == Status::Poisoned
    {
        build::poisoned(what.model, what.session, error);
    }
    Attempted {
        result,
        began: begun,
        nanos,
        fate: slot.end(),
    }
}

/// The earlier of a deadline (0: none) and a limit ([`NEVER`]: none), as a run takes it.
fn first_of(deadline: u64, until: u64) -> u64 {
    match (deadline, until) {
        (0, NEVER) => 0,
        (0, until) => until,
        (deadline, until) => deadline.min(until),
    }
}

fn counted(outputs: RunOutput, asked: usize) -> Result<RunOutput, BackendError> {
    if outputs.len() == asked {
        return Ok(outputs);
    }
    Err(BackendError::new(
        Status::RunFailed,
        "ERR Model did not generate the expected number of outputs",
    ))
}

/// Runs a session once for a request on the calling thread, which has its permit.
pub(crate) fn attempt_here(
    shared: &Shared,
    request: &Request,
    session: &Arc<Session>,
    deadline: u64,
) -> Attempted {
    let slot = shared.timer.borrow_slot();
    let attempted = attempt(
        shared,
        &slot,
        Attempt {
            run: next_run(),
            model: &request.model,
            session,
            inputs: &request.inputs,
            outputs: request.outputs,
            call: request.call.as_deref(),
            deadline,
            jobs: Jobs::new(),
            serves: 0,
        },
    );
    shared.timer.return_slot(slot);
    attempted
}

/// Runs a request on the calling thread; see [`crate::Engine::run_here`].
pub(crate) fn here(shared: &Arc<Shared>, request: &Request) -> Result<RunOutput, BackendError> {
    let model = &request.model;
    let deadline = shared.deadline(request.timeout);
    let session = session_here(model)?;
    request.check_counts()?;
    let Some(_permit) = Permit::wait(model, deadline) else {
        let result = Err(BackendError::new(
            Status::Cancelled,
            "ERR the time was over before it was the model's turn",
        ));
        model.stats().record(&result, None);
        return result;
    };
    let attempted = attempt_here(shared, request, &session, deadline);
    model
        .stats()
        .record(&attempted.result, Some((0, attempted.nanos)));
    attempted.result
}

fn session_here(model: &Arc<Model>) -> Result<Arc<Session>, BackendError> {
    loop {
        // A session can be lost to another thread's panic between the two; at the second time the
        // model is in state failed, so this ends.
        if let Some(session) = model.session() {
            return Ok(session);
        }
        build::here(model, false)?;
    }
}

/// Puts a job in its queue as soon as its model has a session.
pub(crate) fn wait_for_session(job: Arc<Job>) {
    let model = Arc::clone(&job.model);
    model.shared.waiting.fetch_add(1, Ordering::Relaxed);
    build::when_built(
        &model,
        Box::new(move |built| {
            job.model.shared.waiting.fetch_sub(1, Ordering::Relaxed);
            match built {
                Ok(()) => enqueue(job),
                Err(error) => job.fail(error),
            }
        }),
    );
}

fn enqueue(job: Arc<Job>) {
    // The first build has set it before the model was ready; a job without one must still end.
    let Some(queue) = job.model.queue().cloned() else {
        job.fail(EngineError::TooManyQueues.into());
        return;
    };
    if !job.ticket.pending() {
        retire(&job.model.shared.clone(), job);
    } else if let Err(error) = job.check_counts() {
        job.fail(error);
    } else if let Err((job, error)) = queue.push(job) {
        job.fail(error.into());
    }
}

/// What the client hears. A run that its own deadline has stopped timed out, whoever saw it first:
/// the backend, which knows the deadline too, can be ahead of the timer.
pub(crate) fn outcome(
    result: Result<RunOutput, BackendError>,
    deadline: u64,
    now: u64,
) -> (End, Outcome) {
    match result {
        Err(error) if error.status == Status::Cancelled && deadline != 0 && now >= deadline => {
            (End::Expired, Outcome::TimedOut)
        }
        result => (End::Done, Outcome::Done(result)),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_its_own_deadline_stopped_timed_out() {
        let failed = |status| Err(BackendError::new(status, "stopped"));
        let name = |result, deadline, now| match outcome(result, deadline, now) {
            (End::Expired, Outcome::TimedOut) => "timed out",
            (End::Done, Outcome::Done(Err(_))) => "error",
            (End::Done, Outcome::Done(Ok(_))) => "ok",
            _ => "else",
        };
        assert_eq!(name(failed(Status::Cancelled), 5, 5), "timed out");
        // The limit of the backend's runs stopped it, or there was no deadline.
        assert_eq!(name(failed(Status::Cancelled), 6, 5), "error");
        assert_eq!(name(failed(Status::Cancelled), 0, 5), "error");
        assert_eq!(name(failed(Status::RunFailed), 5, 5), "error");
        assert_eq!(name(Ok(RunOutput::new()), 5, 9), "ok");
    }
}
