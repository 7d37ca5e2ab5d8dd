//! A device's jobs in line: pure data, no lock, no time.
//!
//! Each model has a [`Line`]. Those that can run stand in a ring and take turns, one run each; a
//! line that waits for more rows, or for a permit to run, stands outside and holds up no other.

mod callers;

use super::decide::{NEVER, Policy};
use super::learn::Ran;
pub(crate) use super::line::{Items, Waiting};
use super::line::{Line, Look};
use super::permits::Permits;
use crate::BatchInfo;
use std::collections::VecDeque;

/// Memory of large groups that is kept for the next ones: so many, and
const SPARE: usize = 16;
/// none for more jobs than this.
const SPARE_JOBS: usize = 1024;

/// Where a model's jobs wait, in its device's queue.
pub(crate) type LineId = usize;

/// The lines of a device, bounded together.
///
/// A job that ends while it waits (deadline, client gone) stays in its place, emptied, until it is
/// taken, or until room is needed: ending is then free of this queue's lock.
pub(crate) struct Queue<T> {
    places: Vec<Option<Place<T>>>,
    free: Vec<LineId>,
    /// Lines that can run, the next one first.
    ring: VecDeque<LineId>,
    /// Lines that wait for rows, and until when.
    waiting: Vec<(u64, LineId)>,
    len: usize,
    peak: usize,
    limit: usize,
    spare: Vec<Vec<T>>,
    /// Threads that wait for a permit, in all lines.
    callers: usize,
}

struct Place<T> {
    line: Line<T>,
    permits: Permits,
    stand: Stand,
}

/// Where a line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    /// It is empty, or waits for a permit.
    Out,
    Ring,
    Waiting,
}

/// What a worker takes.
pub(crate) struct Taken<T> {
    pub(crate) line: LineId,
    /// Whether the run holds a permit, to be given back.
    pub(crate) permit: bool,
    /// Whether the line wants to know of the run.
    pub(crate) learns: bool,
    /// Jobs to run together.
    pub(crate) items: Items<T>,
    /// Jobs that have ended while they stood in line.
    pub(crate) ended: Vec<T>,
}

