//! A queue that threads wait at.

use super::decide::{NEVER, Policy};
use super::learn::Ran;
use super::queue::{Items, LineId, Queue, Taken, Waiting};
use crate::sync::{Condvar, Mutex, MutexGuard, lock, wait, wait_for};
use crate::{BatchInfo, Clock};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A [`Queue`] behind a lock and conditions. A push signals only if there is more to do and a worker
/// sleeps that no earlier push has woken already.
///
/// While a line waits for more rows, one of the sleeping workers sleeps until that wait is over; the
/// others until they are signalled.
pub(crate) struct Gate<T> {
    inner: Mutex<Inner<T>>,
    arrived: Condvar,
    /// Threads that wait for a permit.
    granted: Condvar,
    clock: Arc<dyn Clock>,
    /// The clock calls [`Gate::poke`] when it moves: nobody sleeps for a time.
    by_hand: AtomicBool,
}

struct Inner<T> {
    queue: Queue<T>,
    sleeping: usize,
    /// Sleepers that were signalled and have not run yet.
    woken: usize,
    /// The first time until which somebody sleeps; [`NEVER`]: nobody sleeps for a time.
    alarm: u64,
    closed: bool,
}

/// Why a push was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Closed,
}

impl<T> Inner<T> {
    /// Whether somebody sleeps that was not signalled.
    fn worker_free(&self) -> bool {
        self.sleeping > self.woken
    }
}

impl<T: Waiting> Gate<T> {
    pub(crate) fn new(limit: usize, clock: Arc<dyn Clock>) -> Self {
        Self {
            inner: Mutex::new(Inner {
                queue: Queue::new(limit),
                sleeping: 0,
                woken: 0,
                alarm: NEVER,
                closed: false,
            }),
            arrived: Condvar::new(),
            granted: Condvar::new(),
            clock,
            by_hand: AtomicBool::new(false),
        }
    }

    /// The clock is moved by hand and calls [`Gate::poke`] each time.
    pub(crate) fn drive_by_hand(&self) {
        self.by_hand.store(true, Ordering::SeqCst);
    }

    /// Unlocks, and signals a sleeper if there is one and `more` to do.
    fn unlock(&self, mut inner: MutexGuard<'_, Inner<T>>, more: bool) {
        let signal = more && inner.worker_free();
        if signal {
            inner.woken += 1;
        }
        drop(inner);
        if signal {
            self.arrived.notify_one();
        }
    }

