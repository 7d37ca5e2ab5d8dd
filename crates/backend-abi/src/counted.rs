//! Memory of the host for a framework's own allocator: aligned, counted and limited.

use crate::Host;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Alignment of every block.
const ALIGN: usize = 64;
/// In front of every block: where the host's memory begins, and its size.
const HEADER: usize = 2 * size_of::<usize>();
/// What a block takes besides its own bytes. Aligned by ourselves within memory of a small alignment:
/// asking an allocator for a large one is several times slower, and every run asks.
const EXTRA: usize = HEADER + ALIGN;

/// Why there is no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It would be beyond the limit.
    Limit,
    /// The host has none.
    Host,
}

/// The host's memory as a framework allocates it. What is in use is counted, whoever frees it.
pub struct CountedMemory {
    host: Host,
    /// Most bytes that may be in use; 0: any number.
    limit: usize,
    used: AtomicUsize,
    accesses: AtomicU64,
}

impl CountedMemory {
    /// Memory of `host`, at most `limit` bytes at one time; 0: any number.
    pub fn new(host: Host, limit: usize) -> Self {
        Self {
            host,
            limit,
            used: AtomicUsize::new(0),
            accesses: AtomicU64::new(0),
        }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Number of allocations and releases so far.
    pub fn accesses(&self) -> u64 {
        self.accesses.load(Ordering::Relaxed)
    }

    /// Whether `bytes` more would be within the limit now.
    pub fn has_room(&self, bytes: usize) -> bool {
        self.limit == 0 || self.used().saturating_add(bytes) <= self.limit
    }

    /// Counts memory that the framework keeps elsewhere, until the charge is dropped. `None`: beyond
    /// the limit.
    pub fn charge(&'static self, bytes: usize) -> Option<Charge> {
        // Made only where it counts: a charge that is dropped gives back.
        self.take(bytes).then(|| Charge {
            memory: self,
            bytes,
        })
    }

    /// Adds to the bytes in use, unless that would be beyond the limit.
    fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let within = self.limit == 0 || before.saturating_add(bytes) <= self.limit;
        if !within {
            self.give(bytes);
        }
        within
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A block of `size` bytes at a multiple of 64, or why there is none.
    pub fn alloc(&self, size: usize) -> Result<NonNull<u8>, Refusal> {
        self.accesses.fetch_add(1, Ordering::Relaxed);
        let whole = size.checked_add(EXTRA).ok_or(Refusal::Host)?;
        if !self.take(whole) {
            return Err(Refusal::Limit);
        }
        let Some(base) = self.host.alloc(whole, HEADER) else {
            self.give(whole);
            return Err(Refusal::Host);
        };
        TALLY.set(TALLY.get().wrapping_add(whole));
        // SAFETY: `base` has `size + EXTRA` bytes and is ours alone. The block begins at the first
        // multiple of ALIGN that leaves room for the header: at most EXTRA bytes in. The header's
        // words lie right before it, aligned since ALIGN is a multiple of their size.
        unsafe {
            let header = base.add(HEADER);
            let block = header.add(header.align_offset(ALIGN));
            block.cast::<usize>().sub(1).write(whole);
            block.cast::<NonNull<u8>>().sub(2).write(base);
            Ok(block)
        }
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// `block` came from `alloc` of this memory and is not used any more.
    pub unsafe fn free(&self, block: NonNull<u8>) {
        self.accesses.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `alloc` wrote the two words before the block.
        let (base, whole) = unsafe {
            let base = block.cast::<NonNull<u8>>().sub(2).read();
            (base, block.cast::<usize>().sub(1).read())
        };
        self.give(whole);
        TALLY.set(TALLY.get().wrapping_sub(whole));
        // SAFETY: `base` came from this host and is given back once.
        unsafe { self.host.free(base) };
    }
}

thread_local! {
    /// Bytes that this thread took and has not given back; wraps, since blocks move between threads.
    static TALLY: Cell<usize> = const { Cell::new(0) };
}

/// What `work` gives, and the bytes of counted memory that this thread took for it and still has.
pub fn tally<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = TALLY.get();
    let done = work();
    let taken = TALLY.get().wrapping_sub(before);
    // Giving back more than was taken wraps below zero.
    (done, if taken > usize::MAX / 2 { 0 } else { taken })
}

/// Bytes that are counted as in use.
pub struct Charge {
    memory: &'static CountedMemory,
    bytes: usize,
}

impl Charge {
    /// How many.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.give(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_counted_and_limited() {
        let memory: &'static CountedMemory =
            Box::leak(Box::new(CountedMemory::new(Host::system(), 10_000)));
        let (blocks, taken) = tally(|| [1, 64, 1000].map(|size| memory.alloc(size).unwrap()));
        assert_eq!(taken, memory.used());
        assert!(memory.used() >= 1065);
        for block in blocks {
            assert_eq!(block.as_ptr() as usize % ALIGN, 0);
        }
        assert_eq!(memory.alloc(10_000).unwrap_err(), Refusal::Limit);
        assert_eq!(memory.alloc(usize::MAX).unwrap_err(), Refusal::Host);
        let charge = memory.charge(5_000).unwrap();
        assert!(!memory.has_room(5_000) && memory.charge(5_000).is_none());
        drop(charge);
        for block in blocks {
            // SAFETY: from this memory, given back once.
            unsafe { memory.free(block) };
        }
        assert_eq!((memory.used(), memory.accesses()), (0, 8));
    }
}
