//! The threads that run models.

use super::slot::{Fate, Slot};
use super::threads::CpuClock;
use super::{DeviceQueue, Entry};
use crate::Inputs;
use crate::job::{Job, Outcome, complete, retire};
use crate::run::{Attempt, Attempted, attempt, wait_for_session};
use crate::session::{Permit, Session};
use crate::shared::{Shared, lock, next_run};
use crate::ticket::End;
use redisai_core::{BackendError, LogLevel, RunOutput, Status};
use std::io;
use std::sync::Arc;

/// A worker, as others see it.
pub(crate) struct Worker {
    pub(crate) slot: Arc<Slot>,
    pub(crate) cpu: CpuClock,
}

/// The workers of a queue.
#[derive(Default)]
pub(crate) struct Workers {
    /// One for each place.
    pub(crate) list: Vec<Worker>,
    /// Threads that lost their place while they were stuck in a run, and still are.
    stuck: usize,
}

/// Starts the workers of a new queue.
pub(crate) fn start_all(shared: &Arc<Shared>, queue: &Arc<DeviceQueue>) -> io::Result<()> {
    for index in 0..shared.config.threads_per_queue.max(1) {
        let worker = start(shared, queue, index)?;
        lock(&queue.workers).list.push(worker);
    }
    Ok(())
}

fn start(shared: &Arc<Shared>, queue: &Arc<DeviceQueue>, index: usize) -> io::Result<Worker> {
    let slot = Slot::new(Some((Arc::clone(queue), index)));
    let (own, line, mine) = (Arc::clone(shared), Arc::clone(queue), Arc::clone(&slot));
    let name = format!("ai-{}-{index}", queue.name());
    shared.timer.add_slot(&slot);
    let started = shared.threads.start(name, move || {
        work(&own, &line, &mine);
        own.timer.remove_slot(&mine);
    });
    match started {
        Ok(cpu) => Ok(Worker { slot, cpu }),
        Err(error) => {
            shared.timer.remove_slot(&slot);
            Err(error)
        }
    }
}

/// Puts a new worker in the place of one that is stuck in a run.
pub(crate) fn replace(shared: &Arc<Shared>, slot: &Arc<Slot>) {
    let Some((queue, index)) = &slot.owner else {
        return;
    };
    let mut workers = lock(&queue.workers);
    // It may have come back by now. A worker that comes back after this line finds its place
    // taken: it looks under the same lock, after its slot was cleared.
    if !slot.is_overrun() {
        return;
    }
    let what = if workers.stuck >= shared.config.max_replaced_workers {
        "no more are replaced".to_owned()
    } else {
        match start(shared, queue, *index) {
            Ok(worker) => {
                if let Some(place) = workers.list.get_mut(*index) {
                    *place = worker;
                }
                workers.stuck += 1;
                "it was replaced".to_owned()
            }
            Err(error) => format!("it could not be replaced: {error}"),
        }
    };
    drop(workers);
    let name = queue.name();
    let text = format!("Worker {index} of queue {name} is stuck in a run; {what}");
    shared.log(LogLevel::Warning, &text);
}

fn work(shared: &Arc<Shared>, queue: &Arc<DeviceQueue>, slot: &Arc<Slot>) {
    while let Some(entry) = queue.gate.next() {
        if serve(shared, slot, entry) == Fate::Overrun && lost_place(queue, slot) {
            return;
        }
    }
}

/// Whether another worker has the place of this one.
fn lost_place(queue: &DeviceQueue, slot: &Arc<Slot>) -> bool {
    let mut workers = lock(&queue.workers);
    let lost = !workers
        .list
        .iter()
        .any(|worker| Arc::ptr_eq(&worker.slot, slot));
    if lost {
        workers.stuck = workers.stuck.saturating_sub(1);
    }
    lost
}

/// Runs one job, or drops it, or has it wait for what it lacks.
fn serve(shared: &Arc<Shared>, slot: &Slot, entry: Entry) -> Fate {
    let Entry { job, permit } = entry;
    if !job.ticket.pending() {
        retire(shared, job);
        return Fate::Kept;
    }
    let Some(session) = job.model.session() else {
        // It was lost to a panic and is built anew.
        drop(permit);
        wait_for_session(job);
        return Fate::Kept;
    };
    let permit = permit.filter(|permit| permit.is_for(&session));
    let Some(permit) = permit.or_else(|| Permit::or_park(&session, &job)) else {
        retire(shared, job);
        return Fate::Kept;
    };
    let fate = run(shared, slot, job, &session);
    drop(permit);
    fate
}

fn run(shared: &Arc<Shared>, slot: &Slot, job: Arc<Job>, session: &Arc<Session>) -> Fate {
    let run = next_run();
    let Some(inputs) = job.ticket.start(run) else {
        retire(shared, job);
        return Fate::Kept;
    };
    let Attempted {
        result,
        micros,
        fate,
    } = attempt(
        shared,
        slot,
        Attempt {
            run,
            model: &job.model,
            session,
            inputs: &inputs,
            outputs: job.outputs,
            deadline: job.deadline,
            job: Some(Arc::clone(&job)),
        },
    );
    let late = if fate == Fate::Kept {
        job.model.stats().record(&result, micros);
        let now = shared.clock.now();
        finish(&job, inputs, outcome(result, job.deadline, now))
    } else {
        // The client was answered, and the run counted, without us.
        Some(inputs)
    };
    if let Some(inputs) = late {
        shared.reaper.push(Box::new(inputs));
    }
    retire(shared, job);
    fate
}

/// What the client hears. A run that its own deadline has stopped timed out, whoever saw it first:
/// the backend, which knows the deadline too, can be ahead of the timer.
fn outcome(result: Result<RunOutput, BackendError>, deadline: u64, now: u64) -> (End, Outcome) {
    match result {
        Err(error) if error.status == Status::Cancelled && deadline != 0 && now >= deadline => {
            (End::Expired, Outcome::TimedOut)
        }
        result => (End::Done, Outcome::Done(result)),
    }
}

/// Answers the client; gives the inputs back if it has been answered.
fn finish(job: &Job, inputs: Inputs, (end, outcome): (End, Outcome)) -> Option<Inputs> {
    match job.ticket.end(end) {
        Some(won) => {
            complete(won.completion, outcome, inputs);
            None
        }
        None => Some(inputs),
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
