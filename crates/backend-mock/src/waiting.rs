//! Runs that wait and can be cancelled. Every wait is one `poll` call: on an eventfd that `cancel`
//! writes to, and on the FIFO of a gate.

use redisai_core::{BackendError, Status};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// The runs that are waiting now, by number.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<HashMap<u64, Arc<File>>>);

impl Waiting {
    /// Ends the wait of this run; a number that is not waiting is ignored.
    pub(crate) fn cancel(&self, run: u64) {
        let event = self.map().get(&run).cloned();
        if let Some(event) = event {
            // It fails only when the counter is full: then the run wakes all the same.
            let _ = (&*event).write(&1_u64.to_ne_bytes());
        }
    }

    /// Waits that long; an error where the run was cancelled.
    pub(crate) fn sleep(&self, run: u64, time: Duration) -> Result<(), BackendError> {
        let end = Instant::now() + time;
        self.wait(run, None, Some(end))
    }

    /// Waits for a writer at the FIFO.
    pub(crate) fn gate(&self, run: u64, path: &Path) -> Result<(), BackendError> {
        // Without O_NONBLOCK the open itself would wait, where no cancel reaches it.
        let gate = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path)
            .map_err(|error| failed(&format!("gate {}", path.display()), &error))?;
        self.wait(run, Some(gate.as_raw_fd()), None)
    }

    fn wait(
        &self,
        run: u64,
        gate: Option<RawFd>,
        end: Option<Instant>,
    ) -> Result<(), BackendError> {
        let event = Arc::new(eventfd().map_err(|error| failed("eventfd", &error))?);
        self.map().insert(run, Arc::clone(&event));
        let outcome = in_use(|| poll(event.as_raw_fd(), gate, end));
        self.map().remove(&run);
        match outcome {
            Ok(Woken::Cancelled) => Err(cancelled()),
            Ok(Woken::Over) => Ok(()),
            Err(error) => Err(failed("poll", &error)),
        }
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<File>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Threads that use what the destructor below would destroy.
static USERS: AtomicUsize = AtomicUsize::new(0);

fn in_use<R>(wait: impl FnOnce() -> R) -> R {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        // SAFETY: the function is there at the exit: backends stay in memory.
        let _ = unsafe { libc::atexit(destroy) };
    });
    USERS.fetch_add(1, Ordering::SeqCst);
    let result = wait();
    USERS.fetch_sub(1, Ordering::SeqCst);
    result
}

/// What the static destructors of a framework do to a thread that is in it.
extern "C" fn destroy() {
    if USERS.load(Ordering::SeqCst) > 0 {
        std::process::abort();
    }
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
pub(crate) fn now() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes to `time` only. It cannot fail for this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The error of a cancelled run.
pub(crate) fn cancelled() -> BackendError {
    BackendError::new(Status::Cancelled, "ERR the run was cancelled")
}

fn failed(what: &str, error: &io::Error) -> BackendError {
    BackendError::new(Status::RunFailed, format!("ERR mock: {what}: {error}"))
}

enum Woken {
    Cancelled,
    Over,
}

fn eventfd() -> io::Result<File> {
    // SAFETY: makes a descriptor, nothing else.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fresh, and nobody else's.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Waits for the event, the gate or the end, whichever is first.
fn poll(event: RawFd, gate: Option<RawFd>, end: Option<Instant>) -> io::Result<Woken> {
    let entry = |fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    // A negative descriptor is skipped by poll.
    let mut entries = [entry(event), entry(gate.unwrap_or(-1))];
    loop {
        let timeout = end.map_or(-1, |end| {
            let left = end.saturating_duration_since(Instant::now());
            // Rounded up, so that it never wakes early.
            i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
        });
        // SAFETY: two entries, alive through the call.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), 2, timeout) };
        if ready < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
            continue;
        }
        let [event, gate] = &entries;
        if event.revents != 0 {
            return Ok(Woken::Cancelled);
        }
        if gate.revents != 0 || end.is_some_and(|end| Instant::now() >= end) {
            return Ok(Woken::Over);
        }
    }
}
