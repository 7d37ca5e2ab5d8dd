//! The right to run a model, where its backend limits the runs of one model at one time: pure data.

/// Permits of one model. Jobs that wait in its line and threads that run it on their own take turns.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Permits {
    /// Runs at one time; 0: any number, and nothing is counted.
    most: usize,
    used: usize,
    /// Threads that wait for a permit,
    callers: usize,
    /// and permits that are theirs already.
    granted: usize,
    /// Whether the last permit went to a job.
    job_had_it: bool,
}

impl Permits {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            most,
            ..Self::default()
        }
    }

    /// Whether a job could have one.
    pub(crate) fn free(&self) -> bool {
        self.most == 0 || self.used < self.most
    }

    /// One for a job: whether it has to be given back. `None`: there is none.
    pub(crate) fn take(&mut self) -> Option<bool> {
        if self.most == 0 {
            return Some(false);
        }
        if self.used >= self.most {
            return None;
        }
        self.used += 1;
        Some(true)
    }

    /// A job runs with the permit that was taken for it.
    pub(crate) fn job_runs(&mut self) {
        self.job_had_it = true;
    }

    /// One comes back.
    pub(crate) fn give_back(&mut self) {
        self.used = self.used.saturating_sub(1);
    }

    /// One for a thread, at once or not at all.
    pub(crate) fn enter_now(&mut self) -> bool {
        let now = self.free() && self.callers == self.granted;
        if now {
            self.used += 1;
            self.job_had_it = false;
        }
        now
    }

    /// A thread begins to wait.
    pub(crate) fn wait(&mut self) {
        self.callers += 1;
    }

    /// Gives what is free to threads that wait; how many got one. It is a job's turn only where one
    /// waits and a worker is there for it: a permit must not lie idle.
    pub(crate) fn grant(&mut self, job_waits: bool, worker_free: bool) -> usize {
        let before = self.granted;
        while self.callers > self.granted
            && self.used < self.most
            && (self.job_had_it || !job_waits || !worker_free)
        {
            self.used += 1;
            self.granted += 1;
            self.job_had_it = false;
        }
        self.granted - before
    }

    /// A thread that waits takes what was granted.
    pub(crate) fn collect(&mut self) -> bool {
        let granted = self.granted > 0;
        if granted {
            self.granted -= 1;
            self.callers -= 1;
        }
        granted
    }

    /// A thread that nothing was granted to waits no longer.
    pub(crate) fn give_up(&mut self) {
        self.callers -= 1;
    }

    /// Whether a thread waits that nothing was granted to.
    pub(crate) fn wanted(&self) -> bool {
        self.callers > self.granted
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn jobs_and_threads_take_turns() {
        let mut permits = Permits::new(1);
        assert!(permits.enter_now());
        for _ in 0..2 {
            assert!(!permits.enter_now());
            permits.wait();
        }
        let mut jobs = 3;
        let turns: Vec<_> = (0..6)
            .map(|_| {
                permits.give_back();
                if permits.grant(jobs > 0, true) == 1 {
                    assert!(permits.collect());
                    "thread"
                } else if jobs > 0 && permits.take() == Some(true) {
                    permits.job_runs();
                    jobs -= 1;
                    "job"
                } else {
                    "nobody"
                }
            })
            .collect();
        assert_eq!(turns, ["job", "thread", "job", "thread", "job", "nobody"]);
        assert!(!permits.collect() && !permits.wanted() && permits.free());
    }

    #[test]
    fn a_permit_does_not_wait_for_a_worker() {
        let mut permits = Permits::new(1);
        assert!(permits.enter_now());
        permits.wait();
        permits.give_back();
        assert_eq!(permits.grant(true, true), 0);
        assert_eq!(permits.grant(true, false), 1);
        // There was but one.
        permits.wait();
        assert_eq!((permits.grant(false, false), permits.take()), (0, None));
    }
}
