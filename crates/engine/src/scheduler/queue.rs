//! Jobs in line: pure data, no lock, no time.

use std::collections::VecDeque;

/// Something that waits in a queue.
pub(crate) trait Waiting {
    /// Whether somebody still waits for it.
    fn pending(&self) -> bool;
}

/// First come, first served, and bounded.
///
/// A job that ends while it waits (deadline, client gone) stays in its place, emptied, until it is
/// taken, or until room is needed: ending is then free of this queue's lock.
pub(crate) struct Queue<T> {
    items: VecDeque<T>,
    limit: usize,
    /// Jobs that count here but wait elsewhere, for a permit.
    outside: usize,
}

impl<T: Waiting> Queue<T> {
    /// An empty queue for `limit` jobs.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            items: VecDeque::new(),
            limit,
            outside: 0,
        }
    }

    /// Jobs that wait, those that have ended but stand in line included.
    pub(crate) fn len(&self) -> usize {
        self.items.len() + self.outside
    }

    /// Jobs that wait and have not ended. Walks through them.
    pub(crate) fn pending(&self) -> usize {
        self.items.iter().filter(|item| item.pending()).count() + self.outside
    }

    /// Whether no more are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.len() >= self.limit
    }

    /// Puts a job at the end; gives it back when full.
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Puts a job that was taken too early back where it was.
    pub(crate) fn put_back(&mut self, item: T) {
        self.items.push_front(item);
    }

    /// The next job, ended or not.
    pub(crate) fn next(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// Takes out those that have ended; order is kept.
    pub(crate) fn take_ended(&mut self) -> Vec<T> {
        let (kept, ended) = std::mem::take(&mut self.items)
            .into_iter()
            .partition(Waiting::pending);
        self.items = kept;
        let ended: VecDeque<T> = ended;
        ended.into()
    }

    /// Takes out all.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        std::mem::take(&mut self.items).into()
    }

    /// Counts jobs that wait elsewhere.
    pub(crate) fn add_outside(&mut self, change: isize) {
        self.outside = self.outside.saturating_add_signed(change);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[derive(Clone, Debug)]
    struct Item {
        number: usize,
        ended: Rc<Cell<bool>>,
    }

    impl Waiting for Item {
        fn pending(&self) -> bool {
            !self.ended.get()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push,
        Next,
        /// One of the items so far ends, wherever it is.
        End(usize),
        /// The last one that was taken goes to be parked,
        Park,
        /// and the first parked comes back.
        Back,
        TakeEnded,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Push),
            3 => Just(Step::Next),
            2 => any::<usize>().prop_map(Step::End),
            1 => Just(Step::Park),
            1 => Just(Step::Back),
            1 => Just(Step::TakeEnded),
        ];
        proptest::collection::vec(step, 0..60)
    }

    fn numbers(items: &[Item]) -> Vec<usize> {
        items.iter().map(|item| item.number).collect()
    }

    proptest! {
        /// Against a plain list: order, the bound, and that nothing is lost or doubled.
        #[test]
        fn it_does_what_a_plain_list_does(limit in 0_usize..8, steps in steps()) {
            let mut queue = Queue::new(limit);
            let mut line: Vec<Item> = Vec::new();
            let mut parked: Vec<Item> = Vec::new();
            let mut all: Vec<Item> = Vec::new();
            let mut taken: Option<Item> = None;
            for step in steps {
                match step {
                    Step::Push => {
                        let item = Item { number: all.len(), ended: Rc::default() };
                        all.push(item.clone());
                        let full = line.len() + parked.len() >= limit;
                        prop_assert_eq!(queue.is_full(), full);
                        prop_assert_eq!(queue.push(item.clone()).is_err(), full);
                        if !full {
                            line.push(item);
                        }
                    }
                    Step::Next => {
                        let item = queue.next();
                        let expected = (!line.is_empty()).then(|| line.remove(0).number);
                        prop_assert_eq!(item.as_ref().map(|item| item.number), expected);
                        taken = item;
                    }
                    Step::End(which) => {
                        if let Some(item) = which.checked_rem(all.len()).map(|at| &all[at]) {
                            item.ended.set(true);
                        }
                    }
                    Step::Park => {
                        if let Some(item) = taken.take() {
                            queue.add_outside(1);
                            parked.push(item);
                        }
                    }
                    Step::Back => {
                        if !parked.is_empty() {
                            let item = parked.remove(0);
                            queue.add_outside(-1);
                            queue.put_back(item.clone());
                            line.insert(0, item);
                        }
                    }
                    Step::TakeEnded => {
                        let (kept, ended): (Vec<_>, Vec<_>) =
                            line.into_iter().partition(Item::pending);
                        line = kept;
                        prop_assert_eq!(numbers(&queue.take_ended()), numbers(&ended));
                    }
                }
                prop_assert_eq!(queue.len(), line.len() + parked.len());
                let waiting = line.iter().filter(|item| item.pending()).count();
                prop_assert_eq!(queue.pending(), waiting + parked.len());
            }
            prop_assert_eq!(numbers(&queue.drain()), numbers(&line));
        }
    }
}
