//! A queue that threads wait at.

use super::queue::{Queue, Waiting};
use crate::sync::{Condvar, Mutex, lock, wait};

/// A [`Queue`] behind a lock and a condition. A push signals only if a worker sleeps that no
/// earlier push has woken already.
pub(crate) struct Gate<T> {
    inner: Mutex<Inner<T>>,
    arrived: Condvar,
}

struct Inner<T> {
    queue: Queue<T>,
    sleeping: usize,
    /// Sleepers that were signalled and have not run yet.
    woken: usize,
    closed: bool,
}

/// Why a push was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Full,
    Closed,
}

impl<T: Waiting> Gate<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                queue: Queue::new(limit),
                sleeping: 0,
                woken: 0,
                closed: false,
            }),
            arrived: Condvar::new(),
        }
    }

    /// Changes the queue, then signals a sleeper if there is one and `change` says so.
    fn change<R>(&self, change: impl FnOnce(&mut Inner<T>) -> (R, bool)) -> R {
        let mut inner = lock(&self.inner);
        let (result, arrived) = change(&mut inner);
        let signal = arrived && inner.sleeping > inner.woken;
        if signal {
            inner.woken += 1;
        }
        drop(inner);
        if signal {
            self.arrived.notify_one();
        }
        result
    }

    /// Puts a job at the end.
    pub(crate) fn push(&self, item: T) -> Result<(), (T, Refusal)> {
        self.change(|inner| {
            if inner.closed {
                return (Err((item, Refusal::Closed)), false);
            }
            match inner.queue.push(item) {
                Ok(()) => (Ok(()), true),
                Err(item) => (Err((item, Refusal::Full)), false),
            }
        })
    }

    /// Moves a job that was counted as outside to the head.
    pub(crate) fn put_back(&self, item: T) -> Result<(), T> {
        self.change(|inner| {
            inner.queue.add_outside(-1);
            if inner.closed {
                return (Err(item), false);
            }
            inner.queue.put_back(item);
            (Ok(()), true)
        })
    }

    /// Counts a job that was taken and waits elsewhere from now on.
    pub(crate) fn add_outside(&self) {
        lock(&self.inner).queue.add_outside(1);
    }

    /// The next job; waits for one. `None`: closed.
    pub(crate) fn next(&self) -> Option<T> {
        let mut inner = lock(&self.inner);
        loop {
            if let Some(item) = inner.queue.next() {
                return Some(item);
            }
            if inner.closed {
                return None;
            }
            inner.sleeping += 1;
            inner = wait(&self.arrived, inner);
            inner.sleeping -= 1;
            inner.woken = inner.woken.saturating_sub(1);
        }
    }

    /// Takes out what has ended.
    pub(crate) fn take_ended(&self) -> Vec<T> {
        lock(&self.inner).queue.take_ended()
    }

    /// Jobs that wait and have not ended. Walks through them.
    pub(crate) fn pending(&self) -> usize {
        lock(&self.inner).queue.pending()
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    struct Item(u32);

    impl Waiting for Item {
        fn pending(&self) -> bool {
            true
        }
    }

    #[test]
    fn it_takes_nothing_once_closed() {
        let gate = Gate::new(10);
        assert!(gate.push(Item(1)).is_ok() && gate.push(Item(2)).is_ok());
        let left = gate.close();
        assert_eq!(left.iter().map(|item| item.0).collect::<Vec<_>>(), [1, 2]);
        assert!(matches!(
            gate.push(Item(3)),
            Err((Item(3), Refusal::Closed))
        ));
        assert!(matches!(gate.put_back(Item(4)), Err(Item(4))));
        assert!(gate.next().is_none());
    }

    #[test]
    fn what_waits_elsewhere_counts() {
        let gate = Gate::new(2);
        gate.add_outside();
        assert!(gate.push(Item(1)).is_ok());
        assert!(matches!(gate.push(Item(2)), Err((Item(2), Refusal::Full))));
        assert_eq!(gate.pending(), 2);
        // It comes back to the head.
        assert!(gate.put_back(Item(0)).is_ok());
        assert_eq!(gate.pending(), 2);
        assert_eq!(
            [gate.next(), gate.next()].map(|item| item.unwrap().0),
            [0, 1]
        );
    }
}

/// `RUSTFLAGS="--cfg loom" cargo test -p redisai-engine --lib --release loom`
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    struct Item(usize);

    impl Waiting for Item {
        fn pending(&self) -> bool {
            true
        }
    }

    /// Two workers wait and two jobs come: no signal is lost, each job is taken once. (loom fails
    /// a test in which every thread sleeps.)
    #[test]
    fn no_wake_up_is_lost() {
        loom::model(|| {
            let gate = Arc::new(Gate::<Item>::new(10));
            let workers = [(); 2].map(|()| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || gate.next().map(|item| item.0))
            });
            for number in [1, 10] {
                assert!(gate.push(Item(number)).is_ok());
            }
            let taken = workers.map(|worker| worker.join().unwrap().unwrap());
            assert_eq!(taken.iter().sum::<usize>(), 11);
        });
    }

    /// One worker sleeps or not while two threads push: it gets both.
    #[test]
    fn two_pushes_and_one_worker() {
        loom::model(|| {
            let gate = Arc::new(Gate::<Item>::new(10));
            let pushers = [1, 10].map(|number| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || assert!(gate.push(Item(number)).is_ok()))
            });
            let first = gate.next().unwrap().0;
            assert_eq!(first + gate.next().unwrap().0, 11);
            for pusher in pushers {
                pusher.join().unwrap();
            }
        });
    }

    /// A close wakes whoever sleeps.
    #[test]
    fn a_close_ends_every_wait() {
        loom::model(|| {
            let gate = Arc::new(Gate::<Item>::new(10));
            let workers = [(); 2].map(|()| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || gate.next().is_none())
            });
            assert!(gate.close().is_empty());
            assert!(
                workers
                    .map(|worker| worker.join().unwrap())
                    .iter()
                    .all(|&end| end)
            );
        });
    }
}
