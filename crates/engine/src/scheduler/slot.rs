//! Which run a thread is at, and how long it may be.

use super::{DeviceQueue, NEVER};
use crate::job::Job;
use crate::shared::lock;
use redisai_core::Backend;
use smallvec::SmallVec;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Jobs of a run.
pub(crate) type Jobs = SmallVec<[Arc<Job>; 1]>;

/// What the timer looks at: one for each worker, and for each thread that runs on its own.
pub(crate) struct Slot {
    /// When the timer must look; [`NEVER`]: not.
    until: AtomicU64,
    inner: Mutex<Inner>,
    /// The worker's queue and its place there; none for a thread that is no worker.
    pub(crate) owner: Option<(Arc<DeviceQueue>, usize)>,
}

#[derive(Default)]
struct Inner {
    run: u64,
    /// Those that the run serves come first.
    jobs: Jobs,
    serves: usize,
    backend: Option<Arc<dyn Backend>>,
    told: bool,
    fate: Fate,
}

/// Whether a run kept its client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fate {
    /// All is well.
    #[default]
    Kept,
    /// It took too long: its client was answered without it, and its worker may have been replaced.
    Overrun,
}

/// What is due.
pub(crate) enum Due {
    /// The run must be told to stop.
    Cancel(Arc<dyn Backend>, u64),
    /// It was told and goes on: its clients get an error, its worker is replaced.
    Overrun(Jobs),
}

impl Slot {
    pub(crate) fn new(owner: Option<(Arc<DeviceQueue>, usize)>) -> Arc<Self> {
        Arc::new(Self {
            until: AtomicU64::new(NEVER),
            inner: Mutex::default(),
            owner,
        })
    }

    /// A run begins.
    pub(crate) fn begin(
        &self,
        run: u64,
        jobs: Jobs,
        serves: usize,
        backend: &Arc<dyn Backend>,
        until: u64,
    ) {
        let mut inner = lock(&self.inner);
        *inner = Inner {
            run,
            jobs,
            serves,
            backend: Some(Arc::clone(backend)),
            told: false,
            fate: Fate::Kept,
        };
        // Read by the timer after it has said when it will wake: see `Timer::arm`.
        self.until.store(until, Ordering::SeqCst);
    }

    /// The run has ended.
    pub(crate) fn end(&self) -> Fate {
        let mut inner = lock(&self.inner);
        self.until.store(NEVER, Ordering::SeqCst);
        std::mem::take(&mut *inner).fate
    }

    /// When the timer must look.
    pub(crate) fn until(&self) -> u64 {
        self.until.load(Ordering::SeqCst)
    }

    /// Whether a run is in progress.
    pub(crate) fn busy(&self) -> bool {
        lock(&self.inner).run != 0
    }

    /// What is due at `now`. A run that is told to stop has `grace` nanoseconds.
    pub(crate) fn due(&self, now: u64, grace: u64) -> Option<Due> {
        if self.until() > now {
            return None;
        }
        let mut inner = lock(&self.inner);
        // The run may have ended, and another begun, since the look without the lock.
        if self.until() > now {
            return None;
        }
        if !inner.told {
            inner.told = true;
            self.until
                .store(now.saturating_add(grace), Ordering::SeqCst);
            let backend = inner.backend.clone()?;
            return Some(Due::Cancel(backend, inner.run));
        }
        self.until.store(NEVER, Ordering::SeqCst);
        // Nobody waits for a run on a caller's own thread but that thread.
        if inner.jobs.is_empty() {
            return None;
        }
        inner.fate = Fate::Overrun;
        Some(Due::Overrun(std::mem::take(&mut inner.jobs)))
    }

    /// The run that serves this job, if all that it serves have expired: nobody waits for it any
    /// more.
    pub(crate) fn in_vain(&self, job: &Arc<Job>) -> Option<(Arc<dyn Backend>, u64)> {
        let inner = lock(&self.inner);
        let served = inner.jobs.get(..inner.serves)?;
        let in_vain = served.iter().any(|other| Arc::ptr_eq(other, job))
            && served.iter().all(|job| job.ticket.expired());
        in_vain.then(|| Some((inner.backend.clone()?, inner.run)))?
    }

    /// Whether the thread is in a run that has lost its client.
    pub(crate) fn is_overrun(&self) -> bool {
        lock(&self.inner).fate == Fate::Overrun
    }

    /// The run in progress, to stop it at a shutdown.
    pub(crate) fn current(&self) -> Option<(Arc<dyn Backend>, u64)> {
        let inner = lock(&self.inner);
        Some((inner.backend.clone()?, inner.run))
    }
}
