//! What a DAG that is right becomes.

use super::*;
use crate::testing::argv;
use crate::{Format, TensorGet};
use smallvec::smallvec;

fn dag(line: &str) -> Dag {
    parse(&argv(line)).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn get(slot: usize) -> DagOp {
    let get = TensorGet {
        meta: true,
        data: Some(Format::Blob),
    };
    DagOp::TensorGet { get, slot }
}

fn filled(dag: &Dag) -> Vec<bool> {
    dag.slots.iter().map(Option::is_some).collect()
}

#[test]
fn names_become_slots() {
    let dag = dag(
        "AI.DAGEXECUTE LOAD 2 t t2 TIMEOUT 70 PERSIST 2 y t |> AI.TENSORSET x INT8 1 \
         |> AI.MODELEXECUTE m INPUTS 2 t x OUTPUTS 1 y |> AI.TENSORGET y",
    );
    assert_eq!(filled(&dag), [true, true, true, false]);
    let run = DagOp::ModelRun {
        inputs: smallvec![0, 2],
        outputs: 3..4,
    };
    assert_eq!(dag.ops.as_slice(), [DagOp::TensorSet, run, get(3)]);
    let persist = [Persist { key: 9, slot: 3 }, Persist { key: 10, slot: 0 }];
    assert_eq!(dag.persist.as_slice(), persist);
    assert_eq!(dag.timeout_ms, Some(70));
}

/// Each consumer sees the latest producer in front of it, PERSIST the last one of all.
#[test]
fn a_name_may_be_produced_again() {
    let dag = dag(
        "AI.DAGEXECUTE PERSIST 1 t LOAD 1 t |> AI.TENSORGET t |> AI.TENSORSET t INT8 1 |> AI.TENSORGET t \
         |> AI.MODELEXECUTE m INPUTS 2 t t OUTPUTS 1 t |> AI.TENSORGET t \
         |> AI.MODELEXECUTE n INPUTS 1 t OUTPUTS 2 t t |> AI.TENSORGET t",
    );
    let run = |inputs: &[usize], outputs| DagOp::ModelRun {
        inputs: inputs.iter().copied().collect(),
        outputs,
    };
    let expected = [
        get(0),
        DagOp::TensorSet,
        get(1),
        run(&[1, 1], 2..3),
        get(2),
        run(&[2], 3..5),
        get(4),
    ];
    assert_eq!(dag.ops.as_slice(), expected);
    assert_eq!(dag.persist.as_slice(), [Persist { key: 3, slot: 4 }]);
}

#[test]
fn sections_in_any_order_and_case() {
    let line = "AI.DAGEXECUTE timeout 0 persist 1 LOAD routing LOAD load 1 tLOAD |> ai.tensorset LOAD int8 1";
    let dag = dag(line);
    assert_eq!((dag.timeout_ms, dag.slots.len()), (None, 2));
    assert_eq!(dag.persist.as_slice(), [Persist { key: 5, slot: 1 }]);
    for line in [
        "AI.DAGEXECUTE ROUTING r |> AI.TENSORSET a INT8 1",
        "AI.DAGEXECUTE_RO ROUTING |> |> AI.TENSORSET a INT8 1",
        "AI.DAGRUN |> AI.TENSORSET a INT8 1",
        "AI.DAGRUN_RO TIMEOUT 1 |> AI.TENSORSET a INT8 1",
    ] {
        self::dag(line);
    }
}

/// A blob may be the two bytes of the separator; a value cannot.
#[test]
fn a_blob_like_the_separator() {
    for tail in ["", " |> AI.TENSORGET a"] {
        let line = format!("AI.DAGEXECUTE ROUTING r |> AI.TENSORSET a UINT8 2 BLOB |>{tail}");
        let dag = dag(&line);
        let tensor = dag.slots[0].as_ref().unwrap();
        assert_eq!(tensor.bytes(), b"|>");
    }
    let dag =
        dag("AI.DAGRUN |> AI.TENSORSET a STRING 1 VALUES BLOB |> AI.TENSORGET a |> AI.TENSORGET a");
    assert_eq!(dag.ops.len(), 3);
    let dag = self::dag(
        "AI.DAGRUN |> AI.TENSORSET BLOB UINT8 1 |> AI.TENSORGET BLOB BLOB |> AI.TENSORGET BLOB",
    );
    assert_eq!(dag.ops.len(), 3);
}

#[test]
fn deprecated_operations() {
    let dag = dag(
        "AI.DAGRUN_RO LOAD 2 t t2 |> AI.MODELRUN m INPUTS t t2 OUTPUTS y \
         |> AI.SCRIPTRUN s f INPUTS y $ t t2 OUTPUTS z |> AI.TENSORGET z",
    );
    let script = DagScript {
        function: 16,
        keys: 14..14,
        args: 14..14,
        inputs: smallvec![2, 0, 1],
        list: Some(1),
        outputs: 3..4,
    };
    assert_eq!(dag.ops[1], DagOp::ScriptRun(Box::new(script)));
    assert_eq!(dag.ops[2], get(3));
}

#[test]
fn a_script_keeps_its_keys_and_arguments() {
    let dag = dag(
        "AI.DAGEXECUTE LOAD 1 t |> AI.SCRIPTEXECUTE s f KEYS 2 k l INPUTS 1 t ARGS 1 a OUTPUTS 2 x y",
    );
    let script = DagScript {
        function: 7,
        keys: 10..12,
        args: 17..18,
        inputs: smallvec![0],
        list: None,
        outputs: 1..3,
    };
    assert_eq!(dag.ops.as_slice(), [DagOp::ScriptRun(Box::new(script))]);
}

#[test]
fn models_are_asked_for_in_order() {
    let argv = argv(
        "AI.DAGEXECUTE LOAD 1 t |> AI.MODELEXECUTE n INPUTS 1 t OUTPUTS 1 a |> AI.TENSORGET a \
         |> AI.MODELEXECUTE m INPUTS 2 t a OUTPUTS 1 b",
    );
    let mut keys = Fake::new(&argv);
    Dag::parse(&argv, DagKind::Execute, &Limits::client(1), &mut keys).unwrap();
    assert_eq!(keys.models, [b"n", b"m"]);
}

/// A hundred thousand names take no hundred thousand times a hundred thousand comparisons.
#[test]
fn many_names() {
    let names: Vec<String> = (0..100_000)
        .map(|i| format!("name {i}").replace(' ', "_"))
        .collect();
    let mut argv: Vec<&[u8]> = vec![b"AI.DAGEXECUTE", b"PERSIST", b"100000"];
    argv.extend(names.iter().map(String::as_bytes));
    for name in &names {
        argv.extend([
            b"|>" as &[u8],
            b"AI.TENSORSET",
            name.as_bytes(),
            b"INT8",
            b"1",
        ]);
        argv.extend([b"|>" as &[u8], b"AI.TENSORGET", name.as_bytes()]);
    }
    let begun = std::time::Instant::now();
    let dag = parse(&argv).unwrap();
    assert!(begun.elapsed().as_secs() < 5);
    assert_eq!((dag.slots.len(), dag.ops.len()), (100_000, 200_000));
    let slots = dag.persist.iter().map(|persist| persist.slot);
    assert!(slots.eq(0..100_000));
}
