//! `AI.DAGEXECUTE`, `AI.DAGEXECUTE_RO`, `AI.DAGRUN`, `AI.DAGRUN_RO`.
//!
//! One walk along argv gives a DAG whose names are slots already: each producer (a `LOAD` key, a
//! `TENSORSET`, an output) has a slot of its own, and a consumer names the slot of the latest
//! producer in front of it. An operation is read by the parser of the plain command.

mod head;
mod keys;
mod names;
mod ops;
#[cfg(test)]
mod tests;

use crate::args::arity;
use crate::{Error, Limits, TensorGet};
use redisai_core::{Buffer, Tensor};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use keys::keys;

/// What stands in front of each operation.
const SEPARATOR: &[u8] = b"|>";

/// Which of the four commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DagKind {
    /// `AI.DAGEXECUTE`
    Execute,
    /// `AI.DAGEXECUTE_RO`
    ExecuteRo,
    /// `AI.DAGRUN`
    Run,
    /// `AI.DAGRUN_RO`
    RunRo,
}

impl DagKind {
    fn name(self) -> &'static str {
        match self {
            Self::Execute => "AI.DAGEXECUTE",
            Self::ExecuteRo => "AI.DAGEXECUTE_RO",
            Self::Run => "AI.DAGRUN",
            Self::RunRo => "AI.DAGRUN_RO",
        }
    }

    fn read_only(self) -> bool {
        matches!(self, Self::ExecuteRo | Self::RunRo)
    }

    fn deprecated(self) -> bool {
        matches!(self, Self::Run | Self::RunRo)
    }

    fn arity(self, argc: usize) -> Result<(), Error> {
        if self.deprecated() {
            arity(self.name(), argc, 4..)
        } else if argc < 6 {
            Err(Error::MissingArguments(self.name()))
        } else {
            Ok(())
        }
    }
}

/// What the parser asks of the keyspace, where the contract has it between two checks. `at` is an
/// index in argv. An error ends the parse and is what the command replies.
pub trait DagKeys {
    /// The tensor of a key to load.
    fn tensor(&mut self, at: usize) -> Result<Arc<Tensor>, Error>;

    /// Looks a model up. Its numbers of inputs and outputs, if they are known. The calls come in the
    /// order of the [`DagOp::ModelRun`]s.
    fn model(&mut self, at: usize) -> Result<Option<(usize, usize)>, Error>;

    /// Looks a script up; in the order of the [`DagOp::ScriptRun`]s.
    fn script(&mut self, at: usize) -> Result<(), Error>;

    /// A buffer with the bytes of an argument, as [`TensorSet::into_tensor`](crate::TensorSet) takes
    /// it.
    fn hold(&mut self, at: usize) -> Box<dyn Buffer>;
}

/// A checked DAG.
#[derive(Debug)]
pub struct Dag {
    /// The tensors, those filled that are loaded or set.
    pub slots: Vec<Option<Arc<Tensor>>>,
    /// The operations, in order.
    pub ops: SmallVec<[DagOp; 4]>,
    /// What becomes a key, in the order of the arguments; all keys differ.
    pub persist: SmallVec<[Persist; 2]>,
    /// How long the client waits, in milliseconds; above 0.
    pub timeout_ms: Option<u64>,
}

/// An operation; tensors are slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DagOp {
    /// `AI.TENSORSET`; its slot is filled.
    TensorSet,
    /// `AI.TENSORGET`
    TensorGet {
        /// What to reply.
        get: TensorGet,
        /// The tensor.
        slot: usize,
    },
    /// `AI.MODELEXECUTE` or `AI.MODELRUN`
    ModelRun {
        /// The inputs, in order.
        inputs: SmallVec<[usize; 4]>,
        /// The outputs, in order; nothing else writes these slots.
        outputs: Range<usize>,
    },
    /// `AI.SCRIPTEXECUTE` or `AI.SCRIPTRUN`
    ScriptRun(Box<DagScript>),
}

/// A script in a DAG: its tensors are slots, the rest indices in argv.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DagScript {
    /// The function's name, in argv.
    pub function: usize,
    /// Keys that the script itself may touch, in argv.
    pub keys: Range<usize>,
    /// Strings for the script, in argv.
    pub args: Range<usize>,
    /// The inputs, in order.
    pub inputs: SmallVec<[usize; 4]>,
    /// So many inputs stand before a `$`; those behind it are one list.
    pub list: Option<usize>,
    /// The outputs, in order; nothing else writes these slots.
    pub outputs: Range<usize>,
}

/// A tensor that becomes a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Persist {
    /// The key, in argv.
    pub key: usize,
    /// The tensor.
    pub slot: usize,
}

impl Dag {
    /// Reads a whole command. `limits` are those of a client. Beyond what its operations need it
    /// allocates once for a small DAG.
    pub fn parse(
        argv: &[&[u8]],
        kind: DagKind,
        limits: &Limits,
        keys: &mut impl DagKeys,
    ) -> Result<Self, Error> {
        kind.arity(argv.len())?;
        let mut wiring = names::Wiring::default();
        let head = head::parse(argv, kind, keys, &mut wiring)?;
        let ranges = ops::split(argv, head.end)?;
        if !kind.deprecated() && !head.has_keyword {
            return Err(Error::NoDagKeyword);
        }
        if ranges.is_empty() {
            return Err(Error::EmptyDag);
        }
        let mut parser = ops::Parser {
            argv,
            kind,
            limits,
            keys,
            wiring,
        };
        let ops = ranges
            .into_iter()
            .map(|range| parser.op(range))
            .collect::<Result<_, _>>()?;
        let (slots, persist) = parser.wiring.finish(argv, head.persist)?;
        Ok(Self {
            slots,
            ops,
            persist,
            timeout_ms: head.timeout_ms,
        })
    }
}
