//! Counters of a model.

use redisai_core::{BackendError, RunOutput};
use std::sync::atomic::{AtomicU64, Ordering};

/// What `AI.INFO` counts for a key, since the object was made or last reset.
#[derive(Debug, Default)]
pub struct Stats {
    duration_us: AtomicU64,
    samples: AtomicU64,
    calls: AtomicU64,
    errors: AtomicU64,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatsView {
    /// Microseconds inside the backend, of runs that succeeded; waiting does not count.
    pub duration_us: u64,
    /// Dimension 0 of the first output, summed over runs that succeeded.
    pub samples: u64,
    /// Runs.
    pub calls: u64,
    /// Runs that failed.
    pub errors: u64,
}

impl Stats {
    /// The counters now.
    pub fn view(&self) -> StatsView {
        StatsView {
            duration_us: self.duration_us.load(Ordering::Relaxed),
            samples: self.samples.load(Ordering::Relaxed),
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }

    /// Back to zero (`RESETSTAT`).
    pub fn reset(&self) {
        for counter in [&self.duration_us, &self.samples, &self.calls, &self.errors] {
            counter.store(0, Ordering::Relaxed);
        }
    }

    /// Counts a run.
    pub(crate) fn record(&self, result: &Result<RunOutput, BackendError>, micros: u64) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        match result {
            Ok(outputs) => {
                self.duration_us.fetch_add(micros, Ordering::Relaxed);
                self.samples.fetch_add(samples(outputs), Ordering::Relaxed);
            }
            Err(_) => {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Dimension 0 of the first output; 0 for a scalar or where there is no tensor.
fn samples(outputs: &RunOutput) -> u64 {
    let first = outputs.first().and_then(Option::as_ref);
    let rows = first.and_then(|tensor| tensor.shape().dims().first().copied());
    rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
}
