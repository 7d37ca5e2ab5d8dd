//! Threads of our own.

use std::mem::MaybeUninit;
use std::thread::Builder;

/// Signals of a thread's own faults, which stay the server's to report.
const FAULTS: [libc::c_int; 6] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
    libc::SIGTRAP,
];

/// Starts a thread that takes none of the server's signals; whether it runs.
pub(crate) fn start(name: &str, work: impl FnOnce() + Send + 'static) -> bool {
    let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset initialises the whole set that the others work on, and pthread_sigmask writes
    // the calling thread's old mask.
    let changed = unsafe {
        libc::sigfillset(blocked.as_mut_ptr());
        for fault in FAULTS {
            libc::sigdelset(blocked.as_mut_ptr(), fault);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr()) == 0
    };
    let started = Builder::new().name(name.to_owned()).spawn(work).is_ok();
    if changed {
        // SAFETY: the successful call above wrote the old mask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    }
    started
}
