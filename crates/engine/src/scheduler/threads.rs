//! Starting, counting and joining threads.

use crate::shared::lock;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The threads of an engine.
#[derive(Default)]
pub(crate) struct Threads {
    inner: Mutex<Inner>,
    ended: Condvar,
}

#[derive(Default)]
struct Inner {
    handles: Vec<JoinHandle<()>>,
    alive: usize,
}

/// The CPU clock of one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock(libc::clockid_t);

impl CpuClock {
    /// CPU time that the thread has used; `None` once it has ended.
    pub(crate) fn read(self) -> Option<Duration> {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: `time` is a valid place for a timespec. A clock whose thread has ended makes the
        // call fail; nothing is read from the thread's memory.
        let failed = unsafe { libc::clock_gettime(self.0, time.as_mut_ptr()) } != 0;
        if failed {
            return None;
        }
        // SAFETY: the call succeeded, so it has written the whole timespec.
        let time = unsafe { time.assume_init() };
        Some(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }
}

impl Threads {
    /// Starts a thread that takes no signal meant for the process.
    pub(crate) fn start(
        self: &Arc<Self>,
        name: String,
        body: impl FnOnce() + Send + 'static,
    ) -> io::Result<CpuClock> {
        let mut inner = lock(&self.inner);
        inner.handles.retain(|handle| !handle.is_finished());
        let threads = Arc::clone(self);
        let handle = with_signals_blocked(|| {
            Builder::new().name(name).spawn(move || {
                // Made in here: a start that fails drops the closure under the lock held above.
                let _alive = Alive(threads);
                body();
            })
        })?;
        let clock = cpu_clock(&handle);
        inner.alive += 1;
        inner.handles.push(handle);
        Ok(clock)
    }

    /// Threads that are alive.
    pub(crate) fn alive(&self) -> usize {
        lock(&self.inner).alive
    }

    /// Waits until all threads have ended, `limit` at most, and joins those that have. Gives the
    /// number of those that have not.
    pub(crate) fn join(&self, limit: Duration) -> usize {
        let until = Instant::now() + limit;
        let mut inner = lock(&self.inner);
        while inner.alive > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            inner = self
                .ended
                .wait_timeout(inner, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        let alive = inner.alive;
        // With none alive all are past their last line: joining waits for next to nothing.
        let own = std::thread::current().id();
        for handle in std::mem::take(&mut inner.handles) {
            let ours = handle.thread().id() == own;
            if !ours && (alive == 0 || handle.is_finished()) {
                let _ = handle.join();
            }
        }
        alive
    }
}

/// Counts a thread out when it ends, whatever way.
struct Alive(Arc<Threads>);

impl Drop for Alive {
    fn drop(&mut self) {
        let mut inner = lock(&self.0.inner);
        inner.alive = inner.alive.saturating_sub(1);
        drop(inner);
        self.0.ended.notify_all();
    }
}

fn cpu_clock(handle: &JoinHandle<()>) -> CpuClock {
    // Where the kernel gives no clock, one that never answers.
    let mut clock: libc::clockid_t = -1;
    // SAFETY: the handle is neither joined nor detached, so its pthread_t is valid even if the
    // thread has ended; `clock` is a valid place for the answer.
    unsafe { libc::pthread_getcpuclockid(handle.as_pthread_t(), &raw mut clock) };
    CpuClock(clock)
}

/// Runs `start` with all signals blocked but those of a fault, so that a thread made in it inherits
/// that: signals of the process stay with the threads that expect them, and a crash in a
/// framework still reaches the server's crash report.
fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    let faults = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGABRT,
        libc::SIGTRAP,
    ];
    let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the whole set; the others work on the initialised set, and
    // pthread_sigmask writes the calling thread's old mask into `before`.
    let changed = unsafe {
        libc::sigfillset(blocked.as_mut_ptr());
        for fault in faults {
            libc::sigdelset(blocked.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr()) == 0
    };
    let result = start();
    if changed {
        // SAFETY: `before` was written by the successful call above.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    }
    result
}
