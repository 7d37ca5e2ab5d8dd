//! The text of a model.

use redisai_core::{BackendError, DType, Function, Signature, Status, ValueInfo};
use std::path::PathBuf;
use std::time::Duration;

/// What a run does; see the crate's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Identity,
    Copy,
    Foreign,
    Add,
    Tell,
    Picky(PathBuf),
    Sleep(Duration),
    Burn(Duration),
    Gate(PathBuf),
    GateLoad(PathBuf),
    Fail(String),
    FailLoad(String),
    Panic(String),
    PanicLoad(String),
    Crash { segv: bool },
    Allocate(usize),
    None,
    Give(usize),
    Aligned { align: usize, tail: usize },
    Words,
    Call(Vec<String>),
    RunModel(String),
}

/// A model's text, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) operation: Operation,
    pub(crate) signature: Signature,
}

/// Reads a model's text.
pub(crate) fn definition(text: &str) -> Result<Definition, BackendError> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let operation = operation(first).ok_or_else(|| bad("unknown operation", first))?;
    let mut signature = Signature {
        functions: vec![Function {
            variadic_inputs: true,
            variadic_outputs: true,
            ..Function::default()
        }],
        control_flow: false,
    };
    for line in lines {
        declare(line, &mut signature).ok_or_else(|| bad("unknown declaration", line))?;
    }
    Ok(Definition {
        operation,
        signature,
    })
}

fn operation(line: &str) -> Option<Operation> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim();
    let text = || rest.to_owned();
    Some(match name {
        "identity" => Operation::Identity,
        "copy" => Operation::Copy,
        "foreign" => Operation::Foreign,
        "add" => Operation::Add,
        "tell" => Operation::Tell,
        "picky" => Operation::Picky(rest.into()),
        "sleep" => Operation::Sleep(Duration::from_millis(rest.parse().ok()?)),
        "burn" => Operation::Burn(Duration::from_millis(rest.parse().ok()?)),
        "gate" => Operation::Gate(rest.into()),
        "gate-load" => Operation::GateLoad(rest.into()),
        "fail" => Operation::Fail(text()),
        "fail-load" => Operation::FailLoad(text()),
        "panic" => Operation::Panic(text()),
        "panic-load" => Operation::PanicLoad(text()),
        "crash" => Operation::Crash {
            segv: rest == "segv",
        },
        "allocate" => Operation::Allocate(rest.parse().ok()?),
        "none" => Operation::None,
        "give" => Operation::Give(rest.parse().ok()?),
        "aligned" => {
            let (align, tail) = rest.split_once(' ')?;
            Operation::Aligned {
                align: align.parse().ok()?,
                tail: tail.parse().ok()?,
            }
        }
        "words" => Operation::Words,
        "call" => Operation::Call(rest.split_whitespace().map(str::to_owned).collect()),
        "run-model" => Operation::RunModel(text()),
        _ => return None,
    })
}

fn declare(line: &str, signature: &mut Signature) -> Option<()> {
    let function = signature.functions.first_mut()?;
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    match name {
        "inputs" => {
            function.inputs = vec![ValueInfo::default(); rest.parse().ok()?];
            function.variadic_inputs = false;
        }
        "outputs" => {
            function.outputs = vec![ValueInfo::default(); rest.parse().ok()?];
            function.variadic_outputs = false;
        }
        "input" => {
            function.inputs.push(value(rest)?);
            function.variadic_inputs = false;
        }
        "output" => {
            function.outputs.push(value(rest)?);
            function.variadic_outputs = false;
        }
        "function" => function.name = rest.as_bytes().into(),
        "control-flow" => signature.control_flow = true,
        _ => return None,
    }
    Some(())
}

fn value(text: &str) -> Option<ValueInfo> {
    let mut words = text.split_whitespace();
    let name = words.next()?.as_bytes().into();
    let dtype = words.next().map(|word| DType::parse(word.as_bytes()));
    let dims = words
        .map(|word| match word {
            "?" => Some(None),
            number => number.parse().ok().map(Some),
        })
        .collect::<Option<Vec<Option<i64>>>>()?;
    Some(ValueInfo {
        name,
        dtype: match dtype {
            None => None,
            Some(dtype) => Some(dtype?),
        },
        dims: (!dims.is_empty()).then_some(dims),
        ..ValueInfo::default()
    })
}

fn bad(what: &str, line: &str) -> BackendError {
    BackendError::new(Status::BadModel, format!("ERR mock: {what} '{line}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_and_declarations() {
        let text = "sleep 20\ninput x FLOAT ? 3\ninput y\noutputs 2\nfunction f\ncontrol-flow\n";
        let definition = definition(text).unwrap();
        let wait = Duration::from_millis(20);
        assert_eq!(definition.operation, Operation::Sleep(wait));
        assert!(definition.signature.control_flow);
        let function = &definition.signature.functions[0];
        assert_eq!(function.name.as_ref(), b"f");
        assert_eq!(function.inputs.len(), 2);
        assert_eq!(function.inputs[0].dtype, Some(DType::Float));
        assert_eq!(function.inputs[0].dims, Some(vec![None, Some(3)]));
        assert_eq!(function.inputs[1].dims, None);
        assert_eq!(function.outputs.len(), 2);
        assert!(!function.variadic_inputs && !function.variadic_outputs);
    }

    #[test]
    fn texts_keep_their_blanks() {
        let operation = definition("fail a  b").unwrap().operation;
        assert_eq!(operation, Operation::Fail("a  b".to_owned()));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "nonsense",
            "sleep",
            "sleep x",
            "burn x",
            "identity\nnonsense 1",
            "add\ninput x INT3",
        ] {
            assert_eq!(
                definition(text).unwrap_err().status,
                Status::BadModel,
                "{text}"
            );
        }
    }
}
