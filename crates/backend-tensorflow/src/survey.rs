//! What a graph's operations are: files, loops.

use crate::error::{bad_model, unsupported};
use crate::proto::{GraphDef, NodeDef};
use redisai_core::BackendError;
use std::collections::{HashMap, HashSet};

/// Operations that read or write files, or end the process, by their names without `V2` and
/// `Experimental`.
const FILES: [&str; 42] = [
    "Abort",
    "AssertCardinalityDataset",
    "CacheDataset",
    "CSVDataset",
    "CreateSummaryDbWriter",
    "CreateSummaryFileWriter",
    "DataServiceDataset",
    "DebugGradientIdentity",
    "DebugIdentity",
    "DebugNanCount",
    "DebugNumericSummary",
    "DistributedSave",
    "FixedLengthRecordDataset",
    "FixedLengthRecordReader",
    "GenerateVocabRemapping",
    "ImmutableConst",
    "InitializeTableFromTextFile",
    "LMDBDataset",
    "LMDBReader",
    "LoadAndRemapMatrix",
    "LoadDataset",
    "MatchingFiles",
    "MergeV2Checkpoints",
    "ReadFile",
    "RegisterDataset",
    "Restore",
    "RestoreSlice",
    "Save",
    "SaveDataset",
    "SaveSlices",
    "SnapshotDataset",
    "SnapshotDatasetReader",
    "SnapshotNestedDatasetReader",
    "SqlDataset",
    "TextLineDataset",
    "TextLineReader",
    "TFRecordDataset",
    "TFRecordReader",
    "WholeFileReader",
    "WorkerHeartbeat",
    "WriteFile",
    "WriteRawProtoSummaryFile",
];
/// What restores a SavedModel's variables: the loader runs it.
const RESTORES: [&str; 1] = ["Restore"];
/// What a SavedModel's own saving consists of: nothing runs it.
const SAVES: [&str; 3] = ["Save", "MergeV2Checkpoints", "SaveSlices"];
/// Operations whose time has no bound, or depends on values.
const LOOPS: [&str; 12] = [
    "While",
    "StatelessWhile",
    "Enter",
    "RefEnter",
    "NextIteration",
    "RefNextIteration",
    "For",
    "ReduceDataset",
    "OneShotIterator",
    "IteratorGetNext",
    "MapDefun",
    "ParallelMapDataset",
];
/// Operations with branches.
const BRANCHES: [&str; 6] = [
    "If",
    "StatelessIf",
    "Case",
    "StatelessCase",
    "Switch",
    "RefSwitch",
];

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Whether there are loops.
    pub(crate) loops: bool,
    /// Whether there are loops or branches.
    pub(crate) control_flow: bool,
}

/// A graph, its nodes and functions by name.
pub(crate) struct Walk<'a> {
    nodes: HashMap<&'a str, &'a NodeDef>,
    functions: HashMap<&'a str, &'a [NodeDef]>,
}

impl<'a> Walk<'a> {
    /// Of this graph.
    pub(crate) fn new(graph: &'a GraphDef) -> Self {
        let functions = graph.library.iter().flat_map(|library| &library.function);
        let named = functions.filter_map(|function| {
            let name = function.signature.as_ref()?.name.as_str();
            Some((name, function.node_def.as_slice()))
        });
        Self {
            nodes: graph
                .node
                .iter()
                .map(|node| (node.name.as_str(), node))
                .collect(),
            functions: named.collect(),
        }
    }

    /// All nodes, of functions too.
    fn all(&self) -> impl Iterator<Item = &'a NodeDef> {
        let inner = self.functions.values().flat_map(|nodes| nodes.iter());
        self.nodes.values().copied().chain(inner)
    }

    /// The nodes that running these ones runs.
    fn reached(&self, roots: impl Iterator<Item = &'a str>) -> Vec<&'a NodeDef> {
        let mut seen = HashSet::new();
        let mut functions = HashSet::new();
        let mut waiting: Vec<&NodeDef> = Vec::new();
        let mut names: Vec<&str> = roots.map(node_of).collect();
        let mut found = Vec::new();
        loop {
            while let Some(name) = names.pop() {
                if seen.insert(name) {
                    waiting.extend(self.nodes.get(name).copied());
                }
            }
            let Some(node) = waiting.pop() else {
                return found;
            };
            found.push(node);
            // Within a function a name may be that of another node outside: then that is seen too.
            names.extend(node.input.iter().map(|input| node_of(input)));
            let lists = node.attr.values().filter_map(|attr| attr.list.as_ref());
            let listed = lists.flat_map(|list| &list.func);
            let called = node.attr.values().filter_map(|attr| attr.func.as_ref());
            let called = called.chain(listed).map(|function| function.name.as_str());
            for name in called.chain([node.op.as_str()]) {
                if functions.insert(name) {
                    waiting.extend(self.functions.get(name).copied().unwrap_or_default());
                }
            }
        }
    }
}

/// The node of an input: `^node`, `node:1`, `node:out:0`.
pub(crate) fn node_of(input: &str) -> &str {
    let name = input.strip_prefix('^').unwrap_or(input);
    name.split(':').next().unwrap_or(name)
}

