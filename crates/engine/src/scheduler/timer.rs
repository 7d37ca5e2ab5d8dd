//! The one thread that knows what time it is: deadlines of jobs, limits of runs.

use super::NEVER;
use super::deadlines::Deadlines;
use super::slot::{Due, Jobs, Slot};
use super::worker;
use crate::job::{Job, Outcome, retire};
use crate::shared::{Guard, Shared, lock, wait};
use crate::ticket::End;
use redisai_core::{BackendError, Status};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Deadlines and the thread that waits for the first.
pub(crate) struct Timer {
    inner: Mutex<Inner>,
    moved: Condvar,
    /// When the thread will look next; 0 while it is awake. A push of something later need not
    /// wake it.
    next: AtomicU64,
    wakes: AtomicU64,
    slots: Mutex<Slots>,
}

struct Inner {
    deadlines: Deadlines,
    /// When a run asked to be looked at. Kept until then although that run has long ended: the
    /// next runs, whose limits come later, then need not wake the thread.
    alarm: u64,
    started: bool,
    /// The clock calls when it moves.
    by_hand: bool,
    closed: bool,
}

#[derive(Default)]
struct Slots {
    all: Vec<Arc<Slot>>,
    /// Those of threads that are no workers, free for the next one.
    spare: Vec<Arc<Slot>>,
}

impl Timer {
    pub(crate) fn new() -> Self {
        Self {
            inner: Mutex::new(Inner {
                deadlines: Deadlines::default(),
                alarm: NEVER,
                started: false,
                by_hand: false,
                closed: false,
            }),
            moved: Condvar::new(),
            next: AtomicU64::new(0),
            wakes: AtomicU64::new(0),
            slots: Mutex::default(),
        }
    }

    /// Starts the thread, if it does not run yet.
    pub(crate) fn start(&self, shared: &Arc<Shared>) -> io::Result<()> {
        let mut inner = lock(&self.inner);
        if inner.started {
            return Ok(());
        }
        let weak = Arc::downgrade(shared);
        inner.by_hand = shared.clock.on_move(Box::new(move || {
            if let Some(shared) = weak.upgrade() {
                shared.timer.wake(NEVER);
            }
        }));
        let own = Arc::clone(shared);
        shared
            .threads
            .start("ai-timer".to_owned(), move || own.timer.work(&own))?;
        inner.started = true;
        Ok(())
    }

    /// Ends the job at its deadline, unless it has ended by then.
    pub(crate) fn watch(&self, job: &Arc<Job>) {
        let mut inner = lock(&self.inner);
        inner.deadlines.push(job);
        drop(inner);
        if job.deadline < self.next.load(Ordering::SeqCst) {
            self.moved.notify_one();
        }
    }

    /// Makes sure that the thread looks at a run's slot at `at`. Of the change of the slot and the
    /// thread's announcement in `next` one comes first (both are SeqCst): either this sees the
    /// announcement, or the thread, which looks at all slots after announcing, sees the change.
    pub(crate) fn arm(&self, at: u64) {
        if at < self.next.load(Ordering::SeqCst) {
            self.wake(at);
        }
    }

    /// Has the thread look at everything again, and at the slots at `at`.
    fn wake(&self, at: u64) {
        let mut inner = lock(&self.inner);
        inner.alarm = inner.alarm.min(at);
        drop(inner);
        self.moved.notify_one();
    }