    /// Puts a job in a line.
    pub(crate) fn push(&self, line: LineId, item: T) -> Result<(), (T, Refusal)> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err((item, Refusal::Closed));
        }
        match inner.queue.push(line, item) {
            Ok(ready) => {
                let more = ready || inner.queue.next_time() < inner.alarm;
                self.unlock(inner, more);
                Ok(())
            }
            Err(item) => Err((item, Refusal::Full)),
        }
    }

    /// The next jobs to run; waits for some. `None`: closed.
    pub(crate) fn next(&self) -> Option<Taken<T>> {
        let mut inner = lock(&self.inner);
        loop {
            if let Some(taken) = inner.queue.next(|| self.clock.now()) {
                self.hand_over(inner);
                return Some(taken);
            }
            if inner.closed {
                return None;
            }
            inner = self.sleep(inner);
        }
    }

    /// Unlocks when a worker has what it wants: what is left, jobs to run or a time to wait for, is
    /// for those that sleep.
    fn hand_over(&self, mut inner: MutexGuard<'_, Inner<T>>) {
        let granted = {
            let worker_free = inner.worker_free();
            inner.queue.grant(worker_free)
        };
        let more = inner.queue.ready() || inner.queue.next_time() < inner.alarm;
        self.unlock(inner, more);
        if granted {
            self.granted.notify_all();
        }
    }

    fn sleep<'a>(&'a self, mut inner: MutexGuard<'a, Inner<T>>) -> MutexGuard<'a, Inner<T>> {
        let until = inner.queue.next_time();
        let timed = until < inner.alarm && !self.by_hand.load(Ordering::SeqCst);
        inner.sleeping += 1;
        if timed {
            let left = until.saturating_sub(self.clock.now());
            inner.alarm = until;
            inner = wait_for(&self.arrived, inner, Duration::from_nanos(left));
            // Who took the alarm over since has an earlier one.
            if inner.alarm == until {
                inner.alarm = NEVER;
            }
        } else {
            inner = wait(&self.arrived, inner);
        }
        inner.sleeping -= 1;
        inner.woken = inner.woken.saturating_sub(1);
        inner
    }

    /// Has all that sleep look again.
    pub(crate) fn poke(&self) {
        // A worker that has read the clock before it moved sleeps once the lock is free.
        let mut inner = lock(&self.inner);
        inner.woken = inner.sleeping;
        drop(inner);
        self.arrived.notify_all();
        self.granted.notify_all();
    }

    /// A run of a line has ended.
    pub(crate) fn ran(&self, line: LineId, ran: Ran) {
        lock(&self.inner).queue.ran(line, ran);
    }

    /// Memory of jobs that were taken, for later ones.
    pub(crate) fn keep(&self, items: Items<T>) {
        if items.spilled() {
            lock(&self.inner).queue.keep(items);
        }
    }

    /// A permit to run the line's model, at once or not at all.
    pub(crate) fn try_enter(&self, line: LineId) -> bool {
        lock(&self.inner).queue.enter(line, false)
    }

    /// A permit to run the line's model on the calling thread, which waits for it until `deadline`
    /// (0: none). Whether it got one.
    pub(crate) fn enter(&self, line: LineId, deadline: u64) -> bool {
        let mut inner = lock(&self.inner);
        if inner.queue.enter(line, true) {
            return true;
        }
        loop {
            let worker_free = inner.worker_free();
            inner.queue.grant(worker_free);
            if inner.queue.collect(line) {
                return true;
            }
            let left = match deadline {
                0 => NEVER,
                deadline => deadline.saturating_sub(self.clock.now()),
            };
            if left == 0 {
                inner.queue.give_up(line);
                return false;
            }
            inner = if left == NEVER || self.by_hand.load(Ordering::Relaxed) {
                wait(&self.granted, inner)
            } else {
                wait_for(&self.granted, inner, Duration::from_nanos(left))
            };
        }
    }

    /// Gives a permit back.
    pub(crate) fn leave(&self, line: LineId) {
        let mut inner = lock(&self.inner);
        let worker_free = inner.worker_free();
        let (ready, granted) = inner.queue.leave(line, worker_free, || self.clock.now());
        let more = ready || inner.queue.next_time() < inner.alarm;
        self.unlock(inner, more);
        if granted {
            self.granted.notify_all();
        }
    }

    /// Changes a line, after which it may have more to run.
    fn change<R>(&self, change: impl FnOnce(&mut Queue<T>) -> R) -> R {
        let mut inner = lock(&self.inner);
        let result = change(&mut inner.queue);
        let more = inner.queue.ready();
        self.unlock(inner, more);
        result
    }

    /// A line for a model; see [`Queue::add_line`].
    pub(crate) fn add_line(&self, policy: Policy, most_runs: usize) -> LineId {
        self.change(|queue| queue.add_line(policy, most_runs))
    }

    /// Forgets a line that is empty and stays so.
    pub(crate) fn remove_line(&self, line: LineId) {
        self.change(|queue| queue.remove_line(line));
    }

    /// Nothing of this line waits for rows any more.
    pub(crate) fn hurry(&self, line: LineId) {
        self.change(|queue| queue.hurry(line));
    }

    /// Jobs of this line run alone from now on.
    pub(crate) fn never_join(&self, line: LineId) {
        self.change(|queue| queue.never_join(line));
    }

    /// See [`Queue::learned`].
    pub(crate) fn learned(&self, line: LineId) -> Option<BatchInfo> {
        lock(&self.inner).queue.learned(line)
    }

    /// Takes out what has ended.
    pub(crate) fn take_ended(&self) -> Vec<T> {
        lock(&self.inner).queue.take_ended()
    }

    /// Jobs that wait and have not ended. Walks through them.
    pub(crate) fn pending(&self) -> usize {
        lock(&self.inner).queue.pending()
    }

    /// Jobs that stand in line, ended or not, now and at most so far.
    pub(crate) fn lengths(&self) -> (usize, usize) {
        let inner = lock(&self.inner);
        (inner.queue.len(), inner.queue.peak())
    }

    /// Whether a worker has looked and found nothing to do since the last change.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn rests(&self) -> bool {
        lock(&self.inner).worker_free()
    }

    /// Ends all waiting: takes nothing more and gives what stood in line.
    pub(crate) fn close(&self) -> Vec<T> {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        let left = inner.queue.drain();
        drop(inner);
        self.arrived.notify_all();
        left
    }
}

#[cfg(test)]
mod tests;