impl<T: Waiting> Queue<T> {
    /// An empty queue for `limit` jobs.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            ring: VecDeque::new(),
            waiting: Vec::new(),
            len: 0,
            peak: 0,
            limit,
            spare: Vec::new(),
            callers: 0,
        }
    }

    /// A line for a model of which `most_runs` may go on at one time (0: any number).
    pub(crate) fn add_line(&mut self, policy: Policy, most_runs: usize) -> LineId {
        let place = Some(Place {
            line: Line::new(policy),
            permits: Permits::new(most_runs),
            stand: Stand::Out,
        });
        let id = self.free.pop().unwrap_or(self.places.len());
        match self.places.get_mut(id) {
            Some(old) => *old = place,
            None => self.places.push(place),
        }
        id
    }

    /// Forgets a line that nobody will use any more; it is empty.
    pub(crate) fn remove_line(&mut self, id: LineId) {
        self.ring.retain(|&other| other != id);
        self.waiting.retain(|&(_, other)| other != id);
        if self.places.get_mut(id).and_then(Option::take).is_some() {
            self.free.push(id);
        }
    }

    /// Jobs that wait, those that have ended but stand in line included.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The most that there ever were.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// Jobs that wait and have not ended. Walks through them.
    pub(crate) fn pending(&self) -> usize {
        let places = self.places.iter().flatten();
        let items = places.flat_map(|place| place.line.items());
        items.filter(|item| item.pending()).count()
    }

    /// Whether no more are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.len >= self.limit
    }

    /// Whether a line can run.
    pub(crate) fn ready(&self) -> bool {
        !self.ring.is_empty()
    }

    /// When the first line that waits for rows can wait no longer; [`NEVER`]: there is none.
    pub(crate) fn next_time(&self) -> u64 {
        let times = self.waiting.iter().map(|&(until, _)| until);
        times.min().unwrap_or(NEVER)
    }

    /// Puts a job in its line; gives it back when full. Whether there is more to run than before.
    pub(crate) fn push(&mut self, id: LineId, item: T) -> Result<bool, T> {
        if self.is_full() {
            return Err(item);
        }
        let Some(Some(place)) = self.places.get_mut(id) else {
            return Err(item);
        };
        let now = item.since();
        let began = place.line.push(item, &mut self.spare);
        self.len += 1;
        self.peak = self.peak.max(self.len);
        if place.stand == Stand::Ring {
            return Ok(began);
        }
        Ok(self.settle(id, || now))
    }

    /// The next jobs to run, all of one line. `None`: nothing can run now; see
    /// [`Queue::next_time`].
    pub(crate) fn next(&mut self, mut now: impl FnMut() -> u64) -> Option<Taken<T>> {
        self.end_waits(&mut now);
        let mut ended = Vec::new();
        while let Some(id) = self.ring.pop_front() {
            let Some(Some(place)) = self.places.get_mut(id) else {
                continue;
            };
            place.stand = Stand::Out;
            let Some(permit) = place.permits.take() else {
                continue;
            };
            let before = ended.len();
            let look = place.line.look_well(&mut now, &mut ended);
            self.len -= ended.len() - before;
            let mut items = Items::new();
            if let Look::Ready(at, rows) = look {
                items = place.line.take(at, rows);
                self.len -= items.len();
                keep_pending(&mut items, &mut ended);
            }
            let learns = place.line.batches();
            if items.is_empty() {
                place.permits.give_back();
            } else {
                place.permits.job_runs();
            }
            self.settle(id, &mut now);
            if !(items.is_empty() && ended.is_empty()) {
                let permit = permit && !items.is_empty();
                return Some(Taken {
                    line: id,
                    permit,
                    learns,
                    items,
                    ended,
                });
            }
        }
        None
    }

    /// Lets the lines go on that have waited long enough.
    fn end_waits(&mut self, now: &mut impl FnMut() -> u64) {
        if self.waiting.is_empty() {
            return;
        }
        let now = now();
        while let Some(&(_, id)) = self.waiting.iter().find(|(until, _)| *until <= now) {
            self.leave_waiting(id);
            // Not by what the line looks like: what it waited for is over.
            if let Some(Some(place)) = self.places.get_mut(id) {
                place.stand = Stand::Ring;
                self.ring.push_back(id);
            }
        }
    }

    fn leave_waiting(&mut self, id: LineId) {
        if let Some(Some(place)) = self.places.get_mut(id)
            && place.stand == Stand::Waiting
        {
            place.stand = Stand::Out;
            self.waiting.retain(|&(_, other)| other != id);
        }
    }

    /// Puts a line where it belongs now, unless it stands in the ring. Whether it came into the
    /// ring.
    fn settle(&mut self, id: LineId, now: impl FnOnce() -> u64) -> bool {
        self.leave_waiting(id);
        let Some(Some(place)) = self.places.get_mut(id) else {
            return false;
        };
        if place.stand == Stand::Ring || !place.permits.free() {
            return false;
        }
        match place.line.look(now) {
            Look::Empty => false,
            Look::Ready(..) => {
                place.stand = Stand::Ring;
                self.ring.push_back(id);
                true
            }
            Look::Until(until) => {
                place.stand = Stand::Waiting;
                self.waiting.push((until, id));
                false
            }
        }
    }

    /// What a run has shown.
    pub(crate) fn ran(&mut self, id: LineId, ran: Ran) {
        if let Some(Some(place)) = self.places.get_mut(id) {
            place.line.learned.ran(ran);
        }
    }

    /// Takes memory back for later groups.
    pub(crate) fn keep(&mut self, items: Items<T>) {
        if items.spilled() && items.capacity() <= SPARE_JOBS && self.spare.len() < SPARE {
            let mut spare = items.into_vec();
            spare.clear();
            self.spare.push(spare);
        }
    }

    /// Nothing of this line waits for rows any more, now or later.
    pub(crate) fn hurry(&mut self, id: LineId) {
        if let Some(Some(place)) = self.places.get_mut(id) {
            place.line.hurry();
        }
        self.settle(id, || 0);
    }

    /// Jobs of this line run alone from now on.
    pub(crate) fn never_join(&mut self, id: LineId) {
        if let Some(Some(place)) = self.places.get_mut(id) {
            place.line.never_join();
        }
        self.settle(id, || 0);
    }

    /// What has been learned of a line.
    pub(crate) fn learned(&self, id: LineId) -> Option<BatchInfo> {
        Some(self.places.get(id)?.as_ref()?.line.info())
    }

    /// Takes out those that have ended; order is kept.
    pub(crate) fn take_ended(&mut self) -> Vec<T> {
        let mut ended = Vec::new();
        for place in self.places.iter_mut().flatten() {
            place.line.take_ended(&mut ended);
        }
        self.len -= ended.len();
        ended
    }

    /// Takes out all.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        self.len = 0;
        let places = self.places.iter_mut().flatten();
        places.flat_map(|place| place.line.drain()).collect()
    }
}

fn keep_pending<T: Waiting>(items: &mut Items<T>, ended: &mut Vec<T>) {
    if items.iter().all(Waiting::pending) {
        return;
    }
    for item in std::mem::take(items) {
        if item.pending() {
            items.push(item);
        } else {
            ended.push(item);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
