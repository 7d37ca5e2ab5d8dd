//! Counts and latencies of the requests that ended.

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::time::Instant;

/// What was measured.
pub(crate) struct Measured {
    begin: Instant,
    end: Instant,
    open_loop: bool,
    /// From when on rates are counted: the last end of a request in the warm-up. Replies of a batch
    /// come all at once, so a count from a burst's beginning to another's end would have one too many.
    from: Option<Instant>,
    last: Option<Instant>,
    /// Everything that ended, in the warm-up too.
    all: u64,
    /// Nanoseconds.
    latencies: Histogram<u64>,
}

impl Measured {
    /// Measures what ends between two times, or in an open loop what was due from the first on.
    pub(crate) fn new(begin: Instant, end: Instant, open_loop: bool) -> Self {
        // Three digits from a nanosecond to an hour.
        let latencies = Histogram::new_with_bounds(1, 3_600_000_000_000, 3).expect("good bounds");
        Self {
            begin,
            end,
            open_loop,
            from: None,
            last: None,
            all: 0,
            latencies,
        }
    }

    /// A request that was due at `due` has ended.
    pub(crate) fn ended(&mut self, due: Instant, now: Instant) {
        self.all += 1;
        // An open loop also counts what was due in time and came late: else it would look good by
        // leaving out its worst.
        let counts = if self.open_loop {
            due >= self.begin
        } else {
            now > self.begin && now <= self.end
        };
        if counts {
            self.last = Some(now);
            let nanos = u64::try_from((now - due).as_nanos()).unwrap_or(u64::MAX);
            self.latencies.saturating_record(nanos);
        } else if self.last.is_none() {
            self.from = Some(now);
        }
    }

    /// The report.
    pub(crate) fn report(&self) -> Result<Value, String> {
        let (Some(from), Some(last)) = (self.from, self.last) else {
            return Err("no request ended in the warm-up, or none after it".to_owned());
        };
        let seconds = (last - from).as_secs_f64();
        let micros = |quantile| self.latencies.value_at_quantile(quantile) as f64 / 1e3;
        Ok(json!({
            "requests": self.latencies.len(),
            "all_requests": self.all,
            "seconds": seconds,
            "rate": self.latencies.len() as f64 / seconds,
            "latency_us": {
                "mean": self.latencies.mean() / 1e3,
                "p50": micros(0.5),
                "p90": micros(0.9),
                "p99": micros(0.99),
                "p999": micros(0.999),
                "max": self.latencies.max() as f64 / 1e3,
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    /// Bursts of ten every 300 ms are 33.3 a second, wherever the window begins and ends.
    #[test]
    fn bursts_do_not_raise_the_rate() {
        let start = Instant::now();
        for (begin, end) in [(350, 1250), (590, 1490), (450, 2000)] {
            let mut measured = Measured::new(at(start, begin), at(start, end), false);
            for burst in 1..10 {
                let now = at(start, burst * 300);
                (0..10).for_each(|_| measured.ended(at(start, (burst - 1) * 300), now));
            }
            let report = measured.report().unwrap();
            let rate = report["rate"].as_f64().unwrap();
            assert!(
                (rate - 100.0 / 3.0).abs() < 0.01,
                "{rate} in {begin}..{end}"
            );
            assert_eq!(report["all_requests"], 90);
            let p50 = report["latency_us"]["p50"].as_f64().unwrap();
            assert!((p50 / 300_000.0 - 1.0).abs() < 0.01, "{p50}");
        }
    }

    /// In an open loop what was due in time counts however late it ends, with its whole latency.
    #[test]
    fn late_ones_of_an_open_loop_count() {
        let start = Instant::now();
        let mut measured = Measured::new(at(start, 100), at(start, 200), true);
        measured.ended(at(start, 50), at(start, 90));
        measured.ended(at(start, 150), at(start, 1150));
        let report = measured.report().unwrap();
        assert_eq!(report["requests"], 1);
        assert!(report["latency_us"]["max"].as_f64().unwrap() > 999_000.0);
    }

    #[test]
    fn without_a_request_there_is_no_rate() {
        let start = Instant::now();
        let mut measured = Measured::new(at(start, 100), at(start, 200), false);
        assert!(measured.report().is_err());
        measured.ended(start, at(start, 50));
        assert!(measured.report().is_err());
        measured.ended(start, at(start, 150));
        assert!(measured.report().is_ok());
    }
}
