//! The jobs of one model that wait: pure data.
//!
//! A job joins the last group of its kind if it fits there, else it begins a group at the end, and
//! the one that it did not fit into is full. Groups stand in the order of their first jobs, also once
//! those in front have been taken out. So a job is overtaken at most by what still fits into groups
//! in front of it. While the first group waits, what need not wait (it is full, has its minimum, or
//! must run alone) does not wait behind it.

use super::decide::{Decision, Head, Policy, decide};
use super::group::Group;
pub(crate) use super::group::{Items, Waiting};
use super::learn::Learned;
use crate::BatchInfo;
use std::collections::{HashSet, VecDeque};

/// Groups that are looked through, from the end, for one that a new job can join.
const LOOK_BACK: usize = 256;
/// Groups that an empty line keeps memory for.
const KEEP: usize = 64;

/// A model's line.
pub(crate) struct Line<T> {
    groups: VecDeque<Group<T>>,
    /// Groups that wait for nothing.
    due: usize,
    policy: Policy,
    /// Joined runs have failed in a way that says: never again.
    alone: bool,
    /// Nothing waits for more rows any more: the model's key has gone.
    hurry: bool,
    pub(crate) learned: Learned,
}

/// What a look at a line finds.
pub(crate) enum Look {
    Empty,
    /// The group at this place can run, with so many rows at most.
    Ready(usize, u64),
    /// Nothing before this time, unless something comes.
    Until(u64),
}

impl<T: Waiting> Line<T> {
    pub(crate) fn new(policy: Policy) -> Self {
        Self {
            groups: VecDeque::new(),
            due: 0,
            policy,
            alone: false,
            hurry: false,
            learned: Learned::default(),
        }
    }

