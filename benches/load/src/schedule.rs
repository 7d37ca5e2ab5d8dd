//! Arrival times of an open loop.

use std::time::{Duration, Instant};

/// A Poisson process: gaps are exponential and independent.
pub(crate) struct Poisson {
    next: Instant,
    mean: f64,
    state: u64,
}

impl Poisson {
    /// So many arrivals a second on average, from `start` on.
    pub(crate) fn new(start: Instant, rate: f64, seed: u64) -> Self {
        let mut process = Self {
            next: start,
            mean: 1.0 / rate,
            state: seed,
        };
        process.advance();
        process
    }

    /// The next arrival.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Goes on to the arrival after it.
    pub(crate) fn advance(&mut self) {
        let gap = -self.uniform().ln() * self.mean;
        self.next += Duration::from_secs_f64(gap);
    }

    /// In (0, 1]; the generator is SplitMix64.
    fn uniform(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
        ((bits >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of an exponential distribution: 1/rate and 1/rate².
    #[test]
    fn gaps_are_exponential() {
        let start = Instant::now();
        let mut process = Poisson::new(start, 100.0, 7);
        let (mut last, mut gaps) = (start, Vec::new());
        for _ in 0..100_000 {
            gaps.push((process.next() - last).as_secs_f64());
            last = process.next();
            process.advance();
        }
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean / 0.01 - 1.0).abs() < 0.02, "{mean}");
        assert!((variance / 0.0001 - 1.0).abs() < 0.05, "{variance}");
    }
}
