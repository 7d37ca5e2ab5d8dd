//! Every error, in the order of the contract: where two things are wrong, the first one counts.

use super::parse;
use crate::Error;
use crate::testing::{argv, refused};

fn unexpected(text: &str) -> Error {
    Error::UnexpectedInDag(text.as_bytes().into())
}

/// Each tail behind the name of the command.
fn refuses(name: &str, cases: &[(&str, Error)]) {
    for (tail, error) in cases {
        refused(parse, &[(&format!("{name} {tail}"), error.clone())]);
    }
}

const SECTIONS: &str = "|> AI.TENSORGET t x x";

#[test]
fn too_few_arguments() {
    for name in ["AI.DAGEXECUTE", "AI.DAGEXECUTE_RO"] {
        let missing = Error::MissingArguments(name);
        refused(parse, &[(name, missing.clone())]);
        refuses(
            name,
            &[
                ("LOAD 1 none |>", missing.clone()),
                ("x y z a", missing),
                ("x y z a b", unexpected("x")),
            ],
        );
    }
    for name in ["AI.DAGRUN", "AI.DAGRUN_RO"] {
        refused(parse, &[(name, Error::Arity(name))]);
        refuses(
            name,
            &[("|> x", Error::Arity(name)), ("x y z", unexpected("x"))],
        );
    }
}

/// The sections, in front of operations that are wrong too.
#[test]
fn sections() {
    let cases = [
        ("ROUTING r TIMEOUT 5 LOAD", Error::LoadArguments),
        ("ROUTING r TIMEOUT 5 LOAD 1", Error::LoadArguments),
        ("LOAD x none", Error::LoadCount),
        ("LOAD 0 none", Error::LoadCount),
        ("LOAD -1 none", Error::LoadCount),
        ("LOAD 1.0 none", Error::LoadCount),
        ("LOAD 1 none", Error::TensorKeyEmpty),
        ("LOAD 1 wrong", Error::WrongType),
        ("LOAD 2 t none", Error::TensorKeyEmpty),
        // The separator is a key like any other here.
        ("LOAD 2 t", Error::TensorKeyEmpty),
        ("LOAD 1 t LOAD 1 t", unexpected("LOAD")),
        ("ROUTING a ROUTING b", unexpected("ROUTING")),
        ("ROUTING a TIMEOUT 1 TIMEOUT 1", unexpected("TIMEOUT")),
        ("LOAD 1 t x", unexpected("x")),
        ("LOAD 1 t ''", unexpected("")),
        ("TIMEOUT x", Error::InvalidTimeout),
        ("TIMEOUT -1", Error::InvalidTimeout),
        ("TIMEOUT 1.0", Error::InvalidTimeout),
        ("TIMEOUT |> |>", Error::InvalidTimeout),
    ];
    for name in [
        "AI.DAGEXECUTE",
        "AI.DAGEXECUTE_RO",
        "AI.DAGRUN",
        "AI.DAGRUN_RO",
    ] {
        for (head, error) in &cases {
            let ends = head.contains("TIMEOUT 5 LOAD");
            let tail = if ends {
                String::new()
            } else {
                format!(" {SECTIONS}")
            };
            refuses(name, &[(&format!("{head}{tail}"), error.clone())]);
        }
        refuses(
            name,
            &[
                ("LOAD 1 t TIMEOUT 5 ROUTING", Error::NoRouting),
                ("LOAD 1 t ROUTING r TIMEOUT", Error::NoTimeout),
                ("LOAD 5 t t t t", Error::LoadKeys),
                ("LOAD 9223372036854775807 t t t", Error::LoadKeys),
            ],
        );
    }
}

#[test]
fn persist() {
    let cases = [
        ("ROUTING r TIMEOUT 5 PERSIST", Error::PersistArguments),
        ("ROUTING r TIMEOUT 5 PERSIST 1", Error::PersistArguments),
        ("PERSIST x a a |> y", Error::PersistCount),
        ("PERSIST 0 a a |> y", Error::PersistCount),
        ("PERSIST -2 a a |> y", Error::PersistCount),
        ("PERSIST 3 a b a |> y", Error::PersistTwice),
        ("PERSIST 9 a b a |> y", Error::PersistTwice),
        ("PERSIST 9 a b c |> y", Error::PersistKeys),
        ("PERSIST 1 a PERSIST 1 b |> y", unexpected("PERSIST")),
    ];
    for name in ["AI.DAGEXECUTE", "AI.DAGRUN"] {
        refuses(name, &cases);
    }
    for name in ["AI.DAGEXECUTE_RO", "AI.DAGRUN_RO"] {
        for (tail, _) in &cases {
            refuses(name, &[(tail, Error::PersistInReadOnly)]);
        }
    }
    let many: Vec<String> = (0..40).map(|i| format!("k{i}")).collect();
    let twice = format!("PERSIST 41 {} k7 |> AI.TENSORGET t", many.join(" "));
    refuses("AI.DAGEXECUTE", &[(&twice, Error::PersistTwice)]);
}

