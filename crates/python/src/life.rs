//! When Python may be entered: never in a forked child, never once the interpreter ends.
//!
//! A thread that asks for the GIL while the interpreter is finalized is ended by it or hangs, in the
//! middle of Rust code. So every way into Python of a thread that had left it (back from a run, or a
//! worker with a result) is counted here; [`ending`], called before finalization begins, turns new
//! ones away and waits for those that are under way.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

const ALIVE: u8 = 0;
const ENDING: u8 = 1;
const FORKED: u8 = 2;

static STATE: AtomicU8 = AtomicU8::new(ALIVE);

/// Threads on their way into Python. Not under the lock: a forked child, where its holder may be
/// missing, must be able to look.
static ENTERING: AtomicUsize = AtomicUsize::new(0);
/// For [`ending`], which alone waits.
static WAITING: Mutex<()> = Mutex::new(());
static ENTERED: Condvar = Condvar::new();

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

fn waiting() -> MutexGuard<'static, ()> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Leave to enter Python, until it is dropped.
struct Entry;

impl Entry {
    fn new() -> Option<Self> {
        // In one order for all threads: `ending` sees this entry, or this sees `ENDING`.
        ENTERING.fetch_add(1, Ordering::SeqCst);
        let entry = Self;
        (STATE.load(Ordering::SeqCst) == ALIVE).then_some(entry)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let last = ENTERING.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && STATE.load(Ordering::SeqCst) == ENDING {
            // Under the lock: `ending` waits already, or has yet to look.
            let _waiting = waiting();
            ENTERED.notify_all();
        }
    }
}

/// Refuses a call in a forked child, whose copies of locks and threads nobody serves, and while
/// the interpreter ends. The first thing that every call does.
pub(crate) fn check() -> PyResult<()> {
    match STATE.load(Ordering::Relaxed) {
        ALIVE => Ok(()),
        FORKED => Err(PyRuntimeError::new_err(
            "redisai_rs was used before this process was forked and cannot be used in the child: \
             start it with multiprocessing's spawn method, or make the engine in the child's own program",
        )),
        _ => Err(PyRuntimeError::new_err("the interpreter is ending")),
    }
}

/// Runs `body` without the GIL. If the interpreter has begun to end meanwhile the thread stays here: it
/// has nothing to come back to.
pub(crate) fn detached<T: Send>(py: Python<'_>, body: impl FnOnce() -> T + Send) -> T {
    let (result, entry) = py.detach(|| {
        let result = body();
        match Entry::new() {
            Some(entry) => (result, entry),
            None => loop {
                std::thread::park();
            },
        }
    });
    drop(entry);
    result
}

/// Runs `body` with the GIL, on any thread; `None`: Python cannot be entered any more, or this is a
/// forked child.
pub(crate) fn attached<T>(body: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    // A thread that is inside already must not wait for itself.
    if INSIDE.get() {
        return Python::try_attach(body);
    }
    let entry = Entry::new()?;
    INSIDE.set(true);
    let result = Python::try_attach(body);
    INSIDE.set(false);
    drop(entry);
    result
}

/// Drops what holds memory of Python's. The GIL is held, so nothing needs to be counted.
pub(crate) fn release<T>(_: Python<'_>, value: T) {
    let before = INSIDE.replace(true);
    drop(value);
    INSIDE.set(before);
}

/// The interpreter is about to end (`atexit`): nothing enters it from now on. Waits for what is on its way.
#[pyfunction]
pub(crate) fn ending(py: Python<'_>) {
    if STATE.load(Ordering::SeqCst) == FORKED {
        // Nothing enters already, and the threads that were on their way are not in this process.
        return;
    }
    py.detach(|| {
        STATE.store(ENDING, Ordering::SeqCst);
        let mut guard = waiting();
        while ENTERING.load(Ordering::SeqCst) > 0 {
            guard = ENTERED.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
    });
}

/// This process is a forked child (`os.register_at_fork`).
#[pyfunction]
pub(crate) fn forked_child() {
    STATE.store(FORKED, Ordering::Relaxed);
}
