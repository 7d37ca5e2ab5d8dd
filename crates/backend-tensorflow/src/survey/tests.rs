//! Graphs that the survey lets through, and those that it refuses.

use super::*;
use crate::proto::{
    ArgDef, AttrValue, FunctionDef, FunctionName, GradientDef, Library, NodeDef, OpDef,
};

fn node(name: &str, op: &str, inputs: &[&str]) -> NodeDef {
    NodeDef {
        name: name.to_owned(),
        op: op.to_owned(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        ..NodeDef::default()
    }
}

fn graph(node: Vec<NodeDef>, inner: Vec<NodeDef>) -> GraphDef {
    let function = FunctionDef {
        signature: Some(OpDef {
            name: "f".to_owned(),
            input_arg: Vec::new(),
        }),
        node_def: inner,
        ..FunctionDef::default()
    };
    GraphDef {
        node,
        library: Some(Library {
            function: vec![function],
            gradient: Vec::new(),
        }),
    }
}

#[test]
fn files_are_found_anywhere() {
    for op in [
        "ReadFile",
        "WriteFile",
        "RestoreV2",
        "ExperimentalSqlDataset",
        "Abort",
    ] {
        for graph in [
            graph(vec![node("a", op, &[])], Vec::new()),
            graph(Vec::new(), vec![node("a", op, &[])]),
        ] {
            assert!(survey(&graph).unwrap_err().text.contains(op), "{op}");
        }
    }
}

const LOADING: [&str; 1] = ["load"];

/// Loading restores from `file` and initialises from `asset`, both by `load`.
fn loading() -> Loading<'static> {
    Loading {
        restore: LOADING.to_vec(),
        init: LOADING.to_vec(),
        variables: Some(("file", "0")),
        assets: vec![("asset", "0")],
    }
}

fn check(graph: &GraphDef, loading: &Loading<'_>) -> bool {
    survey_saved(graph, ["y:0"].into_iter(), loading).is_ok()
}

fn check_nodes(nodes: Vec<NodeDef>, loading: &Loading<'_>) -> bool {
    check(&graph(nodes, Vec::new()), loading)
}

#[test]
fn a_saved_model_may_read_what_is_fed_while_it_is_loaded() {
    let y = || node("y", "Identity", &["x"]);
    let restores = |file: &str| node("load", "RestoreV2", &[file, "names"]);
    let table = |file: &str| node("load", "InitializeTableFromTextFileV2", &["^c", "t", file]);
    let only_restored = Loading {
        init: Vec::new(),
        ..loading()
    };
    let save = node("s", "SaveV2", &["any"]);
    assert!(check_nodes(
        vec![y(), restores("file"), save],
        &only_restored
    ));
    assert!(check_nodes(vec![y(), table("asset:0")], &loading()));
    let through = node("i", "Identity", &["asset"]);
    assert!(check_nodes(vec![y(), table("i"), through], &loading()));
    // At the second time the place of the variables is what the graph says.
    assert!(!check_nodes(vec![y(), restores("file")], &loading()));
    for other in ["other", "asset:1", "names", "i:1"] {
        let nodes = vec![y(), table(other), node("other", "Const", &["asset"])];
        assert!(!check_nodes(nodes, &loading()), "{other}");
    }
    // In a run, or by another operation, not even that.
    let mut run = table("asset");
    run.name = "x".to_owned();
    assert!(!check_nodes(vec![y(), run], &loading()));
    for op in ["SaveV2", "ReadFile", "RestoreSlice"] {
        assert!(
            !check_nodes(vec![y(), node("load", op, &["asset"])], &loading()),
            "{op}"
        );
    }
    assert!(!check_nodes(
        vec![y(), node("z", "ReadFile", &[])],
        &loading()
    ));
}

/// A call of `f`, whose only argument is `path`.
fn call(name: &str, op: &str, input: &str) -> NodeDef {
    let mut call = node(name, op, &[input]);
    let function = FunctionName {
        name: "f".to_owned(),
    };
    let attr = AttrValue {
        func: Some(function),
        ..AttrValue::default()
    };
    call.attr.insert("f".to_owned(), attr);
    call
}

