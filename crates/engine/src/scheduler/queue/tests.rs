//! Against plain lists.

use super::*;
use proptest::prelude::*;
use std::cell::Cell;
use std::rc::Rc;

#[derive(Clone, Debug)]
struct Item {
    number: usize,
    line: LineId,
    rows: u64,
    class: u64,
    since: u64,
    ended: Rc<Cell<bool>>,
}

impl Waiting for Item {
    fn pending(&self) -> bool {
        !self.ended.get()
    }
    fn rows(&self) -> u64 {
        self.rows
    }
    fn class(&self) -> u64 {
        self.class
    }
    fn since(&self) -> u64 {
        self.since
    }
    fn deadline(&self) -> u64 {
        NEVER
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// Into a line: rows and class.
    Push(usize, u64, u64),
    Next,
    /// One of the items so far ends, wherever it is.
    End(usize),
    /// A run that holds a permit ends.
    Leave,
    TakeEnded,
    Pass(u64),
    Hurry(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..4_usize, 0..6_u64, 0..2_u64).prop_map(|(line, rows, class)| {
            Step::Push(line, rows, class)
        }),
        5 => Just(Step::Next),
        2 => any::<usize>().prop_map(Step::End),
        2 => Just(Step::Leave),
        1 => Just(Step::TakeEnded),
        2 => (0..8_u64).prop_map(Step::Pass),
        1 => (0..40_usize).prop_map(Step::Hurry),
    ];
    proptest::collection::vec(step, 0..120)
}

const MOST: u64 = 4;
const MIN: u64 = 3;
const MIN_WAIT: u64 = 10;

/// Line 0 runs singly, line 1 joins, line 2 waits for a minimum, line 3 joins and has one permit.
fn policy(line: usize) -> (Policy, usize) {
    let joins = Policy {
        most: MOST,
        min: 0,
        min_wait: NEVER,
        wait: true,
    };
    let minimum = Policy {
        min: MIN,
        min_wait: MIN_WAIT,
        ..joins
    };
    match line {
        0 => (Policy::default(), 0),
        1 => (joins, 0),
        2 => (minimum, 0),
        _ => (joins, 1),
    }
}

/// What a plain list knows.
#[derive(Default)]
struct Model {
    line: Vec<Item>,
    all: Vec<Item>,
    taken: Vec<usize>,
    now: u64,
    permits: usize,
    hurry: bool,
}

