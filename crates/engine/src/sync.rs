//! The locks and atomics of what loom checks: loom's own under `cfg(loom)`.

#[cfg(loom)]
pub(crate) use loom::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU8, Ordering},
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::PoisonError;
#[cfg(not(loom))]
pub(crate) use std::sync::{
    Condvar, Mutex, MutexGuard,
    atomic::{AtomicU8, Ordering},
};

/// Locks. A lock that a panic has poisoned is taken all the same: nothing is done under our locks
/// that leaves the data half changed.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notice.
pub(crate) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Waits for a notice, at most this long.
pub(crate) fn wait_for<'a, T>(
    condvar: &Condvar,
    guard: MutexGuard<'a, T>,
    time: std::time::Duration,
) -> MutexGuard<'a, T> {
    condvar
        .wait_timeout(guard, time)
        .unwrap_or_else(PoisonError::into_inner)
        .0
}

/// Calls code that is not ours; a panic in it gives `None` and ends there.
pub(crate) fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}
