//! The one atomic change that decides how a job ends.

use crate::sync::{AtomicU8, Mutex, Ordering, lock};

const PENDING: u8 = 0;

/// How a job can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum End {
    /// With a result or an error.
    Done = 1,
    /// Its deadline passed.
    Expired = 2,
    /// Its client went away.
    Gone = 3,
}

/// A completion `C` and inputs `I` that several threads reach for.
///
/// Whoever changes the state from pending to an [`End`] gets the completion, exactly once. The
/// inputs go to the run if it starts first, else to the one who ends the job. The lock only guards
/// the hand-over; the state alone decides.
pub(crate) struct Ticket<C, I> {
    state: AtomicU8,
    held: Mutex<Held<C, I>>,
}

struct Held<C, I> {
    completion: Option<C>,
    inputs: Option<I>,
    run: u64,
}

/// What the one who ended the job gets.
pub(crate) struct Won<C, I> {
    /// To be called, outside every lock.
    pub(crate) completion: C,
    /// The inputs; none if a run has them.
    pub(crate) inputs: Option<I>,
    /// The run that has started; 0: none, and none will.
    pub(crate) run: u64,
}

impl<C, I> Ticket<C, I> {
    /// A pending job.
    pub(crate) fn new(completion: C, inputs: I) -> Self {
        Self {
            state: AtomicU8::new(PENDING),
            held: Mutex::new(Held {
                completion: Some(completion),
                inputs: Some(inputs),
                run: 0,
            }),
        }
    }

    /// Whether nobody has ended it yet.
    pub(crate) fn pending(&self) -> bool {
        self.state.load(Ordering::Acquire) == PENDING
    }

    /// Whether it ended as [`End::Expired`].
    pub(crate) fn expired(&self) -> bool {
        self.state.load(Ordering::Acquire) == End::Expired as u8
    }

    /// Takes the inputs for a run; `None` if the job has ended, or has been started before.
    pub(crate) fn start(&self, run: u64) -> Option<I> {
        let mut held = lock(&self.held);
        if !self.pending() {
            return None;
        }
        let inputs = held.inputs.take()?;
        held.run = run;
        Some(inputs)
    }

    /// Ends the job; `None` if somebody else has.
    pub(crate) fn end(&self, end: End) -> Option<Won<C, I>> {
        self.state
            .compare_exchange(PENDING, end as u8, Ordering::AcqRel, Ordering::Acquire)
            .ok()?;
        let mut held = lock(&self.held);
        Some(Won {
            completion: held.completion.take()?,
            inputs: held.inputs.take(),
            run: held.run,
        })
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_gets_it_all() {
        let ticket = Ticket::new("completion", "inputs");
        assert!(ticket.pending());
        let won = ticket.end(End::Gone).unwrap();
        assert_eq!(
            (won.completion, won.inputs, won.run),
            ("completion", Some("inputs"), 0)
        );
        assert!(!ticket.pending());
        assert!(ticket.end(End::Done).is_none() && ticket.start(1).is_none());
    }

    #[test]
    fn a_run_has_the_inputs_and_starts_once() {
        let ticket = Ticket::new("completion", "inputs");
        assert_eq!(ticket.start(7), Some("inputs"));
        assert_eq!(ticket.start(8), None);
        let won = ticket.end(End::Expired).unwrap();
        assert_eq!((won.inputs, won.run), (None, 7));
    }
}

/// `RUSTFLAGS="--cfg loom" cargo test -p redisai-engine --lib --release loom`
#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    /// A worker, the timer and a client that goes, in every order: one of them gets the completion,
    /// and the inputs go to one place.
    #[test]
    fn one_end_in_every_order() {
        loom::model(|| {
            let ticket = Arc::new(Ticket::new((), ()));
            let worker = {
                let ticket = Arc::clone(&ticket);
                thread::spawn(move || {
                    let Some(()) = ticket.start(9) else {
                        return (0, 0, 0);
                    };
                    let won = ticket.end(End::Done);
                    // It has the inputs, so nobody finds them here.
                    assert!(won.as_ref().is_none_or(|won| won.inputs.is_none()));
                    (usize::from(won.is_some()), 1, 1)
                })
            };
            let others = [End::Expired, End::Gone].map(|end| {
                let ticket = Arc::clone(&ticket);
                thread::spawn(move || match ticket.end(end) {
                    None => (0, 0, 0),
                    Some(won) => {
                        // Whoever must stop the run learns its number; without one there is none.
                        assert_eq!(won.run == 9, won.inputs.is_none());
                        (
                            1,
                            usize::from(won.inputs.is_some()),
                            usize::from(won.run != 0),
                        )
                    }
                })
            });
            let mut ends = vec![worker.join().unwrap()];
            ends.extend(others.map(|thread| thread.join().unwrap()));
            assert_eq!(
                ends.iter().map(|end| end.0).sum::<usize>(),
                1,
                "completions"
            );
            assert_eq!(ends.iter().map(|end| end.1).sum::<usize>(), 1, "inputs");
        });
    }
}
