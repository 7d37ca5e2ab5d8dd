//! The operations: the parser of each is that of the plain command.

use super::names::Wiring;
use super::{DagKeys, DagKind, DagOp, DagScript, SEPARATOR};
use crate::args::is;
use crate::{Error, Limits, ModelRun, ScriptRun, TensorGet, TensorSet};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// What an operation may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OpName {
    TensorSet,
    TensorGet,
    ModelExecute,
    ModelRun,
    ScriptExecute,
    ScriptRun,
}

const NAMES: [(&str, OpName); 6] = [
    ("AI.TENSORSET", OpName::TensorSet),
    ("AI.TENSORGET", OpName::TensorGet),
    ("AI.MODELEXECUTE", OpName::ModelExecute),
    ("AI.MODELRUN", OpName::ModelRun),
    ("AI.SCRIPTEXECUTE", OpName::ScriptExecute),
    ("AI.SCRIPTRUN", OpName::ScriptRun),
];

pub(super) fn op_name(arg: &[u8]) -> Option<OpName> {
    let found = NAMES.iter().find(|(name, _)| is(arg, name));
    found.map(|&(_, op)| op)
}

/// Where the operations stand in argv, from the first separator on. A separator that is the last
/// argument is refused.
pub(super) fn split(argv: &[&[u8]], from: usize) -> Result<SmallVec<[Range<usize>; 4]>, Error> {
    let mut ranges = SmallVec::new();
    let mut at = from;
    while at < argv.len() {
        let start = at + 1;
        if start == argv.len() {
            return Err(Error::UnexpectedInDag(SEPARATOR.into()));
        }
        at = end(argv, start);
        ranges.push(start..at);
    }
    Ok(ranges)
}

/// Where the operation that begins at `start` ends.
pub(super) fn end(argv: &[&[u8]], start: usize) -> usize {
    let separator = |from: usize| {
        let rest = argv.get(from..).unwrap_or_default();
        let found = rest.iter().position(|arg| *arg == SEPARATOR);
        found.map_or(argv.len(), |found| from + found)
    };
    let end = separator(start);
    // A blob may be the two bytes of the separator.
    let is_blob = end > start + 2
        && argv.get(start).is_some_and(|name| is(name, "AI.TENSORSET"))
        && argv.get(end - 1).is_some_and(|word| is(word, "BLOB"))
        && !argv
            .get(start + 3..end - 1)
            .unwrap_or_default()
            .iter()
            .any(|word| {
                ["BLOB", "VALUES", "BYTES"]
                    .iter()
                    .any(|form| is(word, form))
            });
    if is_blob { separator(end + 1) } else { end }
}

/// What parsing an operation needs and changes.
pub(super) struct Parser<'a, 'p, K> {
    pub(super) argv: &'p [&'a [u8]],
    pub(super) kind: DagKind,
    pub(super) limits: &'p Limits,
    pub(super) keys: &'p mut K,
    pub(super) wiring: Wiring<'a>,
}

