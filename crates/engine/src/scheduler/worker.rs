//! The threads that run models.

use super::members::{Member, Together};
use super::queue::Taken;
use super::slot::{Fate, Slot};
use super::threads::CpuClock;
use super::{DeviceQueue, LineId, Ran};
use crate::Outcome;
use crate::inline::Watch;
use crate::job::{Job, complete, retire};
use crate::run::{Attempt, attempt, outcome, wait_for_session};
use crate::session::{Permit, Session};
use crate::shared::{Shared, lock, next_run};
use crate::ticket::End;
use redisai_core::{BackendError, LogLevel, RunOutput};
use smallvec::SmallVec;
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
    while let Some(taken) = queue.gate.next() {
        if serve(shared, queue, slot, taken) == Fate::Overrun && lost_place(queue, slot) {
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

/// Runs jobs, or has them wait for what they lack.
fn serve(
    shared: &Arc<Shared>,
    queue: &Arc<DeviceQueue>,
    slot: &Slot,
    taken: Taken<Arc<Job>>,
) -> Fate {
    for job in taken.ended {
        retire(shared, job);
    }
    let _permit = Permit::with_job(taken.permit, queue, taken.line);
    let mut jobs = taken.items;
    let Some(session) = jobs.first().and_then(|job| job.model.session()) else {
        // It was lost to a panic and is built anew.
        jobs.into_iter().for_each(wait_for_session);
        return Fate::Kept;
    };
    let (line, learns) = (taken.line, taken.learns);
    if jobs.len() > 1 {
        let number = next_run();
        let started = jobs.drain(..).filter_map(|job| begin(shared, job, number));
        let together = Together {
            shared,
            slot,
            queue,
            line,
            session: &session,
            members: started.map(Some).collect(),
        };
        queue.gate.keep(jobs);
        return together.run();
    }
    let Some(job) = jobs.pop() else {
        return Fate::Kept;
    };
    run(shared, slot, job, &session, learns.then_some((queue, line)))
}

/// A job at the begin of its run, unless it has ended. One whose deadline has passed never runs,
/// though the timer has not come to it yet.
fn begin(shared: &Shared, job: Arc<Job>, run: u64) -> Option<Member> {
    if job.deadline != 0 && shared.clock.now() >= job.deadline {
        job.end(End::Expired, || Outcome::TimedOut);
    } else if let Some(inputs) = job.ticket.start(run) {
        return Some(Member { job, inputs });
    }
    retire(shared, job);
    None
}

fn run(
    shared: &Arc<Shared>,
    slot: &Slot,
    job: Arc<Job>,
    session: &Arc<Session>,
    learns: Option<(&Arc<DeviceQueue>, LineId)>,
) -> Fate {
    let run = next_run();
    let Some(Member { job, inputs }) = begin(shared, job, run) else {
        return Fate::Kept;
    };
    let watch = Watch::begin(&job.model);
    let attempted = attempt(
        shared,
        slot,
        Attempt {
            run,
            model: &job.model,
            session,
            inputs: &inputs,
            outputs: job.outputs,
            call: job.call.as_deref(),
            deadline: job.deadline,
            jobs: SmallVec::from_buf([Arc::clone(&job)]),
            serves: 1,
        },
    );
    if attempted.fate == Fate::Overrun {
        // The client was answered, and the run counted, without us.
        shared.reaper.push(Box::new(inputs));
        retire(shared, job);
        return Fate::Overrun;
    }
    if attempted.result.is_ok() {
        watch.end(&job.model, &inputs, attempted.nanos);
    }
    if let Some((queue, line)) = learns {
        job.model.stats().record_rows(job.rows, 1);
        job.model.short().crowd().ran(1);
        let cost = attempted
            .result
            .as_ref()
            .map_or(0, |_| attempted.nanos.max(1));
        let ran = Ran {
            rows: job.rows,
            jobs: 1,
            class: job.class,
            ended: attempted.began.saturating_add(attempted.nanos),
            cost,
        };
        queue.gate.ran(line, ran);
    }
    let times = (attempted.began, attempted.nanos);
    answer(shared, Member { job, inputs }, attempted.result, times);
    Fate::Kept
}

/// Counts a run and tells its client. `times`: when it began, and nanoseconds that it took.
pub(crate) fn answer(
    shared: &Shared,
    member: Member,
    result: Result<RunOutput, BackendError>,
    (began, nanos): (u64, u64),
) {
    let Member { job, inputs } = member;
    let stats = job.model.stats();
    stats.record(&result, Some((began.saturating_sub(job.since), nanos)));
    let succeeded = result.is_ok();
    let (end, outcome) = outcome(result, job.deadline, shared.clock.now());
    if let Some(won) = job.ticket.end(end) {
        complete(won.completion, outcome, inputs);
    } else {
        if succeeded && job.ticket.expired() {
            stats.record_late();
        }
        shared.reaper.push(Box::new((inputs, outcome)));
    }
    retire(shared, job);
}

/// The last of some deadlines; 0, if one of them is 0: never.
pub(crate) fn latest(deadlines: impl Iterator<Item = u64>) -> u64 {
    let mut last = 0;
    for deadline in deadlines {
        if deadline == 0 {
            return 0;
        }
        last = last.max(deadline);
    }
    last
}
