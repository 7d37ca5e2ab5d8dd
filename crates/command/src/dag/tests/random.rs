//! Any argv: no panic, slots that are there, and getkeys that names what the parser takes.

use super::*;
use crate::{Access, command};
use proptest::prelude::*;
use std::collections::HashMap;

const KINDS: [&[u8]; 4] = [
    b"AI.DAGEXECUTE",
    b"AI.DAGEXECUTE_RO",
    b"AI.DAGRUN",
    b"AI.DAGRUN_RO",
];

fn head() -> impl Strategy<Value = String> {
    let section = prop::sample::select(vec![
        "LOAD 1 t",
        "LOAD 2 t ta",
        "LOAD 2 t a",
        "PERSIST 1 a",
        "PERSIST 2 a t",
        "PERSIST 1 t",
        "ROUTING r",
        "TIMEOUT 5",
        "TIMEOUT 0",
        "x",
        "LOAD 1",
        "",
    ]);
    prop::collection::vec(section, 0..4).prop_map(|sections| sections.join(" "))
}

fn op() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "AI.TENSORSET a INT8 1",
        "AI.TENSORSET b UINT8 2 BLOB |>",
        "AI.TENSORSET t FLOAT 1",
        "AI.TENSORGET a",
        "AI.TENSORGET b VALUES",
        "AI.TENSORGET t",
        "AI.TENSORGET",
        "AI.MODELEXECUTE m INPUTS 2 t a OUTPUTS 1 a",
        "AI.MODELEXECUTE m INPUTS 2 t t OUTPUTS 1 t",
        "AI.MODELEXECUTE n INPUTS 1 t OUTPUTS 2 a b",
        "AI.MODELRUN m INPUTS t t OUTPUTS b",
        "AI.MODELRUN n INPUTS t OUTPUTS a a",
        "AI.SCRIPTRUN s f INPUTS t $ t OUTPUTS a",
        "AI.SCRIPTEXECUTE s f KEYS 1 k INPUTS 1 t OUTPUTS 1 b",
        "x",
        "",
        "|>",
    ])
}

fn check(argv: &[&[u8]]) -> Option<Dag> {
    let mut keys = Vec::new();
    crate::keys(command(argv[0]).unwrap(), argv, |key, access| {
        keys.push((key, access));
    });
    assert!(keys.iter().all(|(key, _)| *key < argv.len()));
    let mut asked = Fake::new(argv);
    let dag = Dag::parse(argv, kind_of(argv), &Limits::client(99), &mut asked).ok()?;
    let count = dag.slots.len();
    for op in &dag.ops {
        let (inputs, outputs) = match op {
            DagOp::TensorSet => (&[] as &[usize], 0..0),
            DagOp::TensorGet { slot, .. } => (std::slice::from_ref(slot), 0..0),
            DagOp::ModelRun { inputs, outputs } => (inputs.as_slice(), outputs.clone()),
            DagOp::ScriptRun(script) => (script.inputs.as_slice(), script.outputs.clone()),
        };
        assert!(inputs.iter().all(|&slot| slot < count) && outputs.end <= count);
        assert!(outputs.into_iter().all(|slot| dag.slots[slot].is_none()));
    }
    for persist in &dag.persist {
        assert!(persist.slot < count);
        assert!(keys.contains(&(persist.key, Access::Overwrite)));
    }
    let read = |name: &[u8]| keys.iter().any(|&(key, _)| argv[key] == name);
    assert!(asked.models.iter().all(|model| read(model)));
    Some(dag)
}

/// The wiring as a plain interpreter sees it: who made what an operation reads.
fn interpret(line: &str) -> Vec<Vec<usize>> {
    let mut made = 0;
    let mut names: HashMap<&str, usize> = HashMap::new();
    let mut produce = |names: &mut HashMap<_, _>, name| {
        names.insert(name, made);
        made += 1;
    };
    let mut seen = Vec::new();
    let (head, ops) = line.split_once(" |> ").unwrap();
    for name in head.split(' ').filter(|word| word.starts_with('t')) {
        produce(&mut names, name);
    }
    for op in ops.split(" |> ") {
        let words: Vec<&str> = op.split(' ').collect();
        match words[0] {
            "AI.TENSORSET" => produce(&mut names, words[1]),
            "AI.TENSORGET" => seen.push(vec![names[words[1]]]),
            _ => {
                let outputs = words.iter().position(|word| *word == "OUTPUTS").unwrap();
                seen.push(words[4..outputs].iter().map(|name| names[name]).collect());
                for name in &words[outputs + 2..] {
                    produce(&mut names, name);
                }
            }
        }
    }
    seen
}

proptest! {
    #[test]
    fn any_argv_is_an_answer(kind in 0..4_usize, head in head(), ops in prop::collection::vec(op(), 0..6)) {
        let line = format!("{head} |> {}", ops.join(" |> "));
        let words = line.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes);
        let argv: Vec<&[u8]> = [KINDS[kind]].into_iter().chain(words).collect();
        check(&argv);
    }

    #[test]
    fn the_wiring_is_that_of_an_interpreter(
        ops in prop::collection::vec((0..3_u8, prop::collection::vec(0..25_u8, 4)), 1..60),
    ) {
        let mut words = vec!["AI.DAGEXECUTE LOAD 2 t0 t1".to_owned()];
        // Only names that are there already are read.
        let mut known = vec!["t0".to_owned(), "t1".to_owned()];
        for (what, picks) in &ops {
            let pick = |at: usize| known[usize::from(picks[at]) % known.len()].clone();
            let (a, b, made) = (pick(0), pick(1), format!("t{}", picks[2]));
            words.push(match what {
                0 => format!("AI.TENSORSET {made} INT8 1"),
                1 => format!("AI.TENSORGET {a}"),
                _ => format!("AI.MODELEXECUTE m INPUTS 2 {a} {b} OUTPUTS 1 {made}"),
            });
            if *what != 1 {
                known.push(made);
            }
        }
        let line = words.join(" |> ");
        let argv = crate::testing::argv(&line);
        let dag = check(&argv).unwrap();
        let seen: Vec<Vec<usize>> = dag.ops.iter().filter_map(|op| match op {
            DagOp::TensorGet { slot, .. } => Some(vec![*slot]),
            DagOp::ModelRun { inputs, .. } => Some(inputs.to_vec()),
            _ => None,
        }).collect();
        prop_assert_eq!(seen, interpret(&line));
    }
}
