//! Time.

use rustix::time::{ClockId, clock_gettime};

/// Where the engine reads the time, so that tests can make it.
pub trait Clock: Send + Sync {
    /// Nanoseconds of `CLOCK_MONOTONIC`.
    fn now(&self) -> u64;

    /// Offers a waker to a clock that is moved by hand. A clock that keeps it calls it after each
    /// move and answers `true`: the engine's timer then waits for the call alone. A clock that runs
    /// by itself answers `false`.
    fn on_move(&self, waker: Box<dyn Fn() + Send + Sync>) -> bool {
        drop(waker);
        false
    }
}

/// The machine's monotonic clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        let time = clock_gettime(ClockId::Monotonic);
        // The monotonic clock starts at 0 when the machine does: never negative, and it fits.
        (time.tv_sec as u64)
            .wrapping_mul(1_000_000_000)
            .wrapping_add(time.tv_nsec as u64)
    }
}
