//! An allocator that counts, and refuses on request, for each thread by itself.

pub(crate) mod stream;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr::null_mut;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CAP: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The system's allocator, counted.
pub(crate) struct Counting;

fn add(bytes: isize) {
    let live = LIVE.get() + bytes;
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

// SAFETY: everything is the system allocator's own doing, with the caller's own arguments; the
// counters are plain cells of this thread that need no allocation and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > CAP.get() {
            return null_mut();
        }
        add(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > CAP.get() {
            return null_mut();
        }
        add(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(block, layout) };
    }
}

/// What a piece of work used of this thread's memory, in bytes.
pub(crate) struct Use {
    /// The most at once.
    pub(crate) peak: isize,
    /// What it kept.
    pub(crate) left: isize,
}

/// Does the work and measures it.
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> (Use, T) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    let used = Use {
        peak: PEAK.get() - before,
        left: LIVE.get() - before,
    };
    (used, result)
}

/// Does the work while every single allocation above `cap` bytes is refused.
pub(crate) fn with_cap<T>(cap: usize, work: impl FnOnce() -> T) -> T {
    CAP.set(cap);
    let result = work();
    CAP.set(usize::MAX);
    result
}
