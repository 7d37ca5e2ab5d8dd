//! `AI.SCRIPTRUN`.

use super::ScriptRun;
use crate::Error;
use crate::args::{Cursor, is};
use crate::run::timeout;

/// Where a bare argument belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    None,
    Inputs,
    Outputs,
}

/// Reads what follows the function's name. Keywords count wherever they stand.
pub(super) fn script_run(argv: &[&[u8]]) -> Result<ScriptRun, Error> {
    let mut run = ScriptRun::default();
    let mut section = Section::None;
    let mut cursor = Cursor::new(argv, ScriptRun::FUNCTION + 1);
    while let Some(arg) = cursor.next() {
        if is(arg, "TIMEOUT") {
            if run.timeout_ms.is_some() {
                return Err(Error::ScriptRunTimeoutTwice);
            }
            run.timeout_ms = Some(timeout(cursor.next())?);
        } else if is(arg, "INPUTS") {
            section = match section {
                Section::None => Section::Inputs,
                Section::Inputs => return Err(Error::ScriptRunInputsTwice),
                Section::Outputs => return Err(Error::ScriptRunInputsAfter),
            };
        } else if is(arg, "OUTPUTS") {
            if section == Section::Outputs {
                return Err(Error::ScriptRunOutputsTwice);
            }
            section = Section::Outputs;
        } else if is(arg, "$") {
            if section != Section::Inputs {
                return Err(Error::ScriptRunListOutside);
            }
            if run.list.is_some() {
                return Err(Error::ScriptRunListTwice);
            }
            run.list = Some(run.inputs.len());
        } else {
            let at = cursor.at() - 1;
            match section {
                Section::None => return Err(Error::ScriptRunUnknown),
                Section::Inputs => run.inputs.push(at),
                Section::Outputs => run.outputs.push(at),
            }
        }
    }
    Ok(run)
}
