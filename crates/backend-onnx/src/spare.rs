//! Big blocks that runs have freed, kept a moment for the next run.
//!
//! A run takes its intermediate values as one block. From some size on an allocator gives such a block
//! back to the system at once (jemalloc from 8 MiB on), so that each run would have the system clear
//! every page of it again: a third of the time of a convolutional model with a batch of 8. What no run
//! has used for [`KEPT`] is given back, so an idle server keeps nothing.

use std::ptr::NonNull;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Smaller blocks come fast enough from the host.
const LEAST: usize = 1 << 20;
/// Bytes that are kept at most.
const MOST: usize = 256 << 20;
/// Blocks that are kept at most.
const BLOCKS: usize = 8;
/// How long after the last use.
const KEPT: Duration = Duration::from_secs(1);

/// A block of the host's memory, and its size.
pub(crate) struct Block {
    pub(crate) base: NonNull<u8>,
    pub(crate) size: usize,
}

// SAFETY: memory that nobody uses; whoever takes the block owns it.
unsafe impl Send for Block {}

/// The blocks that are kept.
pub(crate) struct Spare {
    state: Mutex<State>,
    used: Condvar,
}

struct State {
    /// The oldest first.
    blocks: Vec<Block>,
    last_use: Instant,
    watch: Watch,
}

/// The thread that gives back what is no longer used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Watch {
    /// There is none yet.
    None,
    /// It waits for a block: nothing is kept.
    Asleep,
    /// It waits for the end of the time.
    Awake,
}

impl Spare {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                blocks: Vec::with_capacity(BLOCKS + 1),
                last_use: Instant::now(),
                watch: Watch::None,
            }),
            used: Condvar::new(),
        }
    }

    /// Whether a block is one to keep.
    pub(crate) fn wants(block: &Block) -> bool {
        (LEAST..=MOST).contains(&block.size)
    }

    /// The smallest block that has `size` bytes, unless a quarter of it or more would lie idle.
    pub(crate) fn take(&self, size: usize) -> Option<Block> {
        if size < LEAST {
            return None;
        }
        let mut state = self.lock();
        let fits = |block: &Block| block.size >= size && block.size - size < block.size / 4;
        let place = (0..state.blocks.len())
            .filter(|&place| state.blocks.get(place).is_some_and(fits))
            .min_by_key(|&place| state.blocks.get(place).map(|block| block.size))?;
        state.last_use = Instant::now();
        Some(state.blocks.remove(place))
    }

    /// Keeps a block; gives those that are to be freed instead, itself perhaps. `start` starts the
    /// thread that calls [`Self::watch`], once, and says whether it runs.
    pub(crate) fn keep(&self, block: Block, start: impl FnOnce() -> bool) -> Vec<Block> {
        let mut state = self.lock();
        match state.watch {
            Watch::None if !start() => return vec![block],
            Watch::Asleep => self.used.notify_one(),
            Watch::None | Watch::Awake => {}
        }
        state.watch = Watch::Awake;
        state.last_use = Instant::now();
        state.blocks.push(block);
        let mut total: usize = state.blocks.iter().map(|block| block.size).sum();
        let mut old = Vec::new();
        while total > MOST || state.blocks.len() > BLOCKS {
            let block = state.blocks.remove(0);
            total -= block.size;
            old.push(block);
        }
        old
    }

    /// All blocks.
    pub(crate) fn take_all(&self) -> Vec<Block> {
        std::mem::take(&mut self.lock().blocks)
    }

    /// Hands out what has not been used for a while, for ever.
    pub(crate) fn watch(&self, mut free: impl FnMut(Vec<Block>)) {
        let mut state = self.lock();
        loop {
            if let Some(left) = KEPT.checked_sub(state.last_use.elapsed()) {
                let waited = self.used.wait_timeout(state, left);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let blocks = std::mem::take(&mut state.blocks);
            state.watch = Watch::Asleep;
            drop(state);
            free(blocks);
            state = self.lock();
            while state.watch == Watch::Asleep {
                state = self
                    .used
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Memory that nothing looks into.
    fn block(size: usize) -> Block {
        let base = NonNull::dangling();
        Block { base, size }
    }

    fn keep(spare: &Spare, size: usize) -> Vec<usize> {
        let freed = spare.keep(block(size), || true);
        freed.iter().map(|block| block.size).collect()
    }

    fn take(spare: &Spare, size: usize) -> Option<usize> {
        spare.take(size).map(|block| block.size)
    }

    #[test]
    fn the_smallest_that_fits_is_taken_once() {
        let spare = Spare::new();
        for size in [12 << 20, 10 << 20, 11 << 20, LEAST] {
            assert!(keep(&spare, size).is_empty());
        }
        assert_eq!(take(&spare, (10 << 20) - 1), Some(10 << 20));
        assert_eq!(take(&spare, (10 << 20) - 1), Some(11 << 20));
        assert_eq!(take(&spare, 13 << 20), None);
        assert_eq!(
            take(&spare, 9 << 20),
            None,
            "a quarter of 12 would lie idle"
        );
        assert_eq!(take(&spare, LEAST - 1), None);
        assert_eq!(take(&spare, LEAST), Some(LEAST));
    }

    #[test]
    fn bytes_and_blocks_are_bounded_and_the_oldest_go() {
        let spare = Spare::new();
        assert!(keep(&spare, MOST - 1).is_empty());
        assert!(keep(&spare, LEAST).len() == 1);
        for size in 1..BLOCKS {
            assert!(keep(&spare, LEAST + size).is_empty());
        }
        assert_eq!(keep(&spare, 2 * LEAST), [LEAST]);
        assert_eq!(
            keep(&spare, MOST),
            (1..BLOCKS)
                .map(|size| LEAST + size)
                .chain([2 * LEAST])
                .collect::<Vec<_>>()
        );
        for (size, wanted) in [
            (LEAST - 1, false),
            (LEAST, true),
            (MOST, true),
            (MOST + 1, false),
        ] {
            assert_eq!(Spare::wants(&block(size)), wanted, "{size}");
        }
    }

    #[test]
    fn without_a_thread_nothing_is_kept() {
        let spare = Spare::new();
        assert_eq!(spare.keep(block(LEAST), || false).len(), 1);
        assert!(spare.take_all().is_empty());
        assert!(spare.keep(block(LEAST), || true).is_empty());
        assert!(
            spare
                .keep(block(LEAST), || unreachable!("it runs"))
                .is_empty()
        );
        assert_eq!(spare.take_all().len(), 2);
    }

    #[test]
    fn what_is_not_used_is_given_back_each_time() {
        let spare: &'static Spare = Box::leak(Box::new(Spare::new()));
        let (send, freed) = channel();
        for size in [LEAST, 2 * LEAST, 3 * LEAST] {
            let send = send.clone();
            let kept = spare.keep(block(size), move || {
                std::thread::spawn(move || spare.watch(|blocks| send.send(blocks.len()).unwrap()));
                true
            });
            assert!(kept.is_empty());
            let start = Instant::now();
            assert_eq!(freed.recv_timeout(Duration::from_secs(30)), Ok(1), "{size}");
            assert!(start.elapsed() > KEPT / 2);
        }
    }
}
