//! Counters of a model.

use crate::shared::lock;
use hdrhistogram::Histogram;
use redisai_core::{BackendError, RunOutput};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

/// Sizes of runs are told apart by powers of two; the last holds all that is larger.
const SIZES: usize = 17;
/// Times from this many nanoseconds on are told apart, up to
const SHORTEST: u64 = 64;
/// this many: an hour.
const LONGEST: u64 = 3_600_000_000_000;

/// What `AI.INFO` counts for a key, since the object was made or last reset.
#[derive(Debug, Default)]
pub struct Stats {
    duration_us: AtomicU64,
    samples: AtomicU64,
    calls: AtomicU64,
    errors: AtomicU64,
    late: AtomicU64,
    /// Made at the first run.
    runs: OnceLock<Mutex<Runs>>,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatsView {
    /// Microseconds inside the backend, of runs that succeeded; waiting does not count. All members
    /// of a batch count its whole time.
    pub duration_us: u64,
    /// Dimension 0 of the first output, summed over runs that succeeded.
    pub samples: u64,
    /// Runs; each member of a batch counts.
    pub calls: u64,
    /// Runs that failed.
    pub errors: u64,
}

/// More of the same, in detail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunStats {
    /// Results that came after their client's deadline and were dropped.
    pub late: u64,
    /// Runs of the framework that served more than one request.
    pub batches: u64,
    /// Runs by rows, for a model with `BATCHSIZE`: the smallest number of rows of a size (1, 2, 4,
    /// 8, …), and how many there were. Sizes without runs are left out.
    pub batch_sizes: Vec<(u64, u64)>,
    /// From the request to the begin of its run, in nanoseconds.
    pub queued: Percentiles,
    /// Inside the backend, in nanoseconds, failed runs too.
    pub ran: Percentiles,
}

/// Of times, in nanoseconds, each within 7 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentiles {
    /// How many there were.
    pub count: u64,
    /// The median.
    pub p50: u64,
    /// 90 %.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    pub p999: u64,
    /// The longest.
    pub max: u64,
}

#[derive(Debug)]
struct Runs {
    queued: Histogram<u32>,
    ran: Histogram<u32>,
    batches: u64,
    sizes: [u64; SIZES],
}

impl Stats {
    /// The counters now.
    pub fn view(&self) -> StatsView {
        // First: a view holds what belongs to each run that it counts.
        let calls = self.calls.load(Ordering::Acquire);
        StatsView {
            duration_us: self.duration_us.load(Ordering::Relaxed),
            samples: self.samples.load(Ordering::Relaxed),
            calls,
            errors: self.errors.load(Ordering::Relaxed),
        }
    }

    /// Batches and times. Takes a lock for a moment, so no forked child may call it.
    pub fn runs(&self) -> RunStats {
        let late = self.late.load(Ordering::Relaxed);
        let Some(runs) = self.runs.get() else {
            return RunStats {
                late,
                ..RunStats::default()
            };
        };
        let runs = lock(runs);
        let sizes = runs.sizes.iter().enumerate();
        RunStats {
            late,
            batches: runs.batches,
            batch_sizes: sizes
                .filter(|&(_, &count)| count > 0)
                .map(|(size, &count)| (1 << size, count))
                .collect(),
            queued: percentiles(&runs.queued),
            ran: percentiles(&runs.ran),
        }
    }

    /// Back to zero (`RESETSTAT`).
    pub fn reset(&self) {
        for counter in [
            &self.duration_us,
            &self.samples,
            &self.calls,
            &self.errors,
            &self.late,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        if let Some(runs) = self.runs.get() {
            let mut runs = lock(runs);
            runs.queued.reset();
            runs.ran.reset();
            runs.batches = 0;
            runs.sizes = [0; SIZES];
        }
    }

    /// Bytes kept besides the value itself.
    pub(crate) fn held(&self) -> usize {
        // Both histograms are of one size, and no run changes it.
        self.runs.get().map_or(0, |_| 2 * counters())
    }

    /// Counts a run. `times`: nanoseconds that the request waited, and that the run took; none
    /// where nobody knows.
    pub(crate) fn record(
        &self,
        result: &Result<RunOutput, BackendError>,
        times: Option<(u64, u64)>,
    ) {
        match result {
            Ok(outputs) => {
                let micros = times.map_or(0, |(_, ran)| ran / 1_000);
                self.duration_us.fetch_add(micros, Ordering::Relaxed);
                self.samples.fetch_add(samples(outputs), Ordering::Relaxed);
            }
            Err(_) => {
                self.errors.fetch_add(1, Ordering::Relaxed);
            }
        }
        if let Some((queued, ran)) = times {
            let mut runs = lock(self.runs.get_or_init(Mutex::default));
            runs.queued.saturating_record(queued);
            runs.ran.saturating_record(ran);
        }
        // Last: see `view`.
        self.calls.fetch_add(1, Ordering::Release);
    }

    /// Counts a run of the framework for so many rows of so many requests.
    pub(crate) fn record_rows(&self, rows: u64, requests: usize) {
        let mut runs = lock(self.runs.get_or_init(Mutex::default));
        runs.batches += u64::from(requests > 1);
        let size = (rows.max(1).ilog2() as usize).min(SIZES - 1);
        if let Some(count) = runs.sizes.get_mut(size) {
            *count += 1;
        }
    }

    /// Counts a result that came too late.
    pub(crate) fn record_late(&self) {
        self.late.fetch_add(1, Ordering::Relaxed);
    }
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            queued: histogram(),
            ran: histogram(),
            batches: 0,
            sizes: [0; SIZES],
        }
    }
}

/// One significant digit: a few KiB, and a record costs some nanoseconds.
fn histogram() -> Histogram<u32> {
    // The bounds are right for the crate, so its own default is never taken.
    Histogram::new_with_bounds(SHORTEST, LONGEST, 1)
        .or_else(|_| Histogram::new(1))
        .unwrap_or_else(|_| unreachable!("one significant digit is allowed"))
}

fn counters() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| histogram().distinct_values() * size_of::<u32>())
}

fn percentiles(times: &Histogram<u32>) -> Percentiles {
    if times.is_empty() {
        return Percentiles::default();
    }
    Percentiles {
        count: times.len(),
        p50: times.value_at_quantile(0.5),
        p90: times.value_at_quantile(0.9),
        p99: times.value_at_quantile(0.99),
        p999: times.value_at_quantile(0.999),
        max: times.max(),
    }
}

/// Dimension 0 of the first output; 0 for a scalar or where there is no tensor.
fn samples(outputs: &RunOutput) -> u64 {
    let first = outputs.first().and_then(Option::as_ref);
    let rows = first.and_then(|tensor| tensor.shape().dims().first().copied());
    rows.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
}
