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

impl Operation {
    /// Whether it does something when it is loaded.
    fn is_at_load(&self) -> bool {
        matches!(
            self,
            Self::GateLoad(_) | Self::FailLoad(_) | Self::PanicLoad(_)
        )
    }
}

/// A model's text, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// What is done at load.
    pub(crate) at_load: Option<Operation>,
    /// What each function of the signature does.
    pub(crate) operations: Vec<Operation>,
    pub(crate) signature: Signature,
}

/// Reads a model's text.
pub(crate) fn definition(text: &str) -> Result<Definition, BackendError> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let operation = operation(first).ok_or_else(|| bad("unknown operation", first))?;
    let mut signature = Signature {
        functions: vec![any_number(b"")],
        control_flow: false,
    };
    for line in lines {
        declare(line, &mut signature).ok_or_else(|| bad("unknown declaration", line))?;
    }
    Ok(Definition {
        at_load: Some(operation.clone()),
        operations: vec![operation],
        signature,
    })
}

/// A function of this name that takes and gives any number of tensors.
fn any_number(name: &[u8]) -> Function {
    Function {
        name: name.into(),
        variadic_inputs: true,
        variadic_outputs: true,
        ..Function::default()
    }
}

/// Reads a script's text; the options name the entry points that it must have.
pub(crate) fn script(
    text: &str,
    options: &[(String, Vec<u8>)],
) -> Result<Definition, BackendError> {
    let mut script = Definition {
        at_load: None,
        operations: Vec::new(),
        signature: Signature::default(),
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    for (at, line) in lines.enumerate() {
        let at_load = operation(line).filter(Operation::is_at_load);
        if at == 0 && at_load.is_some() {
            script.at_load = at_load;
            continue;
        }
        let function = line
            .strip_prefix("def ")
            .and_then(|rest| rest.split_once(' '));
        let function = function.and_then(|(name, does)| Some((name, operation(does)?)));
        let (name, does) = function.ok_or_else(|| bad("no function", line))?;
        script.operations.push(does);
        script.signature.functions.push(any_number(name.as_bytes()));
    }
    for (option, name) in options {
        let there = script
            .signature
            .functions
            .iter()
            .any(|one| *one.name == **name);
        if option == "entry_point" && !there {
            let name = String::from_utf8_lossy(name);
            let text = format!("Function {name} does not exist in the given script.");
            return Err(BackendError::new(Status::BadModel, text));
        }
    }
    Ok(script)
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
        assert_eq!(definition.operations, [Operation::Sleep(wait)]);
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
        let operations = definition("fail a  b").unwrap().operations;
        assert_eq!(operations, [Operation::Fail("a  b".to_owned())]);
    }

    #[test]
    fn a_script_is_its_functions() {
        let entry = |name: &str| [("entry_point".to_owned(), name.as_bytes().to_vec())];
        let text = "gate-load /x\n\ndef f identity\n def g fail a  b\n";
        let found = script(text, &entry("g")).unwrap();
        assert_eq!(found.at_load, Some(Operation::GateLoad("/x".into())));
        let expected = [Operation::Identity, Operation::Fail("a  b".to_owned())];
        assert_eq!(found.operations, expected);
        let names = found
            .signature
            .functions
            .iter()
            .map(|one| one.name.as_ref());
        assert_eq!(names.collect::<Vec<_>>(), [b"f", b"g"]);
        assert!(script("", &[]).unwrap().operations.is_empty());
        for (text, name) in [
            ("def f identity", "h"),
            ("f identity", "f"),
            ("def f x", "f"),
        ] {
            let error = script(text, &entry(name)).unwrap_err();
            assert_eq!(error.status, Status::BadModel, "{text}");
        }
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