    /// Whether jobs can share runs here.
    pub(crate) fn batches(&self) -> bool {
        self.policy.most > 1 && !self.alone
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = &T> {
        self.groups.iter().flat_map(|group| &group.items)
    }

    /// From now on nothing waits for more rows.
    pub(crate) fn hurry(&mut self) {
        self.hurry = true;
    }

    /// From now on each job runs alone.
    pub(crate) fn never_join(&mut self) {
        self.alone = true;
    }

    /// What there is to tell.
    pub(crate) fn info(&self) -> BatchInfo {
        let Policy { most, min, .. } = self.policy;
        let rows = self.learned.worth(most).max(min).min(most);
        let (row_nanos, back_nanos) = self.learned.times();
        BatchInfo {
            rows: if self.batches() { rows.max(1) } else { 1 },
            given_up: self.alone,
            row_nanos,
            back_nanos,
        }
    }

    /// Puts a job in its place. `spare` is memory for a group that grows. Whether it began a group.
    pub(crate) fn push(&mut self, item: T, spare: &mut Vec<Vec<T>>) -> bool {
        if !self.batches() {
            return self.begin(item);
        }
        let (class, rows) = (item.class(), item.rows());
        let most = self.policy.most;
        if rows > 0 {
            self.learned.arrived(class, item.since());
        }
        if rows > 0 && rows < most {
            let mut joining = Some(item);
            if let Some(at) = self.last_of(class) {
                self.change(at, |group| {
                    if !group.full && group.rows + rows >= most {
                        group.forget_ended();
                    }
                    if !group.full
                        && group.rows + rows <= most
                        && let Some(item) = joining.take()
                    {
                        group.join(item, spare);
                        group.full = group.rows == most;
                    } else {
                        group.full = true;
                    }
                });
            }
            return joining.is_some_and(|item| self.begin(item));
        }
        self.begin(item)
    }

    /// A job begins a group at the end: yes, it does.
    fn begin(&mut self, item: T) -> bool {
        let most = if self.batches() { self.policy.most } else { 0 };
        let group = Group::new(item, most);
        self.due += usize::from(group.due(self.policy.min));
        self.groups.push_back(group);
        true
    }

    /// Where the last group of a kind is.
    fn last_of(&self, class: u64) -> Option<usize> {
        let mut groups = self.groups.iter().enumerate().rev().take(LOOK_BACK);
        let last = groups.find(|(_, group)| !group.alone && group.class == class);
        last.map(|(at, _)| at)
    }

    /// Changes a group; all changes that matter for `due` come through here.
    fn change(&mut self, at: usize, change: impl FnOnce(&mut Group<T>)) {
        let min = self.policy.min;
        if let Some(group) = self.groups.get_mut(at) {
            self.due -= usize::from(group.due(min));
            change(group);
            self.due += usize::from(group.due(min));
        }
    }

    /// Whether something can run.
    pub(crate) fn look(&self, now: impl FnOnce() -> u64) -> Look {
        if !self.batches() || self.hurry {
            return self
                .groups
                .front()
                .map_or(Look::Empty, |group| Look::Ready(0, group.rows.max(1)));
        }
        let now = now();
        let Some(front) = self.groups.front() else {
            return Look::Empty;
        };
        let known = self.learned.known(self.policy.most);
        let head = |group: &Group<T>| Head {
            rows: group.rows,
            full: group.full,
            since: group.since(),
            deadline: group.deadline,
            last: self.learned.away(group.class),
        };
        match decide(self.policy, head(front), known, now) {
            Decision::Take(rows) => Look::Ready(0, rows),
            Decision::Wait(until) if self.due == 0 => Look::Until(until),
            // It can wait; one behind it need not.
            Decision::Wait(until) => {
                let place = self
                    .groups
                    .iter()
                    .position(|group| group.due(self.policy.min));
                let ready = place.and_then(|at| Some((at, self.groups.get(at)?)));
                match ready.map(|(at, group)| (at, decide(self.policy, head(group), known, now))) {
                    Some((at, Decision::Take(rows))) => Look::Ready(at, rows),
                    _ => Look::Until(until),
                }
            }
        }
    }

    /// As [`Line::look`], at what a worker may take. Where a minimum would count the rows of jobs
    /// that have ended, they go to `ended`.
    pub(crate) fn look_well(&mut self, mut now: impl FnMut() -> u64, ended: &mut Vec<T>) -> Look {
        if self.policy.min == 0 || !self.batches() {
            return self.look(now);
        }
        while self.drop_ended_at(0, ended) {}
        loop {
            match self.look(&mut now) {
                Look::Ready(at, _) if self.drop_ended_at(at, ended) => {}
                look => return look,
            }
        }
    }

    /// Whether the group at `at` had jobs that have ended; it may be gone then.
    fn drop_ended_at(&mut self, at: usize, ended: &mut Vec<T>) -> bool {
        let Some(group) = self.groups.get(at) else {
            return false;
        };
        if group.items.iter().all(Waiting::pending) {
            return false;
        }
        self.change(at, |group| group.drop_ended(ended));
        if self
            .groups
            .get(at)
            .is_some_and(|group| group.items.is_empty())
        {
            self.remove(at);
        } else {
            self.reopen(at);
        }
        true
    }

    /// Takes up to `rows` rows of the group at `at`, one job at least.
    pub(crate) fn take(&mut self, at: usize, rows: u64) -> Items<T> {
        let group = self.groups.get(at);
        if let Some(group) = group.filter(|group| group.items.len() > 1) {
            let rows = if self.alone {
                1
            } else if self.policy.min > 0 || self.hurry {
                rows
            } else {
                self.learned
                    .trial(self.policy.most, group.rows)
                    .unwrap_or(rows)
            };
            if group.rows > rows {
                return self.split(at, rows);
            }
        }
        let items = self.remove(at).map_or_else(Items::new, |group| group.items);
        if self.groups.is_empty() && self.groups.capacity() > KEEP {
            self.groups.shrink_to(KEEP);
        }
        items
    }

    /// Takes the first jobs of a group that have `rows` rows together, one at least.
    fn split(&mut self, at: usize, rows: u64) -> Items<T> {
        let mut taken = Items::new();
        self.change(at, |group| {
            let (mut sum, mut count) = (0, 0);
            for item in &group.items {
                if count > 0 && sum + item.rows() > rows {
                    break;
                }
                // Those that have ended may not be counted any more.
                sum += if item.pending() { item.rows() } else { 0 };
                count += 1;
            }
            taken = group.items.drain(..count).collect();
            group.rows = group.rows.saturating_sub(sum);
        });
        self.reopen(at);
        taken
    }

    /// A group has lost jobs: it has room again, but where another of its kind has begun it takes
    /// no more. One that takes more goes behind those whose first jobs came before its own: what
    /// joins it again and again would hold them up for ever.
    fn reopen(&mut self, at: usize) {
        let mut groups = self.groups.iter().skip(at);
        let Some(group) = groups.next().filter(|group| !group.alone) else {
            return;
        };
        let last = !groups
            .clone()
            .any(|other| !other.alone && other.class == group.class);
        if !last || group.rows >= self.policy.most {
            return;
        }
        let since = group.since();
        let before = groups.take_while(|other| other.since() < since).count();
        self.change(at, |group| group.full = false);
        if before > 0
            && let Some(group) = self.groups.remove(at)
        {
            self.groups.insert(at + before, group);
        }
    }

    fn remove(&mut self, at: usize) -> Option<Group<T>> {
        let group = if at == 0 {
            self.groups.pop_front()
        } else {
            self.groups.remove(at)
        }?;
        self.due -= usize::from(group.due(self.policy.min));
        Some(group)
    }

    /// Takes out jobs that have ended.
    pub(crate) fn take_ended(&mut self, ended: &mut Vec<T>) {
        for group in &mut self.groups {
            group.drop_ended(ended);
        }
        self.groups.retain(|group| !group.items.is_empty());
        // As in `reopen`, for all in one walk.
        self.groups.make_contiguous().sort_by_key(Group::since);
        let mut behind = HashSet::new();
        for group in self.groups.iter_mut().rev().filter(|group| !group.alone) {
            group.full = !behind.insert(group.class) || group.rows >= self.policy.most;
        }
        let min = self.policy.min;
        self.due = self.groups.iter().filter(|group| group.due(min)).count();
    }

    /// Takes out all.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.due = 0;
        let groups = std::mem::take(&mut self.groups);
        groups.into_iter().flat_map(|group| group.items)
    }
}