/// A frozen graph: no operation on files anywhere.
pub(crate) fn survey(graph: &GraphDef) -> Result<Survey, BackendError> {
    let walk = Walk::new(graph);
    refuse(walk.all(), &[])?;
    Ok(flow(walk.all()))
}

/// A SavedModel: what a run reaches has no operation on files, what loading runs only such as restore
/// its variables, and the rest, which nothing runs, only those of saving.
pub(crate) fn survey_saved<'a>(
    graph: &'a GraphDef,
    outputs: impl Iterator<Item = &'a str>,
    loads: impl Iterator<Item = &'a str>,
) -> Result<Survey, BackendError> {
    let walk = Walk::new(graph);
    let runs = walk.reached(outputs);
    refuse(runs.iter().copied(), &[])?;
    refuse(walk.reached(loads).into_iter(), &RESTORES)?;
    let saving: Vec<&str> = RESTORES.iter().chain(&SAVES).copied().collect();
    refuse(walk.all(), &saving)?;
    Ok(flow(runs.into_iter()))
}

fn refuse<'a>(
    nodes: impl Iterator<Item = &'a NodeDef>,
    allowed: &[&str],
) -> Result<(), BackendError> {
    for node in nodes {
        let plain = plain(&node.op);
        if FILES.contains(&plain) && !allowed.contains(&plain) {
            return Err(unsupported(format!(
                "ERR the model has an operation that reads or writes files, or ends the process: {}",
                node.op
            )));
        }
        let printed = node.attr.get("output_stream");
        if printed.is_some_and(|attr| attr.s.starts_with(b"file:")) {
            return Err(unsupported(format!(
                "ERR the model has an operation that writes files: {}",
                node.op
            )));
        }
    }
    Ok(())
}

fn flow<'a>(nodes: impl Iterator<Item = &'a NodeDef>) -> Survey {
    nodes.fold(Survey::default(), |found, node| {
        let plain = plain(&node.op);
        let loops = LOOPS.contains(&plain) || plain.ends_with("Dataset");
        Survey {
            loops: found.loops || loops,
            control_flow: found.control_flow || loops || BRANCHES.contains(&plain),
        }
    })
}

/// An operation's name without the marks of its age.
fn plain(op: &str) -> &str {
    let name = op.strip_prefix("Experimental").unwrap_or(op);
    let bare = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if bare.len() < name.len() {
        bare.strip_suffix('V').unwrap_or(name)
    } else {
        name
    }
}

/// For bytes that are no message.
pub(crate) fn no_graph() -> BackendError {
    bad_model(crate::error::NO_GRAPH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{AttrValue, FunctionDef, FunctionName, Library, OpDef};

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
            }),
            node_def: inner,
        };
        GraphDef {
            node,
            library: Some(Library {
                function: vec![function],
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
        let mut print = node("p", "PrintV2", &[]);
        let stream = |text: &[u8]| AttrValue {
            s: text.to_vec(),
            ..AttrValue::default()
        };
        print
            .attr
            .insert("output_stream".to_owned(), stream(b"file:///etc/x"));
        assert!(survey(&graph(vec![print.clone()], Vec::new())).is_err());
        print
            .attr
            .insert("output_stream".to_owned(), stream(b"stderr"));
        assert!(survey(&graph(vec![print], Vec::new())).is_ok());
    }

    #[test]
    fn a_saved_model_may_restore_and_nothing_else() {
        let check = |nodes: Vec<NodeDef>| {
            survey_saved(
                &graph(nodes, Vec::new()),
                ["y:0"].into_iter(),
                ["load"].into_iter(),
            )
        };
        let y = node("y", "Identity", &["x"]);
        let restores = node("load", "RestoreV2", &[]);
        assert!(check(vec![y.clone(), restores, node("s", "SaveV2", &[])]).is_ok());
        assert!(check(vec![y.clone(), node("x", "RestoreV2", &[])]).is_err());
        assert!(check(vec![y.clone(), node("load", "SaveV2", &[])]).is_err());
        assert!(
            check(vec![
                y.clone(),
                node("load", "NoOp", &["^w"]),
                node("w", "WriteFile", &[])
            ])
            .is_err()
        );
        assert!(check(vec![y, node("z", "ReadFile", &[])]).is_err());
    }

    #[test]
    fn functions_are_followed() {
        let mut call = node("y", "PartitionedCall", &[]);
        let function = FunctionName {
            name: "f".to_owned(),
        };
        let attr = AttrValue {
            func: Some(function),
            ..AttrValue::default()
        };
        call.attr.insert("f".to_owned(), attr);
        let graph = graph(vec![call], vec![node("r", "RestoreV2", &[])]);
        assert!(survey_saved(&graph, ["y:0"].into_iter(), [].into_iter()).is_err());
        assert!(survey_saved(&graph, [].into_iter(), ["y"].into_iter()).is_ok());
    }

    #[test]
    fn loops_and_branches() {
        let of = |op: &str| survey(&graph(vec![node("a", op, &[])], Vec::new())).unwrap();
        assert!(
            of("StatelessWhile").loops && of("NextIteration").loops && of("RangeDataset").loops
        );
        assert!(!of("Switch").loops && of("Switch").control_flow);
        assert_eq!(of("MatMul"), Survey::default());
    }
}
