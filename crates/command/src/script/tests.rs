//! The error tables and forms of `AI.SCRIPTEXECUTE` and `AI.SCRIPTRUN`.

use super::*;
use crate::testing::{argv, refused};
use proptest::prelude::*;
use smallvec::smallvec;

fn plain(argv: &[&[u8]]) -> Result<ScriptRun, Error> {
    ScriptRun::parse(argv, false)
}

#[test]
fn scriptexecute_refuses_what_the_contract_refuses() {
    let unexpected = |text: &str| Error::UnexpectedInScript(text.as_bytes().into());
    let cases = [
        ("", Error::NoFirstScope),
        ("OUTPUTS 1 a", Error::NoFirstScope),
        ("ARGS 1 a INPUTS 1 b", Error::NoFirstScope),
        ("x", Error::NoFirstScope),
        ("KEYS", Error::ScriptKeysArguments),
        ("KEYS 1", Error::ScriptKeysArguments),
        ("KEYS x k", Error::ScriptKeysCount),
        ("KEYS -1 k", Error::ScriptKeysCount),
        ("KEYS 3 k l", Error::ScriptKeysDeclared),
        ("KEYS 9223372036854775807 k", Error::ScriptKeysDeclared),
        ("KEYS 1 k KEYS 1 k", Error::ScriptKeysTwice),
        ("INPUTS", Error::InvalidScriptInputCount),
        ("INPUTS x a", Error::InvalidScriptInputCount),
        ("INPUTS 1", Error::ScriptInputs),
        ("INPUTS 2 a", Error::ScriptInputs),
        ("INPUTS 1 a INPUTS 1 b", Error::ScriptInputsTwice),
        ("INPUTS 1 a KEYS x k", Error::InvalidScriptKeyCount),
        ("INPUTS 1 a KEYS", Error::InvalidScriptKeyCount),
        ("INPUTS 1 a KEYS 2 k", Error::ScriptKeys),
        ("INPUTS 1 a ARGS x k", Error::InvalidScriptKeyCount),
        ("INPUTS 1 a ARGS 2 k", Error::ScriptArgs),
        ("INPUTS 1 a ARGS 1 k ARGS 1 k", Error::ScriptArgsTwice),
        ("INPUTS 1 a OUTPUTS x k", Error::InvalidScriptOutputCount),
        ("INPUTS 1 a OUTPUTS 2 k", Error::ScriptOutputs),
        (
            "INPUTS 1 a OUTPUTS 1 b OUTPUTS 1 b",
            Error::ScriptOutputsTwice,
        ),
        ("INPUTS 1 a TIMEOUT", Error::NoScriptTimeout),
        ("INPUTS 1 a TIMEOUT x", Error::InvalidTimeout),
        ("INPUTS 1 a TIMEOUT 0", Error::InvalidTimeout),
        ("INPUTS 1 a TIMEOUT -1 x", Error::InvalidTimeout),
        ("INPUTS 1 a TIMEOUT 5 x", Error::AfterScriptTimeout),
        (
            "INPUTS 1 a TIMEOUT 5 OUTPUTS 1 b",
            Error::AfterScriptTimeout,
        ),
        ("INPUTS 1 a b", unexpected("b")),
        ("INPUTS 1 a $ 1 b", unexpected("$")),
    ];
    for (tail, error) in cases {
        let line = format!("AI.SCRIPTEXECUTE s f {tail}");
        refused(plain, &[(line.trim_end(), error)]);
    }
    let arity = Error::Arity("AI.SCRIPTEXECUTE");
    refused(
        plain,
        &[
            ("AI.SCRIPTEXECUTE", arity.clone()),
            ("AI.SCRIPTEXECUTE s", arity),
            ("AI.SCRIPTEXECUTE s inputs 1 a", Error::NoFunction),
            ("AI.SCRIPTEXECUTE s KEYS 1 a", Error::NoFunction),
            ("AI.SCRIPTEXECUTE s ARGS", Error::NoFunction),
        ],
    );
}

