//! Queues, and every thread of the engine. Only files of this folder start threads or block.

mod deadlines;
mod decide;
mod gate;
mod group;
mod halves;
mod learn;
mod line;
mod loader;
mod members;
mod permits;
mod queue;
mod reaper;
mod rows;
mod slot;
mod threads;
mod timer;
mod worker;

pub(crate) use loader::Loader;
pub(crate) use reaper::Reaper;
pub(crate) use slot::{Fate, Jobs, Slot};
pub(crate) use threads::Threads;
pub(crate) use timer::Timer;

use crate::job::Job;
use crate::shared::{Shared, lock};
use crate::{Clock, EngineError};
pub(crate) use decide::{NEVER, Policy};
use gate::{Gate, Refusal};
pub(crate) use learn::Ran;
pub(crate) use queue::LineId;
use queue::Waiting;
use redisai_core::{Device, LogLevel};
pub(crate) use rows::{class_of, rows_of};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use worker::{Worker, Workers};

impl Waiting for Arc<Job> {
    fn pending(&self) -> bool {
        self.ticket.pending()
    }

    fn rows(&self) -> u64 {
        self.rows
    }

    fn class(&self) -> u64 {
        self.class
    }

    fn since(&self) -> u64 {
        self.since
    }

    fn deadline(&self) -> u64 {
        if self.deadline == 0 {
            NEVER
        } else {
            self.deadline
        }
    }
}

/// The lines of one device, and its workers.
pub(crate) struct DeviceQueue {
    name: String,
    gate: Gate<Arc<Job>>,
    limit: usize,
    /// About how many jobs have ended while they stood in line, since the last walk: whether a
    /// walk is worth it.
    ended: AtomicUsize,
    refused: AtomicU64,
    workers: Mutex<Workers>,
}

impl DeviceQueue {
    fn new(name: String, limit: usize, clock: &Arc<dyn Clock>) -> Arc<Self> {
        let queue = Arc::new(Self {
            name,
            gate: Gate::new(limit, Arc::clone(clock)),
            limit,
            ended: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            workers: Mutex::default(),
        });
        let weak: Weak<Self> = Arc::downgrade(&queue);
        let by_hand = clock.on_move(Box::new(move || {
            if let Some(queue) = weak.upgrade() {
                queue.gate.poke();
            }
        }));
        if by_hand {
            queue.gate.drive_by_hand();
        }
        queue
    }

    /// Its name on the wire.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Jobs that wait. Walks through them.
    pub(crate) fn len(&self) -> usize {
        self.gate.pending()
    }

    /// Whether nothing stands in line.
    pub(crate) fn is_empty(&self) -> bool {
        self.gate.lengths().0 == 0
    }

    /// The most jobs that ever stood in line.
    pub(crate) fn peak(&self) -> usize {
        self.gate.lengths().1
    }

    /// Jobs that were refused because it was full.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Where lines are made and permits are had.
    pub(crate) fn gate(&self) -> &Gate<Arc<Job>> {
        &self.gate
    }

    /// Puts a job at the end of its model's line.
    pub(crate) fn push(&self, job: Arc<Job>) -> Result<(), (Arc<Job>, EngineError)> {
        let line = job.model.line();
        let refused = match self.gate.push(line, job) {
            Err((job, Refusal::Full)) if self.make_room(&job.model.shared) => {
                self.gate.push(line, job)
            }
            other => other,
        };
        refused.map_err(|(job, refusal)| (job, self.error(refusal)))
    }

    /// A job in line has ended.
    pub(crate) fn note_ended(&self) {
        self.ended.fetch_add(1, Ordering::Relaxed);
    }

    /// Drops jobs that have ended, if there are enough to make the walk worth it.
    fn make_room(&self, shared: &Shared) -> bool {
        let enough = (self.limit / 64).max(1);
        if self.ended.load(Ordering::Relaxed) < enough {
            return false;
        }
        self.ended.store(0, Ordering::Relaxed);
        for job in self.gate.take_ended() {
            crate::job::retire(shared, job);
        }
        true
    }

    fn error(&self, refusal: Refusal) -> EngineError {
        match refusal {
            Refusal::Full => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                EngineError::QueueFull {
                    device: self.name.clone(),
                }
            }
            Refusal::Closed => EngineError::ShutDown,
        }
    }

    /// What `look` makes of each worker.
    pub(crate) fn workers<T>(&self, look: impl FnMut(&Worker) -> T) -> Vec<T> {
        lock(&self.workers).list.iter().map(look).collect()
    }

    fn close(&self) {
        for job in self.gate.close() {
            job.fail(EngineError::ShutDown.into());
        }
        // Their slots know the queue: a circle.
        lock(&self.workers).list.clear();
    }
}

/// All queues, by name. One lives as long as the engine.
#[derive(Default)]
pub(crate) struct Queues {
    inner: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    by_name: BTreeMap<String, Arc<DeviceQueue>>,
    closed: bool,
}

impl Queues {
    /// The queue of a device; makes it and its workers if it is not there.
    pub(crate) fn open(
        &self,
        shared: &Arc<Shared>,
        device: &Device,
    ) -> Result<Arc<DeviceQueue>, EngineError> {
        let name = device.queue();
        let mut lines = lock(&self.inner);
        if let Some(queue) = lines.by_name.get(&name) {
            return Ok(Arc::clone(queue));
        }
        if lines.closed {
            return Err(EngineError::ShutDown);
        }
        if lines.by_name.len() >= shared.config.max_queues {
            return Err(EngineError::TooManyQueues);
        }
        let queue = DeviceQueue::new(name.clone(), shared.config.queue_limit, &shared.clock);
        let started = shared
            .timer
            .start(shared)
            .and_then(|()| worker::start_all(shared, &queue));
        if let Err(error) = started {
            drop(lines);
            queue.close();
            let text = format!("Could not start the threads of queue {name}: {error}");
            shared.log(LogLevel::Warning, &text);
            return Err(EngineError::TooManyQueues);
        }
        lines.by_name.insert(name, Arc::clone(&queue));
        Ok(queue)
    }

    /// All of them, by name.
    pub(crate) fn all(&self) -> Vec<Arc<DeviceQueue>> {
        lock(&self.inner).by_name.values().cloned().collect()
    }

    /// Takes nothing more; what waits ends with an error.
    pub(crate) fn close(&self) {
        let mut lines = lock(&self.inner);
        lines.closed = true;
        let all: Vec<_> = lines.by_name.values().cloned().collect();
        drop(lines);
        for queue in all {
            queue.close();
        }
    }
}
