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
