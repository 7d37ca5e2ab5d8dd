//! Jobs in line: pure data, no lock, no time.

use std::collections::VecDeque;

/// Something that waits in a queue.
pub(crate) trait Waiting {
    /// Whether somebody still waits for it.
    fn pending(&self) -> bool;
}

/// First come, first served, and bounded.
///
/// A job that ends while it waits (deadline, client gone) stays in its place, emptied, until it is
/// taken, or until room is needed: ending is then free of this queue's lock.
pub(crate) struct Queue<T> {
    items: VecDeque<T>,
    limit: usize,
    /// Jobs that count here but wait elsewhere, for a permit.
    outside: usize,
}

impl<T: Waiting> Queue<T> {
    /// An empty queue for `limit` jobs.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            items: VecDeque::new(),
            limit,
            outside: 0,
        }
    }

    /// Jobs that wait, those that have ended but stand in line included.
    pub(crate) fn len(&self) -> usize {
        self.items.len() + self.outside
    }

    /// Jobs that wait and have not ended. Walks through them.
    pub(crate) fn pending(&self) -> usize {
        self.items.iter().filter(|item| item.pending()).count() + self.outside
    }

    /// Whether no more are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// Puts a job at the end; gives it back when full.
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Puts a job that was taken too early back where it was.
    pub(crate) fn put_back(&mut self, item: T) {
        self.items.push_front(item);
    }

    /// The next job, ended or not.
    pub(crate) fn next(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Takes out those that have ended; order is kept.
    pub(crate) fn take_ended(&mut self) -> Vec<T> {
        let (kept, ended) = std::mem::take(&mut self.items)
            .into_iter()
            .partition(Waiting::pending);
        self.items = kept;
        let ended: VecDeque<T> = ended;
        ended.into()
    }

    /// Takes out all.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        std::mem::take(&mut self.items).into()
    }

    /// Counts jobs that wait elsewhere.
    pub(crate) fn add_outside(&mut self, change: isize) {
        self.outside = self.outside.saturating_add_signed(change);
    }
}