#[test]
fn no_sections_and_no_operations() {
    for name in ["AI.DAGEXECUTE", "AI.DAGEXECUTE_RO"] {
        refuses(
            name,
            &[
                ("|> AI.TENSORGET t x x", Error::NoDagKeyword),
                ("TIMEOUT 5 |> AI.TENSORGET t", Error::NoDagKeyword),
                ("TIMEOUT 5 |> y |>", unexpected("|>")),
            ],
        );
    }
    for name in [
        "AI.DAGEXECUTE",
        "AI.DAGEXECUTE_RO",
        "AI.DAGRUN",
        "AI.DAGRUN_RO",
    ] {
        refuses(
            name,
            &[
                ("LOAD 3 t t t", Error::EmptyDag),
                ("LOAD 1 t ROUTING r |>", unexpected("|>")),
                ("LOAD 1 t |> AI.TENSORGET t |>", unexpected("|>")),
                ("LOAD 1 t |> |> AI.TENSORGET t", Error::UnsupportedInDag),
            ],
        );
    }
    refuses("AI.DAGRUN", &[("TIMEOUT 5 ROUTING r", Error::EmptyDag)]);
}

/// Wrong in each of the four commands.
fn tensor_operations() -> Vec<(&'static str, Error)> {
    let set = || Error::ArityInDag("AI.TENSORSET");
    let get = || Error::ArityInDag("AI.TENSORGET");
    vec![
        ("AI.TENSORSET", set()),
        ("AI.TENSORSET a FLOAT", set()),
        ("AI.TENSORSET a FLOAT3 1", Error::InvalidDType),
        ("AI.TENSORSET a FLOAT x", Error::InvalidShape),
        ("AI.TENSORSET a FLOAT 0", Error::InvalidShape),
        ("AI.TENSORSET a FLOAT 1 BLOB", Error::BlobCount),
        ("AI.TENSORSET a FLOAT 1 BLOB abc", Error::DataLength),
        ("AI.TENSORSET a BOOL 1 BLOB 2", Error::BoolElement),
        ("AI.TENSORSET a STRING 2 BLOB a", Error::StringCount),
        ("AI.TENSORSET a FLOAT 2 VALUES 1", Error::ValuesCount),
        ("AI.TENSORSET a FLOAT 1 VALUES x", Error::InvalidValue),
        ("AI.TENSORGET", get()),
        ("AI.TENSORGET t META BLOB VALUES", get()),
        ("AI.TENSORGET t BLOB VALUES", Error::BlobAndValues),
        ("AI.TENSORGET t x", Error::UnsupportedFormat),
        ("AI.MODELSTORE m", Error::UnsupportedInDag),
        ("PING", Error::UnsupportedInDag),
        ("''", Error::UnsupportedInDag),
    ]
}

#[test]
fn operations() {
    let both = tensor_operations();
    let modern = [
        (
            "AI.MODELEXECUTE m INPUTS 1 a OUTPUTS 1",
            Error::Arity("AI.MODELEXECUTE"),
        ),
        ("AI.MODELEXECUTE none x x x x x x", Error::ModelKeyEmpty),
        ("AI.MODELEXECUTE wrong x x x x x x", Error::WrongType),
        ("AI.MODELEXECUTE m x x x x x x", Error::NoInputs),
        (
            "AI.MODELEXECUTE m INPUTS x x x x x",
            Error::InvalidInputCount,
        ),
        (
            "AI.MODELEXECUTE m INPUTS 1 x x x x",
            Error::InputsDoNotFitModel,
        ),
        (
            "AI.MODELEXECUTE m INPUTS 2 t t OUTPUTS 2 a b",
            Error::OutputsDoNotFitModel,
        ),
        (
            "AI.MODELEXECUTE m INPUTS 2 t t OUTPUTS 1 a x",
            Error::Trailing(b"x".as_slice().into()),
        ),
        (
            "AI.MODELEXECUTE m INPUTS 2 t t OUTPUTS 1 a TIMEOUT 5",
            Error::TimeoutInDag,
        ),
        ("AI.MODELRUN m x x x x x", Error::ModelRunInDagExecute),
        ("AI.SCRIPTRUN x", Error::ScriptRunInDagExecute),
    ];
    for name in ["AI.DAGEXECUTE", "AI.DAGEXECUTE_RO"] {
        all_operations(name, &[&both, &modern]);
    }
    let scripts = [
        ("AI.SCRIPTEXECUTE s", Error::Arity("AI.SCRIPTEXECUTE")),
        ("AI.SCRIPTEXECUTE none INPUTS", Error::ScriptKeyEmpty),
        ("AI.SCRIPTEXECUTE wrong INPUTS", Error::WrongType),
        ("AI.SCRIPTEXECUTE s INPUTS", Error::NoFunction),
        ("AI.SCRIPTEXECUTE s f INPUTS 2 t", Error::ScriptInputs),
        (
            "AI.SCRIPTEXECUTE s f INPUTS 1 t TIMEOUT 5",
            Error::TimeoutInDag,
        ),
    ];
    all_operations("AI.DAGEXECUTE", &[&scripts]);
    let read_only = [("AI.SCRIPTEXECUTE", Error::ScriptInReadOnlyDag)];
    all_operations("AI.DAGEXECUTE_RO", &[&read_only]);
}