impl Model {
    /// What must hold for jobs that were taken together.
    fn check(&mut self, taken: &Taken<Item>) -> Result<(), TestCaseError> {
        let items = &taken.items;
        for item in items.iter().chain(&taken.ended) {
            let place = self
                .line
                .iter()
                .position(|other| other.number == item.number);
            prop_assert!(place.is_some(), "{} taken twice", item.number);
            self.line.remove(place.unwrap_or_default());
        }
        prop_assert!(taken.ended.iter().all(|item| !item.pending()));
        prop_assert!(items.iter().all(Waiting::pending));
        let Some(first) = items.first() else {
            prop_assert!(!taken.ended.is_empty());
            return Ok(());
        };
        let (policy, most_runs) = policy(first.line);
        prop_assert!(items.iter().all(|item| item.line == first.line));
        self.taken.push(first.line);
        if most_runs > 0 {
            prop_assert!(taken.permit && self.permits == 0);
            self.permits = 1;
        }
        let rows: u64 = items.iter().map(Waiting::rows).sum();
        if items.len() > 1 {
            prop_assert!(items.iter().all(|item| item.class == first.class));
            prop_assert!(items.iter().all(|item| item.rows > 0));
            prop_assert!(rows <= policy.most);
        }
        // Order among those that can share a run.
        prop_assert!(items.windows(2).all(|pair| pair[0].number < pair[1].number));
        let joins = |item: &Item| item.rows > 0 && item.rows < policy.most;
        let same =
            |item: &&Item| item.line == first.line && item.class == first.class && joins(item);
        let last = items.last().map_or(0, |item| item.number);
        let overtaken = self
            .line
            .iter()
            .filter(same)
            .find(|item| item.number < last);
        if joins(first) {
            prop_assert!(overtaken.is_none(), "{overtaken:?} {items:?}");
            // A minimum is reached, or over, or the next did not fit, or nobody will come.
            let waited = first.since.saturating_add(policy.min_wait) <= self.now;
            // (Members of a full one may have ended since.)
            let full = self.all.iter().filter(same).any(|item| item.number > last);
            let enough = rows >= policy.min.min(policy.most);
            prop_assert!(
                enough || waited || full || self.hurry,
                "{items:?} too early"
            );
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn it_does_what_plain_lists_do(limit in 1_usize..20, steps in steps()) {
        let mut queue = Queue::new(limit);
        for line in 0..4 {
            let (policy, most_runs) = policy(line);
            prop_assert_eq!(queue.add_line(policy, most_runs), line);
        }
        let mut model = Model { now: 1, ..Model::default() };
        for step in steps {
            match step {
                Step::Push(line, rows, class) => {
                    let number = model.all.len();
                    let since = model.now;
                    let item = Item { number, line, rows, class, since, ended: Rc::default() };
                    let full = model.line.len() >= limit;
                    prop_assert_eq!(queue.is_full(), full);
                    prop_assert_eq!(queue.push(line, item.clone()).is_err(), full);
                    if !full {
                        model.all.push(item.clone());
                        model.line.push(item);
                    }
                }
                Step::Next => {
                    if let Some(taken) = queue.next(|| model.now) {
                        model.check(&taken)?;
                        queue.keep(taken.items);
                    } else {
                        // Whatever is left waits for rows or for the permit.
                        let rest = model.line.iter();
                        let stuck = |item: &&Item| match item.line {
                            2 => item.rows == 0 || item.rows >= MOST || model.hurry,
                            3 => model.permits == 0,
                            _ => true,
                        };
                        prop_assert_eq!(rest.filter(stuck).count(), 0);
                        // Each kind waits for itself alone.
                        for class in 0..2 {
                            let kind = |item: &&Item| {
                                item.line == 2 && item.class == class && item.pending()
                            };
                            let kind = || model.line.iter().filter(kind);
                            prop_assert!(kind().map(Waiting::rows).sum::<u64>() < MIN);
                            prop_assert!(kind().all(|item| item.since + MIN_WAIT > model.now));
                        }
                        if model.line.iter().any(|item| item.line == 2) {
                            prop_assert!(queue.next_time() > model.now);
                            prop_assert!(queue.next_time() <= model.now + MIN_WAIT);
                        }
                    }
                }
                Step::End(which) => {
                    if let Some(item) = which.checked_rem(model.all.len()).map(|at| &model.all[at]) {
                        item.ended.set(true);
                    }
                }
                Step::Leave => {
                    if model.permits > 0 {
                        model.permits = 0;
                        queue.leave(3, true, || model.now);
                    }
                }
                Step::TakeEnded => {
                    let ended = queue.take_ended();
                    let (kept, gone): (Vec<_>, Vec<_>) =
                        std::mem::take(&mut model.line).into_iter().partition(Item::pending);
                    model.line = kept;
                    prop_assert_eq!(ended.len(), gone.len());
                    prop_assert!(ended.iter().all(|item| !item.pending()));
                }
                Step::Pass(time) => model.now += time,
                Step::Hurry(0) => {
                    model.hurry = true;
                    queue.hurry(2);
                }
                Step::Hurry(_) => {}
            }
            prop_assert_eq!(queue.len(), model.line.len());
            let waiting = model.line.iter().filter(|item| item.pending()).count();
            prop_assert_eq!(queue.pending(), waiting);
            prop_assert!(queue.peak() >= queue.len());
        }
        prop_assert_eq!(queue.drain().len(), model.line.len());
    }
}

fn item(number: usize, rows: u64) -> Item {
    Item {
        number,
        line: 0,
        rows,
        class: 0,
        since: 1,
        ended: Rc::default(),
    }
}

fn numbers(queue: &mut Queue<Item>) -> Vec<usize> {
    let taken = queue.next(|| 1);
    let items = taken.map(|taken| taken.items).unwrap_or_default();
    items.iter().map(|item| item.number).collect()
}

#[test]
fn jobs_that_have_ended_take_no_room_in_a_batch() {
    let mut queue = Queue::new(100);
    let line = queue.add_line(policy(2).0, 0);
    let (gone, stays) = (item(0, 2), item(1, 1));
    assert!(queue.push(line, gone.clone()).is_ok() && queue.push(line, stays).is_ok());
    gone.ended.set(true);
    assert!(numbers(&mut queue).is_empty());
    assert!(queue.push(line, item(2, 2)).is_ok());
    assert_eq!(numbers(&mut queue), [1, 2]);
    // Nor where one ends after the batch was full.
    let last = item(4, 3);
    assert!(queue.push(line, item(3, 1)).is_ok() && queue.push(line, last.clone()).is_ok());
    last.ended.set(true);
    assert_eq!(queue.take_ended().len(), 1);
    assert!(numbers(&mut queue).is_empty());
    assert!(queue.push(line, item(5, 2)).is_ok());
    assert_eq!(numbers(&mut queue), [3, 5]);
}

/// Requests of one kind that come again and again, where larger runs do not pay: what a run leaves
/// stands behind another kind that came before it.
#[test]
fn a_flood_of_one_kind_holds_up_no_other() {
    let mut queue = Queue::new(100);
    let line = queue.add_line(policy(1).0, 0);
    for rows in [1, 1, 1, 2, 2, 2] {
        queue.ran(
            line,
            Ran {
                rows,
                jobs: 1,
                class: 0,
                ended: 1,
                cost: 100_000 * rows,
            },
        );
    }
    let mut came = 0;
    let mut push = |queue: &mut Queue<Item>, class| {
        let item = Item {
            class,
            since: came as u64 + 1,
            ..item(came, 1)
        };
        assert!(queue.push(line, item).is_ok());
        came += 1;
    };
    [0, 0, 1]
        .into_iter()
        .for_each(|class| push(&mut queue, class));
    let mut order = Vec::new();
    for _ in 0..5 {
        push(&mut queue, 0);
        order.extend(numbers(&mut queue));
    }
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn lines_take_turns() {
    let mut queue = Queue::new(100);
    let lines = [(); 3].map(|()| queue.add_line(Policy::default(), 0));
    for number in 0..5 {
        assert!(queue.push(lines[0], item(number, 0)).is_ok());
    }
    for number in 5..7 {
        assert!(queue.push(lines[1], item(number, 0)).is_ok());
    }
    assert!(queue.push(lines[2], item(7, 0)).is_ok());
    let order: Vec<_> = (0..8).flat_map(|_| numbers(&mut queue)).collect();
    assert_eq!(order, [0, 5, 7, 1, 6, 2, 3, 4]);
    assert!(numbers(&mut queue).is_empty());
}

#[test]
fn a_line_that_is_not_needed_any_more_is_used_again() {
    let mut queue = Queue::<Item>::new(100);
    let first = queue.add_line(Policy::default(), 0);
    let second = queue.add_line(Policy::default(), 0);
    queue.remove_line(first);
    queue.remove_line(first);
    assert_eq!(queue.add_line(Policy::default(), 0), first);
    assert_eq!(queue.add_line(Policy::default(), 0), second + 1);
    // A line that is not there takes nothing.
    queue.remove_line(second);
    assert!(queue.push(second, item(0, 0)).is_err());
}

#[test]
fn threads_and_jobs_share_the_permits() {
    let mut queue = Queue::new(100);
    let line = queue.add_line(Policy::default(), 1);
    assert!(queue.enter(line, true));
    assert!(!queue.enter(line, false) && !queue.enter(line, true));
    assert!(queue.push(line, item(1, 0)).is_ok() && queue.push(line, item(2, 0)).is_ok());
    assert!(numbers(&mut queue).is_empty() && !queue.collect(line));
    // It is a job's turn, then a thread's.
    assert_eq!(queue.leave(line, true, || 1), (true, false));
    assert_eq!(numbers(&mut queue), [1]);
    assert_eq!(queue.leave(line, true, || 1), (false, true));
    assert!(queue.collect(line) && numbers(&mut queue).is_empty());
    queue.leave(line, true, || 1);
    assert_eq!(numbers(&mut queue), [2]);
}
