//! Deadlines of jobs, the next one first: pure data.

use super::NEVER;
use crate::job::Job;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::{Arc, Weak};

/// The heap is looked through for ended jobs when it has grown to this, or to twice what was left
/// the last time.
const PURGE_AT: usize = 1024;

/// A heap of deadlines, bounded by the jobs that are alive.
#[derive(Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<Deadline>>,
    purge_at: usize,
    pushed: u64,
}

/// A job's deadline. `Weak`, so that a job that has ended keeps neither its model nor its inputs
/// until the time that it was given.
struct Deadline {
    at: u64,
    order: u64,
    job: Weak<Job>,
}

impl PartialEq for Deadline {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Deadline {}

impl PartialOrd for Deadline {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Deadline {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl Deadlines {
    /// Adds a job's deadline.
    pub(crate) fn push(&mut self, job: &Arc<Job>) {
        self.pushed += 1;
        self.heap.push(Reverse(Deadline {
            at: job.deadline,
            order: self.pushed,
            job: Arc::downgrade(job),
        }));
        if self.heap.len() > self.purge_at.max(PURGE_AT) {
            // No upgrade: its drop could be the job's last.
            self.heap
                .retain(|Reverse(deadline)| deadline.job.strong_count() > 0);
            self.purge_at = self.heap.len() * 2;
        }
    }

    /// The first; [`NEVER`]: none.
    pub(crate) fn first(&self) -> u64 {
        self.heap.peek().map_or(NEVER, |Reverse(first)| first.at)
    }

    /// Takes out the jobs whose time has come. Those in front that are gone go too: there is no
    /// waking up for them.
    pub(crate) fn take_due(&mut self, now: u64) -> Vec<Weak<Job>> {
        let mut due = Vec::new();
        while self
            .heap
            .peek()
            .is_some_and(|Reverse(first)| first.at <= now || first.job.strong_count() == 0)
        {
            let job = self.heap.pop().map(|Reverse(first)| first.job);
            due.extend(job.filter(|job| job.strong_count() > 0));
        }
        due
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::tests::{Rig, request};

    #[test]
    fn those_that_are_gone_do_not_pile_up() {
        let rig = Rig::new();
        let model = rig.unbuilt("echo");
        let job = |at| Arc::new(Job::new(request(&model), at, Box::new(|_, _| ())));
        let mut deadlines = Deadlines::default();
        // The first stays, so that none behind it comes to the front.
        let first = job(1);
        deadlines.push(&first);
        for at in 2..10_000 {
            deadlines.push(&job(at));
            assert!(deadlines.heap.len() <= PURGE_AT + 1);
        }
        // Those that are alive are kept, however many.
        let alive: Vec<_> = (0..5_000).map(|_| job(7)).collect();
        for job in &alive {
            deadlines.push(job);
        }
        assert_eq!(deadlines.take_due(10_000).len(), 5_001);
    }

    #[test]
    fn they_come_in_order_and_without_those_that_are_gone() {
        let rig = Rig::new();
        let model = rig.unbuilt("echo");
        let job = |at| Arc::new(Job::new(request(&model), at, Box::new(|_, _| ())));
        let mut deadlines = Deadlines::default();
        assert_eq!(deadlines.first(), NEVER);
        let jobs = [50, 20, 40, 20, 30].map(job);
        for job in &jobs {
            deadlines.push(job);
        }
        assert_eq!(deadlines.first(), 20);
        assert!(deadlines.take_due(19).is_empty());
        let [fifty, twenty, forty, second, thirty] = jobs;
        // Of equal ones the first that came; the time itself counts as passed.
        let due: Vec<_> = deadlines.take_due(20).iter().map(Weak::as_ptr).collect();
        assert_eq!(due, [Arc::as_ptr(&twenty), Arc::as_ptr(&second)]);
        // Nobody waits for thirty any more: the next to wake up for is forty.
        drop(thirty);
        assert!(deadlines.take_due(21).is_empty());
        assert_eq!(deadlines.first(), 40);
        drop(forty);
        assert_eq!(deadlines.take_due(50).len(), 1);
        assert_eq!((deadlines.first(), fifty.deadline), (NEVER, 50));
    }
}
