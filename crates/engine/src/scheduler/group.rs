//! Jobs that will share a run.

use super::decide::NEVER;
use smallvec::SmallVec;

/// Something that waits in a line.
pub(crate) trait Waiting {
    /// Whether somebody still waits for it.
    fn pending(&self) -> bool;
    /// Its rows; 0: it must run alone.
    fn rows(&self) -> u64;
    /// Jobs of one model with the same class can share a run.
    fn class(&self) -> u64;
    /// When it came: nanoseconds of the clock.
    fn since(&self) -> u64;
    /// When its client gives up; [`NEVER`]: not.
    fn deadline(&self) -> u64;
}

/// Jobs of one run.
pub(crate) type Items<T> = SmallVec<[T; 1]>;

/// Jobs of one kind that will share a run, or one that runs alone.
pub(crate) struct Group<T> {
    pub(crate) items: Items<T>,
    pub(crate) rows: u64,
    pub(crate) class: u64,
    /// Its one job has no rows, or all that a run may have.
    pub(crate) alone: bool,
    /// Nothing can join.
    pub(crate) full: bool,
    pub(crate) deadline: u64,
}

impl<T: Waiting> Group<T> {
    /// `most`: the rows of a full one; 0: rows do not matter.
    pub(crate) fn new(item: T, most: u64) -> Self {
        let rows = item.rows();
        Self {
            rows,
            class: item.class(),
            alone: rows == 0 || rows >= most,
            full: most > 0 && (rows == 0 || rows >= most),
            deadline: item.deadline(),
            items: SmallVec::from_buf([item]),
        }
    }

    /// When its first job came; [`NEVER`]: it has none.
    pub(crate) fn since(&self) -> u64 {
        self.items.first().map_or(NEVER, Waiting::since)
    }

    /// Whether it waits for nothing: it is full, or has the rows of a minimum (0: there is none).
    pub(crate) fn due(&self, min: u64) -> bool {
        self.full || (min > 0 && self.rows >= min)
    }

    /// Takes one more in. `spare` is memory for a group that grows.
    pub(crate) fn join(&mut self, item: T, spare: &mut Vec<Vec<T>>) {
        self.rows += item.rows();
        self.deadline = self.deadline.min(item.deadline());
        if !self.items.spilled()
            && let Some(mut roomy) = spare.pop()
        {
            roomy.extend(self.items.drain(..));
            self.items = SmallVec::from_vec(roomy);
        }
        self.items.push(item);
    }

    /// Rows of jobs that have ended do not count any more. They stay in their place.
    pub(crate) fn forget_ended(&mut self) {
        let pending = self.items.iter().filter(|item| item.pending());
        self.rows = pending.map(Waiting::rows).sum();
    }

    /// Moves jobs that have ended to `ended`.
    pub(crate) fn drop_ended(&mut self, ended: &mut Vec<T>) {
        let mut kept = Items::new();
        for item in self.items.drain(..) {
            if item.pending() {
                kept.push(item);
            } else {
                ended.push(item);
            }
        }
        self.items = kept;
        self.rows = self.items.iter().map(Waiting::rows).sum();
        self.deadline = self
            .items
            .iter()
            .map(Waiting::deadline)
            .min()
            .unwrap_or(NEVER);
    }
}
