//! Whether requests for a model come together: then runs that they share serve them better than
//! runs without a hand-off, one after the other.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// A request that comes so few nanoseconds after a run had ended was there before: less than what
/// a reply and the next request of its client take on their way.
const NEAR: u64 = 10_000;
/// Signs in a row before anything changes, the one way or the other.
const SIGNS: u32 = 16;
/// A run that requests shared outweighs a run for one: workers begin with those that come first.
const SHARED: u32 = 2;

/// What is known of how requests come. Threads may tread on each other's signs: they are many.
#[derive(Debug, Default)]
pub(crate) struct Crowd {
    together: AtomicBool,
    signs: AtomicU32,
    /// When the last run without a hand-off had ended.
    ended: AtomicU64,
}

impl Crowd {
    /// Whether requests come together.
    pub(super) fn together(&self) -> bool {
        self.together.load(Ordering::Relaxed)
    }

    /// A worker has run so many requests in one run.
    pub(crate) fn ran(&self, requests: usize) {
        self.saw(if requests > 1 { SHARED } else { 0 });
    }

    /// A run without a hand-off: when it began and when it ended.
    pub(super) fn ran_here(&self, began: u64, ended: u64) {
        let before = self.ended.swap(ended, Ordering::Relaxed);
        let near = before != 0 && began.saturating_sub(before) < NEAR;
        self.saw(u32::from(near));
    }

    /// Counts signs of a crowd; 0: a sign that there is none.
    fn saw(&self, crowd: u32) {
        let signs = self.signs.load(Ordering::Relaxed);
        let signs = match crowd {
            0 => signs.saturating_sub(1),
            more => (signs + more).min(SIGNS),
        };
        self.signs.store(signs, Ordering::Relaxed);
        if signs == 0 || signs == SIGNS {
            self.together.store(signs == SIGNS, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_come_while_others_run_are_a_crowd() {
        let crowd = Crowd::default();
        let mut now = 1_000_000;
        let mut run = |gap: u64| {
            now += gap;
            crowd.ran_here(now, now + 3_000);
            now += 3_000;
        };
        // One client: a way there and back between its runs.
        (0..100).for_each(|_| run(NEAR));
        assert!(!crowd.together());
        // The first of them cannot be told from a lone client.
        (0..SIGNS).for_each(|_| run(NEAR - 1));
        assert!(crowd.together());
    }

    #[test]
    fn lone_runs_of_workers_end_it() {
        let crowd = Crowd::default();
        (0..SIGNS).for_each(|_| crowd.ran(2));
        assert!(crowd.together());
        // One that came first, and the others that came meanwhile.
        for _ in 0..100 {
            crowd.ran(1);
            crowd.ran(7);
            assert!(crowd.together());
        }
        (1..SIGNS).for_each(|_| crowd.ran(1));
        assert!(crowd.together());
        crowd.ran(1);
        assert!(!crowd.together());
    }
}
