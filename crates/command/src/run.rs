//! `AI.MODELEXECUTE`; `AI.MODELRUN` gives the same value.

use crate::args::{Cursor, arity, is};
use crate::{Error, deprecated, number};
use std::ops::Range;

/// A checked `AI.MODELEXECUTE` or `AI.MODELRUN`: indices of the key arguments, without allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelRun {
    /// The input keys.
    pub inputs: Range<usize>,
    /// The output keys; they may repeat, and then the last one wins.
    pub outputs: Range<usize>,
    /// `TIMEOUT`, in milliseconds; above 0.
    pub timeout_ms: Option<u64>,
}

impl ModelRun {
    /// Index of the model's key.
    pub const KEY: usize = 1;

    /// Checks the number of arguments of `AI.MODELEXECUTE`: what comes before the model is looked
    /// up. A run of a model without inputs may be one shorter than the contract's shortest.
    pub fn arity(argv: &[&[u8]]) -> Result<(), Error> {
        let shortest = if is_short(argv) { 7 } else { 8 };
        arity("AI.MODELEXECUTE", argv.len(), shortest..)
    }

    /// Checks the number of arguments of `AI.MODELRUN`.
    pub fn run_arity(argc: usize) -> Result<(), Error> {
        arity("AI.MODELRUN", argc, 6..)
    }

    /// Reads `AI.MODELEXECUTE key INPUTS n in… OUTPUTS m out… [TIMEOUT ms]`: what comes after the
    /// model was looked up. `counts` are the model's numbers of inputs and outputs; where they are
    /// not known yet, [`check_counts`](Self::check_counts) is for later.
    pub fn parse(argv: &[&[u8]], counts: Option<(usize, usize)>) -> Result<Self, Error> {
        Self::arity(argv)?;
        let may_have_none = counts.is_none_or(|(inputs, _)| inputs == 0);
        if is_short(argv) && !may_have_none {
            return Err(Error::Arity("AI.MODELEXECUTE"));
        }
        let mut cursor = Cursor::new(argv, 2);
        if !cursor.skip("INPUTS") {
            return Err(Error::NoInputs);
        }
        let count = key_count(&mut cursor, Error::InvalidInputCount)?
            .filter(|&count| count > 0 || may_have_none)
            .ok_or(Error::InputCountNotPositive)?;
        if counts.is_some_and(|(inputs, _)| inputs as u64 != count) {
            return Err(Error::InputsDoNotFitModel);
        }
        let inputs = cursor.take(count).ok_or(Error::InputKeys)?;
        if !cursor.skip("OUTPUTS") {
            return Err(Error::NoOutputs);
        }
        let count = key_count(&mut cursor, Error::InvalidOutputCount)?
            .filter(|&count| count > 0)
            .ok_or(Error::OutputCountNotPositive)?;
        if counts.is_some_and(|(_, outputs)| outputs as u64 != count) {
            return Err(Error::OutputsDoNotFitModel);
        }
        let outputs = cursor.take(count).ok_or(Error::OutputKeys)?;
        Ok(Self {
            inputs,
            outputs,
            timeout_ms: trailing_timeout(&mut cursor)?,
        })
    }

    /// Reads the deprecated `AI.MODELRUN key [TIMEOUT ms] INPUTS k… OUTPUTS k…`.
    pub fn parse_run(argv: &[&[u8]], counts: Option<(usize, usize)>) -> Result<Self, Error> {
        deprecated::model_run(argv, counts)
    }

    /// Refuses other numbers of keys than the model has inputs and outputs.
    pub fn check_counts(&self, inputs: usize, outputs: usize) -> Result<(), Error> {
        if self.inputs.len() != inputs {
            return Err(Error::InputsDoNotFitModel);
        }
        if self.outputs.len() != outputs {
            return Err(Error::OutputsDoNotFitModel);
        }
        Ok(())
    }
}

/// `AI.MODELEXECUTE key INPUTS 0 OUTPUTS 1 out`: too short for the contract, which knew no models
/// without inputs.
fn is_short(argv: &[&[u8]]) -> bool {
    matches!(argv, [_, _, inputs, b"0", _, _, _] if is(inputs, "INPUTS"))
}

/// The next argument as a number of keys: `None` where it is negative.
fn key_count(cursor: &mut Cursor<'_>, invalid: Error) -> Result<Option<u64>, Error> {
    let count = cursor.next().and_then(number::integer).ok_or(invalid)?;
    Ok(count.try_into().ok())
}

/// Reads `[TIMEOUT ms]` and the end.
fn trailing_timeout(cursor: &mut Cursor<'_>) -> Result<Option<u64>, Error> {
    let Some(keyword) = cursor.next() else {
        return Ok(None);
    };
    if !is(keyword, "TIMEOUT") {
        return Err(Error::Trailing(keyword.into()));
    }
    let value = timeout(cursor.next())?;
    match cursor.next() {
        Some(extra) => Err(Error::Trailing(extra.into())),
        None => Ok(Some(value)),
    }
}

/// The value of `TIMEOUT`: an integer above 0.
pub(crate) fn timeout(value: Option<&[u8]>) -> Result<u64, Error> {
    let value = number::integer(value.ok_or(Error::NoTimeout)?);
    value
        .and_then(|value| u64::try_from(value).ok())
        .filter(|&value| value > 0)
        .ok_or(Error::InvalidTimeout)
}
