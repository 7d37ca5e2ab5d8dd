//! The server's exit while threads of ours still run.
//!
//! A run, or the load of a framework, that cannot be stopped goes on while the server exits. The C library
//! would then call the frameworks' destructors under the feet of those threads, which ends in an abort.

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;

unsafe extern "C" {
    /// The C library's: an `atexit` whose function also gets the status.
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// From now on an exit calls none of the functions that are registered up to now. For a server that has
/// saved what it saves and is about to exit.
pub(crate) fn skip_destructors() {
    // SAFETY: the function lives as long as the process and uses no argument.
    unsafe { on_exit(end, null_mut()) };
}

/// Comes first: functions are called from the last registered on.
extern "C" fn end(status: c_int, _argument: *mut c_void) {
    // SAFETY: no argument that has to be valid; nothing runs after this.
    unsafe {
        libc::fflush(null_mut());
        libc::_exit(status);
    }
}
