//! A clock and a backend that tests drive by hand.

mod backends;
mod model;

pub use backends::{FakeBackends, FakeSource};

use crate::Clock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A clock that stands still until it is moved.
#[derive(Default)]
pub struct FakeClock {
    now: AtomicU64,
    wakers: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

impl FakeClock {
    /// A clock that shows one second.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            now: AtomicU64::new(1_000_000_000),
            wakers: Mutex::default(),
        })
    }

    /// Moves it.
    pub fn advance(&self, by: Duration) {
        self.now.fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
        for waker in locked(&self.wakers).iter() {
            waker();
        }
    }
}

impl Clock for FakeClock {
    fn now(&self) -> u64 {
        self.now.load(Ordering::SeqCst)
    }

    fn on_move(&self, waker: Box<dyn Fn() + Send + Sync>) -> bool {
        locked(&self.wakers).push(waker);
        true
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
