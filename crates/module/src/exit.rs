//! The end of the process while threads of ours still work.
//!
//! A worker in a long kernel, or a loader in a framework's own loading, cannot be waited for. But `exit`
//! runs the destructors of the frameworks' libraries, and frees under such a thread what it uses: the
//! server would crash after it has saved. So the process then ends without them.
//!
//! Destructors run in the reverse order of their registration, and a thread that works registers more
//! of them at any time. What runs before all of them is a thread-local destructor of the main thread:
//! it registers the handler, which is the last one then, so the first to run.

use crate::guard;
use std::os::raw::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether threads of ours may be at work.
static WORKING: AtomicBool = AtomicBool::new(false);

thread_local! {
    static FIRST: First = const { First };
}

struct First;

impl Drop for First {
    fn drop(&mut self) {
        if WORKING.load(Ordering::Acquire) {
            // SAFETY: the handler is a function of this library, which stays in memory. Where it
            // cannot be registered the process ends as it would have.
            unsafe { on_exit(at_exit, null_mut()) };
        }
    }
}

unsafe extern "C" {
    /// Of glibc: a handler that is told the status, which `atexit`'s is not.
    fn on_exit(
        handler: extern "C" fn(status: c_int, data: *mut c_void),
        data: *mut c_void,
    ) -> c_int;
}

/// From now on threads may be at work. Main thread, the one that will call `exit`.
pub(crate) fn begin() {
    WORKING.store(true, Ordering::Release);
    FIRST.with(|_| {});
}

/// The engine has ended but for so many threads.
pub(crate) fn ended(left: usize) {
    WORKING.store(left > 0, Ordering::Release);
}

extern "C" fn at_exit(status: c_int, _data: *mut c_void) {
    guard::run("exit", (), || {
        // SAFETY: ends the process. What the server writes it has written: it flushes each line of its
        // log, and its files before it exits.
        unsafe { libc::_exit(status) }
    });
}
