//! What all parts of an engine share.

use crate::registry::Registry;
use crate::scheduler::{Loader, Queues, Reaper, Threads, Timer};
use crate::{Clock, Config};
use redisai_core::LogLevel;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The inside of an engine.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    pub(crate) queues: Queues,
    pub(crate) loader: Loader,
    pub(crate) timer: Timer,
    pub(crate) reaper: Arc<Reaper>,
    pub(crate) threads: Arc<Threads>,
    /// Jobs that wait for their model's session.
    pub(crate) waiting: AtomicUsize,
}

impl Shared {
    /// A deadline from now, for [`crate::job::Job::deadline`].
    pub(crate) fn deadline(&self, timeout: Option<Duration>) -> u64 {
        timeout.map_or(0, |timeout| {
            let nanos = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
            // The last value means "never" to the timer.
            self.clock
                .now()
                .saturating_add(nanos)
                .clamp(1, u64::MAX - 1)
        })
    }

    /// Writes a log line.
    pub(crate) fn log(&self, level: LogLevel, text: &str) {
        crate::sync::guarded(|| (self.config.log)(level, text));
    }
}

/// A number for a run. Backends are shared by all engines of the process, so the numbers are too.
pub(crate) fn next_run() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// A lock that loom does not check.
pub(crate) type Guard<'a, T> = MutexGuard<'a, T>;

/// As [`crate::sync::lock`].
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> Guard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As [`crate::sync::wait`].
pub(crate) fn wait<'a, T>(condvar: &Condvar, guard: Guard<'a, T>) -> Guard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
