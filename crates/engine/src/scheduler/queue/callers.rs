//! Threads that run a model on their own, and permits.

use super::{LineId, Queue, Waiting};

impl<T: Waiting> Queue<T> {
    /// A permit comes back. Whether the line can go on with it, and whether threads got one.
    pub(crate) fn leave(
        &mut self,
        id: LineId,
        worker_free: bool,
        now: impl FnOnce() -> u64,
    ) -> (bool, bool) {
        if let Some(Some(place)) = self.places.get_mut(id) {
            place.permits.give_back();
        }
        let granted = self.grant(worker_free);
        (self.settle(id, now), granted)
    }

    /// A permit for a thread at once; else it waits from now on, if it wants to.
    pub(crate) fn enter(&mut self, id: LineId, wait: bool) -> bool {
        let Some(Some(place)) = self.places.get_mut(id) else {
            return true;
        };
        let entered = place.permits.enter_now();
        if !entered && wait {
            place.permits.wait();
            self.callers += 1;
        }
        entered
    }

    /// A thread that waits looks for its permit.
    pub(crate) fn collect(&mut self, id: LineId) -> bool {
        let collected = match self.places.get_mut(id) {
            Some(Some(place)) => place.permits.collect(),
            _ => true,
        };
        self.callers -= usize::from(collected);
        collected
    }

    /// A thread that nothing was granted to waits no longer.
    pub(crate) fn give_up(&mut self, id: LineId) {
        if let Some(Some(place)) = self.places.get_mut(id) {
            place.permits.give_up();
            self.callers -= 1;
        }
    }

    /// Gives free permits to threads that wait; whether any got one.
    pub(crate) fn grant(&mut self, worker_free: bool) -> bool {
        if self.callers == 0 {
            return false;
        }
        let mut granted = 0;
        for place in self.places.iter_mut().flatten() {
            if place.permits.wanted() {
                granted += place.permits.grant(!place.line.is_empty(), worker_free);
            }
        }
        granted > 0
    }
}