#[test]
fn scriptexecute_gives_indices() {
    let line =
        "AI.SCRIPTEXECUTE s f keys 2 k KEYS INPUTS 1 INPUTS ARGS 2 a b OUTPUTS 1 o TIMEOUT 7";
    let expected = ScriptRun {
        keys: 5..7,
        inputs: smallvec![9],
        list: None,
        args: 12..14,
        outputs: smallvec![16],
        timeout_ms: Some(7),
    };
    assert_eq!(plain(&argv(line)), Ok(expected));
    // No outputs, a count below zero, scopes in another order.
    let run = plain(&argv("AI.SCRIPTEXECUTE s f INPUTS -1 KEYS 1 k")).unwrap();
    assert_eq!(
        (run.inputs.len(), run.keys, run.outputs.len()),
        (0, 7..8, 0)
    );
    let run = plain(&argv("AI.SCRIPTEXECUTE s f KEYS 0 INPUTS 0")).unwrap();
    assert_eq!(
        run,
        ScriptRun {
            keys: 5..5,
            ..ScriptRun::default()
        }
    );
}

#[test]
fn in_a_dag_no_scope_needs_to_be_first() {
    let in_dag = |line| ScriptRun::parse(&argv(line), true);
    assert_eq!(in_dag("AI.SCRIPTEXECUTE s f"), Ok(ScriptRun::default()));
    let run = in_dag("AI.SCRIPTEXECUTE s f OUTPUTS 1 o").unwrap();
    assert_eq!(run.outputs.as_slice(), [5]);
    assert_eq!(
        in_dag("AI.SCRIPTEXECUTE s f KEYS 2 k x KEYS 1 k"),
        Err(Error::ScriptKeysTwice)
    );
}

#[test]
fn scriptrun_refuses_what_the_contract_refuses() {
    let cases = [
        ("x", Error::ScriptRunUnknown),
        ("TIMEOUT", Error::NoTimeout),
        ("TIMEOUT x", Error::InvalidTimeout),
        ("TIMEOUT 0", Error::InvalidTimeout),
        ("TIMEOUT 5 TIMEOUT 5", Error::ScriptRunTimeoutTwice),
        ("INPUTS a OUTPUTS b INPUTS c", Error::ScriptRunInputsAfter),
        ("OUTPUTS b INPUTS c", Error::ScriptRunInputsAfter),
        ("INPUTS a INPUTS b", Error::ScriptRunInputsTwice),
        ("OUTPUTS b OUTPUTS", Error::ScriptRunOutputsTwice),
        ("$", Error::ScriptRunListOutside),
        ("INPUTS a OUTPUTS $ b", Error::ScriptRunListOutside),
        ("INPUTS $ a $ b", Error::ScriptRunListTwice),
    ];
    for (tail, error) in cases {
        let line = format!("AI.SCRIPTRUN s f {tail}");
        refused(ScriptRun::parse_run, &[(&line, error)]);
    }
    refused(
        ScriptRun::parse_run,
        &[
            ("AI.SCRIPTRUN s", Error::Arity("AI.SCRIPTRUN")),
            ("AI.SCRIPTRUN s TIMEOUT 5", Error::NoFunction),
            ("AI.SCRIPTRUN s INPUTS a", Error::NoFunction),
        ],
    );
}

#[test]
fn scriptrun_gives_indices() {
    let line = "AI.SCRIPTRUN s keys TIMEOUT 9 INPUTS a $ b c OUTPUTS o p";
    let expected = ScriptRun {
        inputs: smallvec![6, 8, 9],
        list: Some(1),
        outputs: smallvec![11, 12],
        timeout_ms: Some(9),
        ..ScriptRun::default()
    };
    assert_eq!(ScriptRun::parse_run(&argv(line)), Ok(expected));
    let run = ScriptRun::parse_run(&argv("AI.SCRIPTRUN s f")).unwrap();
    assert_eq!(run, ScriptRun::default());
}

proptest! {
    #[test]
    fn indices_are_in_argv(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "KEYS", "INPUTS", "ARGS", "OUTPUTS", "TIMEOUT", "$", "0", "1", "2", "-1", "a", "",
            ]),
            0..14,
        ),
        in_dag: bool,
    ) {
        let tail = words.iter().map(|word| word.as_bytes());
        let argv: Vec<&[u8]> = [b"AI.SCRIPTEXECUTE" as &[u8], b"s", b"f"].into_iter().chain(tail).collect();
        for run in [ScriptRun::parse(&argv, in_dag), ScriptRun::parse_run(&argv)].into_iter().flatten() {
            let tensors = run.inputs.iter().chain(&run.outputs).copied();
            prop_assert!(tensors.chain(run.keys).chain(run.args).all(|at| at > 2 && at < argv.len()));
            prop_assert!(run.list.is_none_or(|list| list <= run.inputs.len()));
        }
    }
}
