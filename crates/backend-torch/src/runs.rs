//! Runs that are going on, so that they can be stopped by number.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shards, so that workers seldom meet at a lock.
const SHARDS: usize = 16;

/// Numbers of runs, and the flag of each.
type Flags = Vec<(u64, Arc<AtomicU8>)>;

/// The flags of the runs that are going on.
#[derive(Default)]
pub(crate) struct Runs {
    shards: [Mutex<Flags>; SHARDS],
}

impl Runs {
    /// Begins a run: until the guard is dropped, `cancel(id)` stops it.
    pub(crate) fn begin(&self, id: u64) -> Running<'_> {
        let flag = Arc::new(AtomicU8::new(0));
        self.shard(id).push((id, Arc::clone(&flag)));
        Running {
            runs: self,
            id,
            flag,
        }
    }

    /// Asks the run of this number to stop at its next turn of a loop or call of a function.
    pub(crate) fn cancel(&self, id: u64) {
        for (_, flag) in self.shard(id).iter().filter(|active| active.0 == id) {
            flag.store(1, Ordering::Release);
        }
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, Flags> {
        let [first, ..] = &self.shards;
        let place = usize::try_from(id % SHARDS as u64).unwrap_or(0);
        self.shards
            .get(place)
            .unwrap_or(first)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is going on.
pub(crate) struct Running<'a> {
    runs: &'a Runs,
    id: u64,
    flag: Arc<AtomicU8>,
}

impl Running<'_> {
    /// Its flag, valid until the guard is dropped.
    pub(crate) fn flag(&self) -> *const u8 {
        self.flag.as_ptr()
    }

    /// Whether it was asked to stop.
    pub(crate) fn stopped(&self) -> bool {
        self.flag.load(Ordering::Acquire) != 0
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut shard = self.runs.shard(self.id);
        if let Some(place) = shard
            .iter()
            .position(|active| Arc::ptr_eq(&active.1, &self.flag))
        {
            shard.swap_remove(place);
        }
    }
}
