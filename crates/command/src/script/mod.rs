//! `AI.SCRIPTEXECUTE`; `AI.SCRIPTRUN` gives the same value.

mod deprecated;
mod store;
#[cfg(test)]
mod store_tests;
#[cfg(test)]
mod tests;

use crate::args::{Cursor, arity, is};
use crate::run::timeout;
use crate::{Error, number};
use smallvec::SmallVec;
use std::ops::Range;
pub use store::{ScriptDel, ScriptGet, ScriptScan, ScriptStore};

/// A checked `AI.SCRIPTEXECUTE` or `AI.SCRIPTRUN`: indices of its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptRun {
    /// Keys that the script itself may touch; never read as tensors.
    pub keys: Range<usize>,
    /// Keys of the input tensors.
    pub inputs: SmallVec<[usize; 4]>,
    /// `AI.SCRIPTRUN` only: so many inputs stand before the `$`; those behind it are one list.
    pub list: Option<usize>,
    /// Strings for the script.
    pub args: Range<usize>,
    /// Keys of the output tensors; they may repeat, and then the last one wins.
    pub outputs: SmallVec<[usize; 2]>,
    /// `TIMEOUT`, in milliseconds; above 0.
    pub timeout_ms: Option<u64>,
}

impl ScriptRun {
    /// Index of the script's key.
    pub const KEY: usize = 1;
    /// Index of the function's name.
    pub const FUNCTION: usize = 2;

    /// Checks the number of arguments of `AI.SCRIPTEXECUTE`: what comes before the script is looked
    /// up.
    pub fn arity(argc: usize) -> Result<(), Error> {
        arity("AI.SCRIPTEXECUTE", argc, 3..)
    }

    /// Checks the number of arguments of `AI.SCRIPTRUN`.
    pub fn run_arity(argc: usize) -> Result<(), Error> {
        arity("AI.SCRIPTRUN", argc, 3..)
    }

    /// Reads `AI.SCRIPTEXECUTE key function [KEYS n k…] [INPUTS n in…] [ARGS n a…] [OUTPUTS n out…]
    /// [TIMEOUT ms]`: what comes after the script was looked up. The scopes come in any order, but
    /// outside of a DAG `KEYS` or `INPUTS` first.
    pub fn parse(argv: &[&[u8]], in_dag: bool) -> Result<Self, Error> {
        Self::arity(argv.len())?;
        function(argv, &["KEYS", "INPUTS", "ARGS", "OUTPUTS", "TIMEOUT"])?;
        let mut cursor = Cursor::new(argv, Self::FUNCTION + 1);
        let mut scopes = Scopes::default();
        let first = cursor.peek();
        if first.is_some_and(|arg| is(arg, "KEYS")) {
            scopes.declared_keys(&mut cursor)?;
        } else if !in_dag && !first.is_some_and(|arg| is(arg, "INPUTS")) {
            return Err(Error::NoFirstScope);
        }
        while let Some(arg) = cursor.next() {
            if is(arg, "TIMEOUT") {
                scopes.run.timeout_ms = Some(trailing_timeout(&mut cursor)?);
                break;
            }
            scopes.scope(arg, &mut cursor)?;
        }
        Ok(scopes.run)
    }

    /// Reads the deprecated `AI.SCRIPTRUN key function [TIMEOUT ms] INPUTS in… [$ in…] OUTPUTS out…`.
    pub fn parse_run(argv: &[&[u8]]) -> Result<Self, Error> {
        Self::run_arity(argv.len())?;
        function(argv, &["TIMEOUT", "INPUTS", "OUTPUTS"])?;
        deprecated::script_run(argv)
    }
}

/// Refuses a keyword in the place of the function's name: then it was left out.
fn function(argv: &[&[u8]], reserved: &[&str]) -> Result<(), Error> {
    match argv.get(ScriptRun::FUNCTION) {
        Some(name) if reserved.iter().any(|word| is(name, word)) => Err(Error::NoFunction),
        _ => Ok(()),
    }
}

/// The scopes read so far.
#[derive(Default)]
struct Scopes {
    run: ScriptRun,
    /// Which of `KEYS`, `INPUTS`, `ARGS`, `OUTPUTS` were there.
    seen: [bool; 4],
}

/// What a scope says when it is wrong.
struct Texts {
    twice: Error,
    count: Error,
    few: Error,
}

impl Scopes {
    /// Reads a scope whose keyword is `arg`.
    fn scope(&mut self, arg: &[u8], cursor: &mut Cursor<'_>) -> Result<(), Error> {
        let [keys, inputs, args, outputs] = &mut self.seen;
        let run = &mut self.run;
        if is(arg, "KEYS") {
            run.keys = counted(cursor, keys, Texts::keys())?;
        } else if is(arg, "INPUTS") {
            run.inputs = counted(cursor, inputs, Texts::inputs())?.collect();
        } else if is(arg, "ARGS") {
            run.args = counted(cursor, args, Texts::args())?;
        } else if is(arg, "OUTPUTS") {
            run.outputs = counted(cursor, outputs, Texts::outputs())?.collect();
        } else {
            return Err(Error::UnexpectedInScript(arg.into()));
        }
        Ok(())
    }

    /// `KEYS` in the first place, which has texts of its own.
    fn declared_keys(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        let [keys, ..] = &mut self.seen;
        *keys = true;
        if cursor.rest().len() < 3 {
            return Err(Error::ScriptKeysArguments);
        }
        cursor.next();
        let count = cursor.next().and_then(number::integer);
        let count = count.and_then(|count| u64::try_from(count).ok());
        let count = count.ok_or(Error::ScriptKeysCount)?;
        self.run.keys = cursor.take(count).ok_or(Error::ScriptKeysDeclared)?;
        Ok(())
    }
}

/// Reads `n` and as many arguments. A negative number counts as zero, as in RedisAI.
fn counted(cursor: &mut Cursor<'_>, seen: &mut bool, texts: Texts) -> Result<Range<usize>, Error> {
    if std::mem::replace(seen, true) {
        return Err(texts.twice);
    }
    let count = cursor.next().and_then(number::integer).ok_or(texts.count)?;
    let count = u64::try_from(count).unwrap_or(0);
    cursor.take(count).ok_or(texts.few)
}

fn trailing_timeout(cursor: &mut Cursor<'_>) -> Result<u64, Error> {
    let value = cursor.next().ok_or(Error::NoScriptTimeout)?;
    let value = timeout(Some(value))?;
    if cursor.is_at_end() {
        Ok(value)
    } else {
        Err(Error::AfterScriptTimeout)
    }
}

impl Texts {
    fn keys() -> Self {
        Self {
            twice: Error::ScriptKeysTwice,
            count: Error::InvalidScriptKeyCount,
            few: Error::ScriptKeys,
        }
    }

    fn inputs() -> Self {
        Self {
            twice: Error::ScriptInputsTwice,
            count: Error::InvalidScriptInputCount,
            few: Error::ScriptInputs,
        }
    }

    fn args() -> Self {
        Self {
            twice: Error::ScriptArgsTwice,
            // The same text as of KEYS.
            count: Error::InvalidScriptKeyCount,
            few: Error::ScriptArgs,
        }
    }

    fn outputs() -> Self {
        Self {
            twice: Error::ScriptOutputsTwice,
            count: Error::InvalidScriptOutputCount,
            few: Error::ScriptOutputs,
        }
    }
}