impl<'a, K: DagKeys> Parser<'a, '_, K> {
    /// Reads the operation in this part of argv.
    pub(super) fn op(&mut self, range: Range<usize>) -> Result<DagOp, Error> {
        let base = range.start;
        let argv = self.argv.get(range).unwrap_or_default();
        let name = argv.first().and_then(|name| op_name(name));
        match (name, self.kind.deprecated()) {
            (None, _) => Err(Error::UnsupportedInDag),
            (Some(OpName::TensorSet), _) => self.tensor_set(base, argv),
            (Some(OpName::TensorGet), _) => self.tensor_get(argv),
            (Some(OpName::ModelExecute), false) => {
                ModelRun::arity(argv)?;
                self.model_run(base, argv, ModelRun::parse)
            }
            (Some(OpName::ModelRun), true) => {
                ModelRun::run_arity(argv.len())?;
                self.model_run(base, argv, ModelRun::parse_run)
            }
            (Some(OpName::ScriptExecute), false) if self.kind.read_only() => {
                Err(Error::ScriptInReadOnlyDag)
            }
            (Some(OpName::ScriptExecute), false) => {
                ScriptRun::arity(argv.len())?;
                self.script_run(base, argv, |argv| ScriptRun::parse(argv, true))
            }
            (Some(OpName::ScriptRun), true) => {
                ScriptRun::run_arity(argv.len())?;
                self.script_run(base, argv, ScriptRun::parse_run)
            }
            (Some(OpName::ModelExecute), true) => Err(Error::ModelExecuteInDagRun),
            (Some(OpName::ScriptExecute), true) => Err(Error::ScriptExecuteInDagRun),
            (Some(OpName::ModelRun), false) => Err(Error::ModelRunInDagExecute),
            (Some(OpName::ScriptRun), false) => Err(Error::ScriptRunInDagExecute),
        }
    }

    fn tensor_set(&mut self, base: usize, argv: &[&'a [u8]]) -> Result<DagOp, Error> {
        let set = TensorSet::parse(argv, self.limits).map_err(bare_arity)?;
        let keys = &mut *self.keys;
        let tensor = set.into_tensor(self.limits, |at| keys.hold(base + at))?;
        let name = argv.get(TensorSet::KEY).copied().unwrap_or_default();
        self.wiring.produce(name, Some(Arc::new(tensor)));
        Ok(DagOp::TensorSet)
    }

    fn tensor_get(&mut self, argv: &[&'a [u8]]) -> Result<DagOp, Error> {
        let get = TensorGet::parse(argv).map_err(bare_arity)?;
        let name = argv.get(TensorGet::KEY).copied().unwrap_or_default();
        let slot = self.wiring.consume(name);
        Ok(DagOp::TensorGet { get, slot })
    }

    fn model_run(
        &mut self,
        base: usize,
        argv: &[&'a [u8]],
        parse: impl Fn(&[&[u8]], Option<(usize, usize)>) -> Result<ModelRun, Error>,
    ) -> Result<DagOp, Error> {
        let counts = self.keys.model(base + ModelRun::KEY)?;
        let run = parse(argv, counts)?;
        no_timeout(run.timeout_ms)?;
        let inputs = self.inputs(argv, run.inputs);
        let outputs = self.outputs(argv, run.outputs);
        Ok(DagOp::ModelRun { inputs, outputs })
    }

    fn script_run(
        &mut self,
        base: usize,
        argv: &[&'a [u8]],
        parse: impl Fn(&[&[u8]]) -> Result<ScriptRun, Error>,
    ) -> Result<DagOp, Error> {
        self.keys.script(base + ScriptRun::KEY)?;
        let run = parse(argv)?;
        no_timeout(run.timeout_ms)?;
        let in_argv = |range: Range<usize>| base + range.start..base + range.end;
        Ok(DagOp::ScriptRun(Box::new(DagScript {
            function: base + ScriptRun::FUNCTION,
            keys: in_argv(run.keys),
            args: in_argv(run.args),
            inputs: self.inputs(argv, run.inputs),
            list: run.list,
            outputs: self.outputs(argv, run.outputs),
        })))
    }

    fn inputs(
        &mut self,
        argv: &[&'a [u8]],
        at: impl IntoIterator<Item = usize>,
    ) -> SmallVec<[usize; 4]> {
        let names = at.into_iter().filter_map(|at| argv.get(at));
        names.map(|name| self.wiring.consume(name)).collect()
    }

    fn outputs(&mut self, argv: &[&'a [u8]], at: impl IntoIterator<Item = usize>) -> Range<usize> {
        let names = at.into_iter().filter_map(|at| argv.get(at).copied());
        self.wiring.produce_all(names)
    }
}

/// Of a tensor command in a DAG, the text has no prefix.
fn bare_arity(error: Error) -> Error {
    match error {
        Error::Arity(name) => Error::ArityInDag(name),
        other => other,
    }
}

fn no_timeout(timeout_ms: Option<u64>) -> Result<(), Error> {
    timeout_ms.map_or(Ok(()), |_| Err(Error::TimeoutInDag))
}
