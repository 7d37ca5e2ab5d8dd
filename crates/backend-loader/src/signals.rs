//! Signal handlers belong to the server: a framework that sets its own while it is loaded has them
//! taken back.

use libc::{c_int, sigaction};
use std::mem::MaybeUninit;
use std::ptr;

/// The highest signal number of Linux.
const LAST: c_int = 64;

/// Runs `work` and puts every handler back that it changed.
pub(crate) fn restored<T>(work: impl FnOnce() -> T) -> T {
    let before: Vec<(c_int, sigaction)> = (1..=LAST)
        .filter_map(|signal| Some((signal, current(signal)?)))
        .collect();
    let outcome = work();
    for (signal, action) in before {
        // Only what changed is set, so that a change elsewhere is rarely undone.
        if current(signal).is_none_or(|now| !same(&now, &action)) {
            // SAFETY: an action that this signal had before.
            unsafe { sigaction(signal, &raw const action, ptr::null_mut()) };
        }
    }
    outcome
}

/// The action of a signal; none for a number that has no action.
fn current(signal: c_int) -> Option<sigaction> {
    let mut action = MaybeUninit::<sigaction>::zeroed();
    // SAFETY: only asks; zeros are a valid action too.
    let code = unsafe { sigaction(signal, ptr::null(), action.as_mut_ptr()) };
    // SAFETY: as above.
    (code == 0).then(|| unsafe { action.assume_init() })
}

/// The C library adds this flag to every action that it sets.
const SA_RESTORER: c_int = 0x0400_0000;

fn same(one: &sigaction, other: &sigaction) -> bool {
    one.sa_sigaction == other.sa_sigaction && (one.sa_flags ^ other.sa_flags) & !SA_RESTORER == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn handler(_: c_int) {}

    #[test]
    fn a_changed_handler_comes_back() {
        let before = current(libc::SIGUSR2).unwrap();
        restored(|| {
            let mut action = before;
            action.sa_sigaction = handler as *const () as usize;
            // SAFETY: a handler that does nothing.
            unsafe { sigaction(libc::SIGUSR2, &raw const action, ptr::null_mut()) };
            assert!(!same(&current(libc::SIGUSR2).unwrap(), &before));
        });
        assert!(same(&current(libc::SIGUSR2).unwrap(), &before));
    }
}
