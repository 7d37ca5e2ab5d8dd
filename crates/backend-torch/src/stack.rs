//! A stack of 1 GiB, mostly never touched, for what torch does by recursion.
//!
//! Torch's parser and compiler, and the release of nested lists, recurse as deeply as a client's source
//! or data is nested: 10,000 parentheses overflow a usual stack and end the process. Threads are the
//! engine's to start, so its threads change to a stack of ours for the time of a call.

use redisai_backend_abi::now;
use redisai_core::{BackendError, Status};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;

const SIZE: usize = 1 << 30;
/// Unmapped at the lower end, so that an overflow is a fault and not somebody else's memory.
const GUARD: usize = 64 << 10;
/// Pages deeper than this are given back to the system after a call that used them.
const KEPT: usize = 1 << 20;
/// Nanoseconds in which nobody fills that much with frames: to look at the pages after each call
/// would cost a short run a tenth of its time.
const QUICK: u64 = 20_000;

struct Stack(NonNull<u8>);

thread_local! {
    /// This thread's stack while nobody is on it.
    static IDLE: Cell<Option<Stack>> = const { Cell::new(None) };
    /// Whether this thread is on such a stack now.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Does `work` on a stack of 1 GiB. `work` may not let anything of C++ unwind out of it.
pub(crate) fn deep<T>(work: impl FnOnce() -> T) -> Result<T, BackendError> {
    // A script's model, on the script's own thread.
    if INSIDE.get() {
        return Ok(work());
    }
    let stack = match IDLE.take() {
        Some(stack) => stack,
        None => Stack::new()?,
    };
    INSIDE.set(true);
    let begun = now();
    // SAFETY: the memory is ours, writable, and nobody else runs on it. No panic gets to the edge of
    // the stack, where it could not go on.
    let done = unsafe {
        psm::on_stack(stack.0.as_ptr(), SIZE, || {
            catch_unwind(AssertUnwindSafe(work))
        })
    };
    INSIDE.set(false);
    if now().saturating_sub(begun) > QUICK {
        stack.trim();
    }
    IDLE.set(Some(stack));
    Ok(done.unwrap_or_else(|panic| resume_unwind(panic)))
}

impl Stack {
    fn new() -> Result<Self, BackendError> {
        // SAFETY: a fresh mapping of our own, of which no page is there until it is touched.
        let memory = unsafe {
            let memory = libc::mmap(
                std::ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK,
                -1,
                0,
            );
            if memory != libc::MAP_FAILED {
                libc::mprotect(memory, GUARD, libc::PROT_NONE);
                // One touched page must not become two megabytes.
                libc::madvise(memory, SIZE, libc::MADV_NOHUGEPAGE);
            }
            memory
        };
        NonNull::new(memory.cast::<u8>())
            .filter(|_| memory != libc::MAP_FAILED)
            .map(Self)
            .ok_or_else(|| {
                let text = "ERR there is no address space for a stack of 1 GiB";
                BackendError::new(Status::NoMemory, text)
            })
    }

    /// Gives back what a deep call has touched.
    fn trim(&self) {
        if self.holds_more() {
            // SAFETY: within the mapping, and below every frame in use, since nobody is on this stack.
            unsafe {
                let below = self.0.as_ptr().add(GUARD);
                libc::madvise(below.cast(), SIZE - KEPT - GUARD, libc::MADV_DONTNEED);
            }
        }
    }

    /// Whether a call has touched more than what is kept.
    fn holds_more(&self) -> bool {
        let mut there = 0_u8;
        // SAFETY: one page within the mapping, its state written to one byte.
        let told = unsafe {
            let page = self.0.as_ptr().add(SIZE - KEPT - 4096);
            libc::mincore(page.cast(), 4096, &raw mut there)
        };
        told == 0 && there & 1 == 1
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: our own mapping, on which nobody is.
        unsafe { libc::munmap(self.0.as_ptr().cast(), SIZE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn depth(left: usize) -> usize {
        let frame = std::hint::black_box([left; 64]);
        if left == 0 {
            return 0;
        }
        1 + depth(frame[7] - 1)
    }

    #[test]
    fn there_is_room_for_a_million_frames() {
        // Far beyond the 2 MiB of a test's thread.
        assert_eq!(deep(|| depth(500_000)).unwrap(), 500_000);
        assert_eq!(deep(|| deep(|| depth(10)).unwrap()).unwrap(), 10);
    }

    #[test]
    fn what_a_deep_call_has_touched_is_given_back() {
        let holds_more = || {
            let stack = IDLE.take().unwrap();
            let more = stack.holds_more();
            IDLE.set(Some(stack));
            more
        };
        // Little more than what is kept, and much more.
        for deepest in [2 * KEPT / 512, 500_000] {
            assert_eq!(deep(|| depth(deepest)).unwrap(), deepest);
            assert!(!holds_more());
        }
    }

    #[test]
    fn panics_come_out() {
        let panicked = catch_unwind(|| deep(|| panic!("out")));
        assert!(panicked.is_err());
        assert_eq!(deep(|| 7).unwrap(), 7);
    }
}