#[test]
fn deprecated_operations() {
    let both = tensor_operations();
    let deprecated = [
        (
            "AI.MODELRUN m INPUTS a OUTPUTS",
            Error::Arity("AI.MODELRUN"),
        ),
        ("AI.MODELRUN none x x x x", Error::ModelKeyEmpty),
        ("AI.MODELRUN wrong x x x x", Error::WrongType),
        (
            "AI.MODELRUN m INPUTS t OUTPUTS a",
            Error::InputsDoNotFitModel,
        ),
        (
            "AI.MODELRUN m INPUTS t t OUTPUTS a b",
            Error::OutputsDoNotFitModel,
        ),
        (
            "AI.MODELRUN m TIMEOUT 5 INPUTS t t OUTPUTS a",
            Error::TimeoutInDag,
        ),
        ("AI.SCRIPTRUN s", Error::Arity("AI.SCRIPTRUN")),
        ("AI.SCRIPTRUN none f x", Error::ScriptKeyEmpty),
        ("AI.SCRIPTRUN wrong f x", Error::WrongType),
        ("AI.SCRIPTRUN s f x", Error::ScriptRunUnknown),
        (
            "AI.SCRIPTRUN s f TIMEOUT 5 INPUTS t OUTPUTS a",
            Error::TimeoutInDag,
        ),
        ("AI.MODELEXECUTE m", Error::ModelExecuteInDagRun),
        ("AI.SCRIPTEXECUTE m", Error::ScriptExecuteInDagRun),
    ];
    for name in ["AI.DAGRUN", "AI.DAGRUN_RO"] {
        all_operations(name, &[&both, &deprecated]);
    }
}

/// Each operation after one that is right and one whose input nobody makes, and before one that is
/// wrong: an error of an operation comes before every error of wiring.
fn all_operations(name: &str, tables: &[&[(&str, Error)]]) {
    for (op, error) in tables.iter().copied().flatten() {
        let tail = format!("LOAD 1 t |> AI.TENSORGET t |> AI.TENSORGET a |> {op} |> x");
        refuses(name, &[(&tail, error.clone())]);
    }
}

#[test]
fn wiring() {
    refuses(
        "AI.DAGEXECUTE",
        &[
            ("PERSIST 1 none |> AI.TENSORGET a", Error::NoDagInput),
            (
                "ROUTING r |> AI.TENSORGET a |> AI.TENSORSET a FLOAT 1",
                Error::NoDagInput,
            ),
            (
                "LOAD 1 t |> AI.MODELEXECUTE m INPUTS 2 t a OUTPUTS 1 a",
                Error::NoDagInput,
            ),
            (
                "ROUTING r |> AI.SCRIPTEXECUTE s f INPUTS 1 a",
                Error::NoDagInput,
            ),
            (
                "PERSIST 2 t none LOAD 1 t |> AI.TENSORGET t",
                Error::NoDagPersist,
            ),
        ],
    );
    refuses(
        "AI.DAGRUN",
        &[
            (
                "LOAD 1 t |> AI.MODELRUN m INPUTS t a OUTPUTS a",
                Error::NoDagInput,
            ),
            ("|> AI.SCRIPTRUN s f INPUTS $ a", Error::NoDagInput),
            (
                "PERSIST 1 T LOAD 1 t |> AI.TENSORGET t",
                Error::NoDagPersist,
            ),
        ],
    );
    assert!(parse(&argv("AI.DAGEXECUTE LOAD 1 t |> AI.TENSORGET t")).is_ok());
}