/// A function that fills a table from its argument, and its callers.
fn calls(outer: Vec<NodeDef>) -> GraphDef {
    let inner = node(
        "t",
        "InitializeTableFromTextFileV2",
        &["h:o:0", "i:output:0"],
    );
    let mut graph = graph(outer, vec![inner, node("i", "Identity", &["path"])]);
    let function = &mut graph.library.as_mut().unwrap().function[0];
    let argument = ArgDef {
        name: "path".to_owned(),
        ..ArgDef::default()
    };
    function
        .signature
        .as_mut()
        .unwrap()
        .input_arg
        .push(argument);
    graph
}

#[test]
fn a_function_reads_what_all_its_callers_name() {
    let y = || node("y", "Identity", &["x"]);
    let plain = || call("load", "StatefulPartitionedCall", "asset");
    assert!(check(&calls(vec![y(), plain()]), &loading()));
    assert!(check(
        &calls(vec![y(), node("load", "f", &["asset"])]),
        &loading()
    ));
    let other = call("other", "PartitionedCall", "elsewhere");
    assert!(!check(&calls(vec![y(), plain(), other]), &loading()));
    // What calls it in its own way may give it anything.
    let twice = call("other", "If", "asset");
    assert!(!check(&calls(vec![y(), plain(), twice]), &loading()));
    let mut several = calls(vec![y(), plain()]);
    let function = &mut several.library.as_mut().unwrap().function[0];
    let arguments = &mut function.signature.as_mut().unwrap().input_arg;
    arguments[0].type_list_attr = "T".to_owned();
    assert!(!check(&several, &loading()));
}

/// A variable of this name.
fn variable(name: &str, shared: &str) -> NodeDef {
    let mut variable = node(name, "VarHandleOp", &[]);
    let attr = AttrValue {
        s: shared.as_bytes().to_vec(),
        ..AttrValue::default()
    };
    variable.attr.insert("shared_name".to_owned(), attr);
    variable
}

/// As TensorFlow 2.21 writes it: a variable keeps the path of the asset.
#[test]
fn a_variable_reads_as_what_is_assigned_to_it() {
    let nodes = || {
        vec![
            node("y", "Identity", &["x"]),
            variable("v", "path"),
            node("set", "AssignVariableOp", &["v", "asset"]),
            node("get", "ReadVariableOp", &["v", "^set"]),
            call("load", "StatefulPartitionedCall", "get"),
            variable("w", "weights"),
            node("other", "AssignVariableOp", &["w", "anything"]),
        ]
    };
    let check = |more: Vec<NodeDef>| {
        let mut graph = calls([nodes(), more].concat());
        graph.node[4].input.push("^last".to_owned());
        check(&graph, &loading())
    };
    let last = |op: &str, inputs: &[&str]| node("last", op, inputs);
    assert!(check(vec![last("NoOp", &["^other"])]));
    assert!(!check(vec![last("AssignVariableOp", &["v", "anything"])]));
    assert!(!check(vec![last("ResourceScatterUpdate", &["v", "asset"])]));
    // Another name of the same, and one that nobody knows.
    let alias = || variable("alias", "path");
    assert!(!check(vec![
        alias(),
        last("AssignVariableOp", &["alias", "anything"])
    ]));
    assert!(!check(vec![last(
        "AssignVariableOp",
        &["somewhere", "asset"]
    )]));
    let made = node("made", "Const", &[]);
    assert!(!check(vec![
        made,
        last("AssignVariableOp", &["made", "asset"])
    ]));
    // What is read of a variable is not what it was fed.
    assert!(!check(vec![
        alias(),
        last("AssignVariableOp", &["alias", "get"])
    ]));
}

