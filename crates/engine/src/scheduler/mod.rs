//! Queues, and every thread of the engine. Only files of this folder start threads or block.

mod deadlines;
mod gate;
mod loader;
mod queue;
mod reaper;
mod slot;
mod threads;
mod timer;
mod worker;

pub(crate) use loader::Loader;
pub(crate) use reaper::Reaper;
pub(crate) use slot::{Fate, NEVER, Slot};
pub(crate) use threads::Threads;
pub(crate) use timer::Timer;

use crate::EngineError;
use crate::job::Job;
use crate::session::Permit;
use crate::shared::{Shared, lock};
use gate::{Gate, Refusal};
use queue::Waiting;
use redisai_core::{Device, LogLevel};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use worker::{Worker, Workers};

/// A job in line, with the permit that it got while it was parked.
pub(crate) struct Entry {
    pub(crate) job: Arc<Job>,
    pub(crate) permit: Option<Permit>,
}

impl Waiting for Entry {
    fn pending(&self) -> bool {
        self.job.ticket.pending()
    }
}

/// The line of one device, and its workers.
pub(crate) struct DeviceQueue {
    name: String,
    gate: Gate<Entry>,
    limit: usize,
    /// About how many jobs have ended while they stood in line, since the last walk: whether a
    /// walk is worth it.
    ended: AtomicUsize,
    workers: Mutex<Workers>,
}

impl DeviceQueue {
    /// Its name on the wire.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Jobs that wait. Walks through them.
    pub(crate) fn len(&self) -> usize {
        self.gate.pending()
    }

    /// Puts a job at the end.
    pub(crate) fn push(&self, job: Arc<Job>) -> Result<(), (Arc<Job>, EngineError)> {
        let entry = Entry { job, permit: None };
        let refused = match self.gate.push(entry) {
            Err((entry, Refusal::Full)) if self.make_room(&entry.job.model.shared) => {
                self.gate.push(entry)
            }
            other => other,
        };
        refused.map_err(|(entry, refusal)| (entry.job, self.error(refusal)))
    }

    /// Puts a parked job at the head.
    pub(crate) fn put_back(&self, entry: Entry) -> Result<(), Entry> {
        self.gate.put_back(entry)
    }

    /// Counts a job that was taken and is parked.
    pub(crate) fn add_outside(&self) {
        self.gate.add_outside();
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
        for entry in self.gate.take_ended() {
            drop(entry.permit);
            crate::job::retire(shared, entry.job);
        }
        true
    }

    fn error(&self, refusal: Refusal) -> EngineError {
        match refusal {
            Refusal::Full => EngineError::QueueFull {
                device: self.name.clone(),
            },
            Refusal::Closed => EngineError::ShutDown,
        }
    }

    /// What `look` makes of each worker.
    pub(crate) fn workers<T>(&self, look: impl FnMut(&Worker) -> T) -> Vec<T> {
        lock(&self.workers).list.iter().map(look).collect()
    }

    fn close(&self) {
        for entry in self.gate.close() {
            entry.job.fail(EngineError::ShutDown.into());
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
        let queue = Arc::new(DeviceQueue {
            gate: Gate::new(shared.config.queue_limit),
            limit: shared.config.queue_limit,
            ended: AtomicUsize::new(0),
            workers: Mutex::default(),
            name: name.clone(),
        });
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
