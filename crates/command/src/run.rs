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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{argv, refused};

    fn execute(argv: &[&[u8]]) -> Result<ModelRun, Error> {
        ModelRun::parse(argv, Some((2, 1)))
    }

    #[test]
    fn modelexecute_refuses_in_the_order_of_the_contract() {
        let arity = Error::Arity("AI.MODELEXECUTE");
        let trailing = |text: &str| Error::Trailing(text.as_bytes().into());
        refused(
            execute,
            &[
                ("AI.MODELEXECUTE", arity.clone()),
                ("AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 1", arity.clone()),
                ("AI.MODELEXECUTE m INPUTS 0 OUTPUTS 1 b", arity),
                ("AI.MODELEXECUTE m INPUT x a b OUTPUTS 1 c", Error::NoInputs),
                (
                    "AI.MODELEXECUTE m INPUTS x a b OUTPUTS 1 c",
                    Error::InvalidInputCount,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2.0 a b OUTPUTS 1 c",
                    Error::InvalidInputCount,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 0 a b OUTPUTS 1 c",
                    Error::InputCountNotPositive,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS -2 a b OUTPUTS 1 c",
                    Error::InputCountNotPositive,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 100 a b OUTPUTS 1 c",
                    Error::InputsDoNotFitModel,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 1 a b x OUTPUTS 1 c",
                    Error::InputsDoNotFitModel,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUT x c",
                    Error::NoOutputs,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b c OUTPUTS x c",
                    Error::NoOutputs,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS x c",
                    Error::InvalidOutputCount,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 0 c",
                    Error::OutputCountNotPositive,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 2 c",
                    Error::OutputsDoNotFitModel,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 1",
                    Error::OutputKeys,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 1 c d",
                    trailing("d"),
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 1 c TIMEOUT",
                    Error::NoTimeout,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 1 c TIMEOUT x",
                    Error::InvalidTimeout,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 1 c TIMEOUT 0",
                    Error::InvalidTimeout,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 1 c TIMEOUT -5 x",
                    Error::InvalidTimeout,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 1 c TIMEOUT 5 x",
                    trailing("x"),
                ),
            ],
        );
    }

    #[test]
    fn modelexecute_counts_its_arguments() {
        // Counts that fit the model but not the arguments.
        refused(
            |argv| ModelRun::parse(argv, Some((5, 1))),
            &[("AI.MODELEXECUTE m INPUTS 5 a b OUTPUTS 1", Error::InputKeys)],
        );
        // Counts that are not known yet.
        refused(
            |argv| ModelRun::parse(argv, None),
            &[
                (
                    "AI.MODELEXECUTE m INPUTS -1 a OUTPUTS 1 b",
                    Error::InputCountNotPositive,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 9 a b OUTPUTS 1 c",
                    Error::InputKeys,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 9223372036854775807 a b OUTPUTS 1",
                    Error::InputKeys,
                ),
                (
                    "AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 9 b",
                    Error::OutputKeys,
                ),
            ],
        );
    }

    #[test]
    fn modelexecute_gives_indices() {
        let line = "ai.modelexecute m inputs 2 a OUTPUTS outputs 1 c timeout 100";
        let run = ModelRun {
            inputs: 4..6,
            outputs: 8..9,
            timeout_ms: Some(100),
        };
        assert_eq!(execute(&argv(line)), Ok(run));
        let run =
            ModelRun::parse(&argv("AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 2 b b"), None).unwrap();
        assert_eq!(
            (run.inputs, run.outputs, run.timeout_ms),
            (4..5, 7..9, None)
        );
    }

    #[test]
    fn a_model_without_inputs_can_be_run() {
        for line in [
            "AI.MODELEXECUTE m INPUTS 0 OUTPUTS 1 y",
            "AI.MODELEXECUTE m INPUTS 0 OUTPUTS 1 y TIMEOUT 5",
        ] {
            for counts in [None, Some((0, 1))] {
                let run = ModelRun::parse(&argv(line), counts).unwrap();
                assert_eq!((run.inputs.len(), run.outputs), (0, 6..7), "{line}");
            }
        }
        let run = "AI.MODELRUN m TIMEOUT 5 INPUTS OUTPUTS y";
        assert!(ModelRun::parse_run(&argv(run), Some((0, 1))).is_ok());
    }

    #[test]
    fn counts_can_be_checked_later() {
        let run = ModelRun::parse(&argv("AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 1 b"), None).unwrap();
        assert_eq!(run.check_counts(1, 1), Ok(()));
        assert_eq!(run.check_counts(2, 2), Err(Error::InputsDoNotFitModel));
        assert_eq!(run.check_counts(1, 2), Err(Error::OutputsDoNotFitModel));
    }

    #[test]
    fn modelrun_refuses_in_the_order_of_the_contract() {
        refused(
            |argv| ModelRun::parse_run(argv, Some((2, 1))),
            &[
                (
                    "AI.MODELRUN m INPUTS a OUTPUTS",
                    Error::Arity("AI.MODELRUN"),
                ),
                ("AI.MODELRUN m TIMEOUT x INPUT a", Error::InvalidTimeout),
                ("AI.MODELRUN m TIMEOUT 0 INPUTS a", Error::InvalidTimeout),
                ("AI.MODELRUN m TIMEOUT 5 INPUT a", Error::NoInputs),
                ("AI.MODELRUN m a INPUTS b OUTPUTS", Error::NoInputs),
                (
                    "AI.MODELRUN m INPUTS a OUTPUTS b",
                    Error::InputsDoNotFitModel,
                ),
                ("AI.MODELRUN m INPUTS a b c", Error::InputsDoNotFitModel),
                (
                    "AI.MODELRUN m INPUTS a b OUTPUTS",
                    Error::OutputsDoNotFitModel,
                ),
                (
                    "AI.MODELRUN m INPUTS a b OUTPUTS c d",
                    Error::OutputsDoNotFitModel,
                ),
            ],
        );
        let run = ModelRun::parse_run(
            &argv("AI.MODELRUN m TIMEOUT 7 INPUTS a b OUTPUTS outputs"),
            Some((2, 1)),
        );
        let expected = ModelRun {
            inputs: 5..7,
            outputs: 8..9,
            timeout_ms: Some(7),
        };
        assert_eq!(run, Ok(expected));
    }
}