    /// How often the thread has woken up.
    pub(crate) fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Relaxed)
    }

    /// Watches a worker's slot.
    pub(crate) fn add_slot(&self, slot: &Arc<Slot>) {
        lock(&self.slots).all.push(Arc::clone(slot));
    }

    /// Forgets the slot of a worker that ends.
    pub(crate) fn remove_slot(&self, slot: &Arc<Slot>) {
        lock(&self.slots)
            .all
            .retain(|other| !Arc::ptr_eq(other, slot));
    }

    /// A slot for a thread that is no worker; to be given back by [`Timer::return_slot`].
    pub(crate) fn borrow_slot(&self) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if let Some(slot) = slots.spare.pop() {
            return slot;
        }
        let slot = Slot::new(None);
        slots.all.push(Arc::clone(&slot));
        slot
    }

    /// See [`Timer::borrow_slot`].
    pub(crate) fn return_slot(&self, slot: Arc<Slot>) {
        lock(&self.slots).spare.push(slot);
    }

    /// All slots.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        lock(&self.slots).all.clone()
    }

    fn first_slot(&self) -> u64 {
        let slots = lock(&self.slots);
        slots
            .all
            .iter()
            .map(|slot| slot.until())
            .min()
            .unwrap_or(NEVER)
    }

    fn work(&self, shared: &Arc<Shared>) {
        let mut inner = lock(&self.inner);
        while !inner.closed {
            let now = shared.clock.now();
            let expired = inner.deadlines.take_due(now);
            if inner.alarm <= now {
                inner.alarm = NEVER;
            }
            let overdue = self.first_slot() <= now;
            let late_build = shared.loader.first() <= now;
            if expired.is_empty() && !overdue && !late_build {
                inner = self.sleep(shared, inner);
                continue;
            }
            drop(inner);
            self.expire(shared, expired.iter().filter_map(Weak::upgrade));
            if overdue {
                self.look_at_slots(shared, now);
            }
            if late_build {
                shared.loader.relieve(shared, now);
            }
            inner = lock(&self.inner);
        }
    }

    /// Waits until something may be due.
    fn sleep<'a>(&self, shared: &Shared, inner: Guard<'a, Inner>) -> Guard<'a, Inner> {
        let next = inner
            .deadlines
            .first()
            .min(inner.alarm)
            .min(self.first_slot())
            .min(shared.loader.first());
        self.next.store(next, Ordering::SeqCst);
        let now = shared.clock.now();
        // A run or a build may have begun, or the clock moved, before the store was seen.
        let first = self.first_slot().min(shared.loader.first());
        if first < next || next <= now {
            self.next.store(0, Ordering::SeqCst);
            return inner;
        }
        let inner = if next == NEVER || inner.by_hand {
            wait(&self.moved, inner)
        } else {
            self.moved
                .wait_timeout(inner, Duration::from_nanos(next - now))
                .unwrap_or_else(PoisonError::into_inner)
                .0
        };
        self.next.store(0, Ordering::SeqCst);
        self.wakes.fetch_add(1, Ordering::Relaxed);
        inner
    }

    fn look_at_slots(&self, shared: &Arc<Shared>, now: u64) {
        let grace = shared.config.cancel_grace_ms.saturating_mul(1_000_000);
        for slot in self.slots() {
            match slot.due(now, grace) {
                Some(Due::Cancel(backend, run)) => {
                    crate::sync::guarded(|| backend.cancel(run));
                }
                Some(Due::Overrun(jobs)) => {
                    overrun(shared, jobs);
                    worker::replace(shared, &slot);
                }
                None => {}
            }
        }
    }

    /// The deadline of these jobs has passed: their clients are answered; a run that nobody waits for
    /// any more is stopped. No run is stopped before all of them have ended: a worker that is free
    /// again must not find one that waits.
    pub(crate) fn expire(&self, shared: &Shared, jobs: impl IntoIterator<Item = Arc<Job>>) {
        let mut running = Jobs::new();
        for job in jobs {
            if job.end(End::Expired, || Outcome::TimedOut).unwrap_or(0) == 0 {
                retire(shared, job);
            } else {
                running.push(job);
            }
        }
        let slots = if running.is_empty() {
            Vec::new()
        } else {
            self.slots()
        };
        for job in running {
            if let Some((backend, run)) = slots.iter().find_map(|slot| slot.in_vain(&job)) {
                crate::sync::guarded(|| backend.cancel(run));
            }
            retire(shared, job);
        }
    }

    /// Ends the thread.
    pub(crate) fn close(&self) {
        lock(&self.inner).closed = true;
        self.moved.notify_all();
    }
}

/// A run goes on although it was told to stop: its clients are answered without it, in the words of
/// the framework that the reference stops in this way.
fn overrun(shared: &Shared, jobs: Jobs) {
    for job in jobs {
        let result = Err(BackendError::new(
            Status::Cancelled,
            "Exiting due to terminate flag being set to true.",
        ));
        job.model.stats().record(&result, None);
        job.end(End::Done, || Outcome::Done(result));
        retire(shared, job);
    }
}
