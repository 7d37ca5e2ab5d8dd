//! How far a DAG is: pure data, no lock, no time.
//!
//! The rule is that of a plain interpreter that runs the operations one after the other and stops
//! at the first that fails. Here they run as soon as they can, so the failure of a later one may
//! be known before an earlier one has ended: then the earlier ones still decide, since one of them
//! may fail too, and nothing behind the lowest failed position counts.

use crate::OpEnd;
use redisai_core::{BackendError, Status};
use smallvec::SmallVec;

/// Slots that an operation reads.
pub type InputSlots = SmallVec<[usize; 4]>;

/// Slots that an operation writes.
pub type OutputSlots = SmallVec<[usize; 2]>;

/// Where an operation stands among the slots.
pub(crate) struct Wires {
    pub(crate) inputs: InputSlots,
    pub(crate) outputs: OutputSlots,
    /// It begins when the ordered one before it has ended, with or without a tensor between them.
    pub(crate) ordered: bool,
}

/// The operations and slots of a DAG. `T` is a tensor, `J` a job in flight.
pub(crate) struct Progress<T, J> {
    slots: Vec<Option<T>>,
    /// For each slot, the operations that wait for it.
    readers: Vec<SmallVec<[usize; 2]>>,
    ops: Vec<Op<J>>,
    /// The lowest position that failed; the number of operations if none has.
    failed: usize,
    /// Why.
    error: Option<BackendError>,
    /// Operations below `failed` that have not ended.
    left: usize,
}

struct Op<J> {
    inputs: InputSlots,
    outputs: OutputSlots,
    /// Inputs that are not there yet, and one more while the ordered operation before it goes on.
    missing: usize,
    /// The ordered operation behind it, if it is one itself.
    next: Option<usize>,
    stage: Stage<J>,
}

enum Stage<J> {
    Waiting,
    Running(J),
    /// It succeeded, or failed, or does not count any more.
    Ended,
}

/// What has to be done after a change, outside every lock.
pub(crate) struct Step<J> {
    /// Operations that can start now, in order of position.
    pub(crate) ready: SmallVec<[usize; 4]>,
    /// Jobs that nobody needs any more.
    pub(crate) dropped: SmallVec<[J; 2]>,
    /// Whether nothing that counts is left.
    pub(crate) over: bool,
}

impl<T: Clone, J: Clone> Progress<T, J> {
    /// Operations in order of position, over slots some of which are filled.
    ///
    /// An input that no earlier operation writes and that is not filled fails its operation.
    pub(crate) fn new(
        slots: Vec<Option<T>>,
        ops: impl ExactSizeIterator<Item = Wires>,
    ) -> (Self, Step<J>) {
        let count = ops.len();
        let mut this = Self {
            readers: vec![SmallVec::new(); slots.len()],
            slots,
            ops: Vec::with_capacity(count),
            failed: count,
            error: None,
            left: count,
        };
        let mut written = vec![false; this.slots.len()];
        let mut bad = None;
        let mut last: Option<usize> = None;
        for (position, wires) in ops.enumerate() {
            let mut missing = 0;
            for &slot in &wires.inputs {
                if matches!(this.slots.get(slot), Some(Some(_))) {
                    continue;
                }
                missing += 1;
                match this.readers.get_mut(slot) {
                    Some(readers) if written.get(slot) == Some(&true) => readers.push(position),
                    _ => bad = bad.or(Some(position)),
                }
            }
            for &slot in &wires.outputs {
                if let Some(written) = written.get_mut(slot) {
                    *written = true;
                }
            }
            if wires.ordered
                && let Some(before) = last.replace(position)
                && let Some(before) = this.ops.get_mut(before)
            {
                before.next = Some(position);
                missing += 1;
            }
            this.ops.push(Op {
                inputs: wires.inputs,
                outputs: wires.outputs,
                missing,
                next: None,
                stage: Stage::Waiting,
            });
        }
        let mut step = Step::new();
        if let Some(position) = bad {
            this.fail(position, no_tensor(), &mut step);
        }
        let ready =
            (0..this.failed).filter(|&at| this.ops.get(at).is_some_and(|op| op.missing == 0));
        step.ready.extend(ready);
        step.over = this.left == 0;
        (this, step)
    }

    /// Starts an operation that was said to be ready: `make` gets its inputs and the number of its
    /// outputs. `None`: it does not count any more.
    pub(crate) fn start(
        &mut self,
        position: usize,
        make: impl FnOnce(SmallVec<[T; 4]>, usize) -> J,
    ) -> Option<J> {
        if position >= self.failed {
            return None;
        }
        let op = self.ops.get_mut(position)?;
        if !matches!(op.stage, Stage::Waiting) {
            return None;
        }
        let slots = &self.slots;
        let inputs: Option<_> = op
            .inputs
            .iter()
            .map(|&slot| slots.get(slot)?.clone())
            .collect();
        let job = make(inputs?, op.outputs.len());
        op.stage = Stage::Running(job.clone());
        Some(job)
    }

