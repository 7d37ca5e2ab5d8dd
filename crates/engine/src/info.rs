//! What `INFO` shows of an engine.

use crate::shared::Shared;
use std::time::Duration;

/// An engine at one moment.
#[derive(Clone, Debug, Default)]
pub struct Info {
    /// The queues, by name.
    pub queues: Vec<QueueInfo>,
    /// Runs in progress, those on callers' threads included.
    pub running: usize,
    /// Jobs that wait for their model's session.
    pub waiting_for_session: usize,
    /// Places taken in the loader's lines: about the sessions asked for and not begun. A model that
    /// a client came to wait for has a second place.
    pub builds_waiting: usize,
    /// Values that wait to be freed.
    pub reap_values: usize,
    /// Their bytes, as they were offered.
    pub reap_bytes: usize,
    /// Threads of the engine that are alive.
    pub threads: usize,
    /// How often the timer has woken up.
    pub timer_wakes: u64,
}

/// A device's queue.
#[derive(Clone, Debug, Default)]
pub struct QueueInfo {
    /// Its name, such as `CPU` or `GPU:1`.
    pub name: String,
    /// Jobs that wait.
    pub length: usize,
    /// The most jobs that ever stood in line.
    pub peak: usize,
    /// Jobs that were refused because the queue was full.
    pub refused: u64,
    /// Its workers, in order.
    pub workers: Vec<WorkerInfo>,
}

/// A worker.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkerInfo {
    /// CPU time that the thread has used, from its own CPU clock (`pthread_getcpuclockid`), which
    /// costs the worker nothing. Zero if the thread has ended.
    pub cpu: Duration,
    /// Whether it is in a run.
    pub busy: bool,
}

pub(crate) fn info(shared: &Shared) -> Info {
    let queues = shared.queues.all();
    let queues = queues.iter().map(|queue| QueueInfo {
        name: queue.name().to_owned(),
        length: queue.len(),
        peak: queue.peak(),
        refused: queue.refused(),
        workers: queue.workers(|worker| WorkerInfo {
            cpu: worker.cpu.read().unwrap_or_default(),
            busy: worker.slot.busy(),
        }),
    });
    let (reap_values, reap_bytes) = shared.reaper.backlog();
    Info {
        queues: queues.collect(),
        running: shared
            .timer
            .slots()
            .iter()
            .filter(|slot| slot.busy())
            .count(),
        waiting_for_session: shared.waiting.load(std::sync::atomic::Ordering::Relaxed),
        builds_waiting: shared.loader.len(),
        reap_values,
        reap_bytes,
        threads: shared.threads.alive(),
        timer_wakes: shared.timer.wakes(),
    }
}