#[test]
fn functions_are_followed() {
    let graph = || {
        graph(
            vec![call("y", "PartitionedCall", "x")],
            vec![node("r", "RestoreV2", &[])],
        )
    };
    assert!(!check(&graph(), &Loading::default()));
    let reached = |name: &str| {
        let mut graph = graph();
        graph.node[0] = node("y", "g", &[]);
        let library = graph.library.as_mut().unwrap();
        let gradient = GradientDef {
            function: "g".to_owned(),
            gradient: "f".to_owned(),
        };
        let implements = AttrValue {
            s: b"same".to_vec(),
            ..AttrValue::default()
        };
        let mut other = FunctionDef::default();
        other.signature.get_or_insert_default().name = "g".to_owned();
        library.function.push(other);
        match name {
            "gradient" => library.gradient.push(gradient),
            "implements" => library.function.iter_mut().for_each(|function| {
                function
                    .attr
                    .insert("api_implements".to_owned(), implements.clone());
            }),
            _ => {}
        }
        !check(&graph, &Loading::default())
    };
    assert!(!reached("nothing"));
    assert!(reached("gradient") && reached("implements"));
}

#[test]
fn nothing_hides_behind_its_namesake() {
    let nodes = vec![node("a", "ReadFile", &[]), node("a", "NoOp", &[])];
    assert!(survey(&graph(nodes, Vec::new())).is_err());
    let mut twice = graph(Vec::new(), vec![node("a", "ReadFile", &[])]);
    let library = twice.library.as_mut().unwrap();
    let mut other = library.function[0].clone();
    other.node_def.clear();
    library.function.push(other);
    assert!(survey(&twice).is_err());
}

#[test]
fn files_that_an_attribute_names() {
    let of = |op: &str, name: &str, text: &str| {
        let mut found = node("a", op, &[]);
        let attr = AttrValue {
            s: text.as_bytes().to_vec(),
            ..AttrValue::default()
        };
        found.attr.insert(name.to_owned(), attr);
        survey(&graph(vec![found], Vec::new())).is_err()
    };
    assert!(
        of("PrintV2", "output_stream", "file:///x") && !of("PrintV2", "output_stream", "stderr")
    );
    let sampler = "FixedUnigramCandidateSampler";
    assert!(of(sampler, "vocab_file", "x") && !of(sampler, "vocab_file", ""));
    for op in ["DecodeProtoV2", "EncodeProto"] {
        assert!(of(op, "descriptor_source", "/x") && !of(op, "descriptor_source", "bytes://x"));
    }
}

#[test]
fn loops_and_branches() {
    let of = |op: &str| survey(&graph(vec![node("a", op, &[])], Vec::new())).unwrap();
    assert!(of("StatelessWhile").loops && of("NextIteration").loops && of("RangeDataset").loops);
    assert!(!of("Switch").loops && of("Switch").control_flow);
    assert_eq!(of("MatMul"), Survey::default());
}

#[test]
fn a_name_within_a_function_is_not_that_of_a_node_outside() {
    let mut graph = calls(vec![
        call("y", "PartitionedCall", "x"),
        node("i", "RestoreV2", &["file"]),
    ]);
    let library = graph.library.as_mut().unwrap();
    library.function[0].node_def.remove(0);
    library.function[0].node_def[0].input.push("^i".to_owned());
    let loading = Loading {
        restore: vec!["i"],
        variables: Some(("file", "0")),
        ..Loading::default()
    };
    assert!(check(&graph, &loading));
}

/// Functions of which each calls the one before it, so many times.
fn chain(length: usize, times: usize) -> GraphDef {
    let mut graph = graph(vec![node("y", "PartitionedCall", &[])], Vec::new());
    let library = graph.library.as_mut().unwrap();
    for number in 0..length {
        let mut next = FunctionDef::default();
        next.signature.get_or_insert_default().name = format!("f{number}");
        let before = format!("f{}", number.wrapping_sub(1));
        next.node_def = vec![node("n", &before, &[]); times];
        library.function.push(next);
    }
    graph
}

#[test]
fn functions_without_end_are_refused() {
    assert!(survey(&chain(50, 1)).is_ok());
    for length in [80, 300, 100_000] {
        let error = survey(&chain(length, 1)).unwrap_err();
        assert!(error.text.contains("without end"), "{error}");
    }
    assert!(survey(&chain(15, 2)).is_ok());
    let error = survey(&chain(40, 2)).unwrap_err();
    assert!(error.text.contains("operations"), "{error}");
    let own = call("c", "PartitionedCall", "a");
    let error = survey(&graph(vec![call("y", "PartitionedCall", "x")], vec![own])).unwrap_err();
    assert!(error.text.contains("without end"), "{error}");
}