    /// Whether the end of an operation still matters.
    pub(crate) fn counts(&self, position: usize) -> bool {
        position < self.failed
    }

    /// An operation that counts has ended: its tensors, one for each output, or why there are none.
    pub(crate) fn end(
        &mut self,
        position: usize,
        result: Result<impl IntoIterator<Item = Option<T>>, BackendError>,
    ) -> Step<J> {
        let mut step = Step::new();
        let op = self.ops.get_mut(position);
        let Some(op) = op.filter(|op| !matches!(op.stage, Stage::Ended)) else {
            return step;
        };
        op.stage = Stage::Ended;
        self.left -= 1;
        match result {
            Ok(tensors) => {
                let (outputs, next) = (op.outputs.clone(), op.next);
                next.into_iter()
                    .for_each(|next| self.one_less(next, &mut step));
                for (slot, tensor) in outputs.into_iter().zip(tensors) {
                    self.fill(slot, tensor, &mut step);
                }
            }
            Err(error) => self.fail(position, error, &mut step),
        }
        let failed = self.failed;
        step.ready.retain(|ready| *ready < failed);
        step.ready.sort_unstable();
        step.over = self.left == 0;
        step
    }

    /// Puts what came into a slot and tells those that wait for it.
    fn fill(&mut self, slot: usize, tensor: Option<T>, step: &mut Step<J>) {
        let (Some(place), Some(readers)) = (self.slots.get_mut(slot), self.readers.get_mut(slot))
        else {
            return;
        };
        let readers = std::mem::take(readers);
        let filled = tensor.is_some();
        *place = tensor;
        for reader in readers {
            if filled {
                self.one_less(reader, step);
            } else {
                self.fail(reader, no_tensor(), step);
            }
        }
    }

    /// Something that an operation waited for is there.
    fn one_less(&mut self, position: usize, step: &mut Step<J>) {
        if let Some(op) = self.ops.get_mut(position) {
            op.missing -= 1;
            if op.missing == 0 {
                step.ready.push(position);
            }
        }
    }

    /// Nothing at or behind `position` counts from now on. Each position is walked over once in the
    /// life of a DAG, however many fail.
    fn fail(&mut self, position: usize, error: BackendError, step: &mut Step<J>) {
        if position >= self.failed {
            return;
        }
        let counted = self.ops.get_mut(position..self.failed).unwrap_or_default();
        for op in counted {
            let stage = std::mem::replace(&mut op.stage, Stage::Ended);
            self.left -= usize::from(!matches!(stage, Stage::Ended));
            step.dropped.extend(match stage {
                Stage::Running(job) => Some(job),
                _ => None,
            });
        }
        self.failed = position;
        self.error = Some(error);
    }

    /// Takes the jobs in flight: the DAG has ended by something else than its operations.
    pub(crate) fn running(&mut self) -> SmallVec<[J; 2]> {
        let jobs = self.ops.iter_mut().filter_map(|op| {
            match std::mem::replace(&mut op.stage, Stage::Ended) {
                Stage::Running(job) => Some(job),
                _ => None,
            }
        });
        jobs.collect()
    }

    /// All slots, for nobody.
    pub(crate) fn take_slots(&mut self) -> Vec<Option<T>> {
        std::mem::take(&mut self.slots)
    }

    /// What a plain interpreter would have left: slots and the end of each operation; and the tensors that
    /// it would not have made.
    pub(crate) fn result(&mut self) -> (Vec<Option<T>>, Vec<OpEnd>, Vec<T>) {
        let mut slots = self.take_slots();
        let unmade = self.ops.iter().skip(self.failed).flat_map(|op| &op.outputs);
        let unmade = unmade.filter_map(|&slot| slots.get_mut(slot)?.take());
        let unmade = unmade.collect();
        let ends = (0..self.ops.len()).map(|at| match at.cmp(&self.failed) {
            std::cmp::Ordering::Less => OpEnd::Done,
            std::cmp::Ordering::Equal => match self.error.take() {
                Some(error) => OpEnd::Failed(error),
                None => OpEnd::NotRun,
            },
            std::cmp::Ordering::Greater => OpEnd::NotRun,
        });
        let ends = ends.collect();
        (slots, ends, unmade)
    }
}

impl<J> Step<J> {
    fn new() -> Self {
        Self {
            ready: SmallVec::new(),
            dropped: SmallVec::new(),
            over: false,
        }
    }
}

/// The error of an operation that has nothing to read.
pub(crate) fn no_tensor() -> BackendError {
    BackendError::new(
        Status::BadInput,
        "ERR an input of this operation holds no tensor: the operation that produces it gave a \
         sequence or a map; take another of its outputs",
    )
}

#[cfg(all(test, loom))]
mod tests;
