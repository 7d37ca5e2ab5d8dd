//! The gate with plain numbers for jobs.

use super::*;
use crate::SystemClock;

#[derive(Debug)]
struct Item(usize);

impl Waiting for Item {
    fn pending(&self) -> bool {
        true
    }
    fn rows(&self) -> u64 {
        1
    }
    fn class(&self) -> u64 {
        0
    }
    fn since(&self) -> u64 {
        1
    }
    fn deadline(&self) -> u64 {
        NEVER
    }
}

/// A gate, and a line in it.
fn gate(limit: usize, policy: Policy, most_runs: usize) -> (Gate<Item>, LineId) {
    let gate = Gate::new(limit, Arc::new(SystemClock));
    let line = gate.add_line(policy, most_runs);
    (gate, line)
}

fn sum(taken: &Taken<Item>) -> usize {
    taken.items.iter().map(|item| item.0).sum()
}

#[cfg(not(loom))]
#[test]
fn it_takes_nothing_once_closed() {
    let (gate, line) = gate(10, Policy::default(), 0);
    assert!(gate.push(line, Item(1)).is_ok() && gate.push(line, Item(2)).is_ok());
    let left = gate.close();
    assert_eq!(left.iter().map(|item| item.0).collect::<Vec<_>>(), [1, 2]);
    let refused = gate.push(line, Item(3));
    assert!(matches!(refused, Err((Item(3), Refusal::Closed))));
    assert!(gate.next().is_none());
}

#[cfg(not(loom))]
#[test]
fn it_takes_no_more_than_its_limit() {
    let (gate, line) = gate(1, Policy::default(), 0);
    assert!(gate.push(line, Item(1)).is_ok());
    let refused = gate.push(line, Item(2));
    assert!(matches!(refused, Err((Item(2), Refusal::Full))));
    assert_eq!((gate.lengths(), gate.pending()), ((1, 1), 1));
    assert_eq!(sum(&gate.next().unwrap()), 1);
    assert_eq!(gate.lengths(), (0, 1));
}

/// `RUSTFLAGS="--cfg loom" cargo test -p redisai-engine --lib --release loom`
#[cfg(loom)]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    const BATCHES: Policy = Policy {
        most: 2,
        min: 0,
        min_wait: NEVER,
        wait: false,
    };

    fn shared(policy: Policy, most_runs: usize) -> (Arc<Gate<Item>>, LineId) {
        let (gate, line) = gate(10, policy, most_runs);
        (Arc::new(gate), line)
    }

    /// Two workers wait and two jobs come: no signal is lost, each job is taken once. (loom fails
    /// a test in which every thread sleeps.)
    #[test]
    fn no_wake_up_is_lost() {
        loom::model(|| {
            let (gate, line) = shared(Policy::default(), 0);
            let workers = [(); 2].map(|()| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || sum(&gate.next().unwrap()))
            });
            for number in [1, 10] {
                assert!(gate.push(line, Item(number)).is_ok());
            }
            let taken = workers.map(|worker| worker.join().unwrap());
            assert_eq!(taken.iter().sum::<usize>(), 11);
        });
    }

    /// One worker sleeps or not while two threads push: it gets both.
    #[test]
    fn two_pushes_and_one_worker() {
        loom::model(|| {
            let (gate, line) = shared(Policy::default(), 0);
            let pushers = [1, 10].map(|number| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || assert!(gate.push(line, Item(number)).is_ok()))
            });
            let first = sum(&gate.next().unwrap());
            assert_eq!(first + sum(&gate.next().unwrap()), 11);
            for pusher in pushers {
                pusher.join().unwrap();
            }
        });
    }

    /// Two jobs that may share a run come while a worker looks: in one batch or in two, it gets
    /// both.
    #[test]
    fn a_batch_loses_nobody() {
        loom::model(|| {
            let (gate, line) = shared(BATCHES, 0);
            let pushers = [1, 10].map(|number| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || assert!(gate.push(line, Item(number)).is_ok()))
            });
            let mut got = 0;
            while got != 11 {
                let taken = gate.next().unwrap();
                assert!(!taken.items.is_empty());
                got += sum(&taken);
            }
            for pusher in pushers {
                pusher.join().unwrap();
            }
        });
    }

    /// A batch that waits for its second row runs when that has come, or when the model's key has
    /// gone, whoever is first.
    #[test]
    fn a_minimum_is_reached_or_given_up() {
        loom::model(|| {
            let (gate, line) = shared(Policy { min: 2, ..BATCHES }, 0);
            let others = [false, true].map(|gone| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || {
                    if gone {
                        gate.hurry(line);
                    } else {
                        assert!(gate.push(line, Item(1)).is_ok());
                    }
                })
            });
            assert_eq!(sum(&gate.next().unwrap()), 1);
            for other in others {
                other.join().unwrap();
            }
        });
    }

    /// One permit, a job in line and a thread that wants to run: both get it, one after the other.
    #[test]
    fn a_permit_comes_free_for_each() {
        loom::model(|| {
            let (gate, line) = shared(Policy::default(), 1);
            let caller = {
                let gate = Arc::clone(&gate);
                thread::spawn(move || {
                    assert!(gate.enter(line, 0));
                    gate.leave(line);
                })
            };
            assert!(gate.push(line, Item(1)).is_ok());
            let taken = gate.next().unwrap();
            assert!(taken.permit);
            gate.leave(line);
            caller.join().unwrap();
        });
    }

    /// A close wakes whoever sleeps.
    #[test]
    fn a_close_ends_every_wait() {
        loom::model(|| {
            let (gate, _) = shared(Policy::default(), 0);
            let workers = [(); 2].map(|()| {
                let gate = Arc::clone(&gate);
                thread::spawn(move || gate.next().is_none())
            });
            assert!(gate.close().is_empty());
            let ends = workers.map(|worker| worker.join().unwrap());
            assert!(ends.iter().all(|&end| end));
        });
    }
}
