//! Runs that are going on, so that they can be stopped by number.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shards, so that workers seldom meet at a lock.
const SHARDS: usize = 16;

type Shard = Vec<(u64, Arc<AtomicBool>)>;

/// Flags of the runs that are going on, by the run's number.
#[derive(Default)]
pub struct Stops {
    shards: [Mutex<Shard>; SHARDS],
}

impl Stops {
    /// Begins a run: `flag` is cleared, and until the guard is dropped `cancel(id)` sets it.
    pub fn begin(&self, id: u64, flag: &Arc<AtomicBool>) -> Stoppable<'_> {
        let mut shard = self.shard(id);
        flag.store(false, Ordering::Relaxed);
        shard.push((id, Arc::clone(flag)));
        Stoppable {
            stops: self,
            id,
            flag: Arc::clone(flag),
        }
    }

    /// Begins a run with a flag of its own.
    pub fn start(&self, id: u64) -> Stoppable<'_> {
        self.begin(id, &Arc::default())
    }

    /// Sets the flag of the run of this number; a number that is not running is ignored.
    pub fn cancel(&self, id: u64) {
        for (_, flag) in self.shard(id).iter().filter(|run| run.0 == id) {
            flag.store(true, Ordering::Release);
        }
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let place = usize::try_from(id % SHARDS as u64).unwrap_or(0);
        let shard = self.shards.get(place).unwrap_or(first);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is going on.
pub struct Stoppable<'a> {
    stops: &'a Stops,
    id: u64,
    flag: Arc<AtomicBool>,
}

impl Stoppable<'_> {
    /// Whether the run was cancelled.
    pub fn stopped(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    /// The flag as a byte, 0 or 1, which another thread may set; valid until this is dropped.
    pub fn flag(&self) -> *const u8 {
        self.flag.as_ptr().cast_const().cast()
    }
}

impl Drop for Stoppable<'_> {
    fn drop(&mut self) {
        let mut shard = self.stops.shard(self.id);
        let own = |run: &(u64, Arc<AtomicBool>)| Arc::ptr_eq(&run.1, &self.flag);
        if let Some(place) = shard.iter().position(own) {
            shard.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stops_its_own_run_while_it_goes_on() {
        let stops = Stops::default();
        let (one, other) = (Arc::default(), Arc::default());
        let first = stops.begin(1, &one);
        // 17 lies in the shard of 1.
        let second = stops.begin(17, &other);
        stops.cancel(1);
        stops.cancel(99);
        assert!(first.stopped() && !second.stopped());
        drop(first);
        let again = stops.begin(3, &one);
        assert!(!again.stopped());
        stops.cancel(1);
        assert!(!again.stopped(), "the run of this number is over");
    }
}
