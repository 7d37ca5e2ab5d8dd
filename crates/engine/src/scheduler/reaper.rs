//! The thread that frees.

use super::Threads;
use crate::shared::{lock, wait};
use crate::sync::guarded;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

/// Drops values on a thread of its own, in the order they came.
pub(crate) struct Reaper {
    inner: Mutex<Inner>,
    arrived: Condvar,
    limit_values: usize,
    limit_bytes: usize,
    threads: Arc<Threads>,
}

#[derive(Default)]
struct Inner {
    values: VecDeque<(Box<dyn Send>, usize)>,
    bytes: usize,
    started: bool,
    closed: bool,
}

impl Reaper {
    pub(crate) fn new(limit_values: usize, limit_bytes: usize, threads: Arc<Threads>) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            arrived: Condvar::new(),
            limit_values,
            limit_bytes,
            threads,
        })
    }

    /// Takes a value of about `bytes` bytes; gives it back if the backlog is full.
    pub(crate) fn offer(
        self: &Arc<Self>,
        value: Box<dyn Send>,
        bytes: usize,
    ) -> Result<(), Box<dyn Send>> {
        let inner = lock(&self.inner);
        let full = inner.values.len() >= self.limit_values
            || inner.bytes.saturating_add(bytes) > self.limit_bytes;
        drop(inner);
        if full {
            return Err(value);
        }
        self.put(value, bytes);
        Ok(())
    }

    /// Takes a value whatever the backlog: one that must not be dropped where it is.
    pub(crate) fn push(self: &Arc<Self>, value: Box<dyn Send>) {
        self.put(value, 0);
    }

    /// Values that wait, and their bytes as they were offered.
    pub(crate) fn backlog(&self) -> (usize, usize) {
        let inner = lock(&self.inner);
        (inner.values.len(), inner.bytes)
    }

    fn put(self: &Arc<Self>, value: Box<dyn Send>, bytes: usize) {
        let mut inner = lock(&self.inner);
        let ready = !inner.closed && (inner.started || self.start());
        if !ready {
            // After the shutdown, or where no thread can be made: the caller pays.
            drop(inner);
            guarded(|| drop(value));
            return;
        }
        inner.started = true;
        inner.bytes = inner.bytes.saturating_add(bytes);
        inner.values.push_back((value, bytes));
        let first = inner.values.len() == 1;
        drop(inner);
        if first {
            self.arrived.notify_one();
        }
    }

    fn start(self: &Arc<Self>) -> bool {
        let reaper = Arc::clone(self);
        let started = self
            .threads
            .start("ai-reaper".to_owned(), move || reaper.work());
        started.is_ok()
    }

    fn work(&self) {
        let mut inner = lock(&self.inner);
        loop {
            if let Some((value, bytes)) = inner.values.pop_front() {
                drop(inner);
                guarded(|| drop(value));
                inner = lock(&self.inner);
                // Counted until it is freed.
                inner.bytes = inner.bytes.saturating_sub(bytes);
            } else if inner.closed {
                return;
            } else {
                inner = wait(&self.arrived, inner);
            }
        }
    }

    /// Frees what waits, then ends.
    pub(crate) fn close(&self) {
        lock(&self.inner).closed = true;
        self.arrived.notify_all();
    }
}
