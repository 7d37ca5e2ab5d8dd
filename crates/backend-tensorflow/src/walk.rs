//! A graph and its functions: what running some nodes runs, and where a value comes from.

use crate::proto::{ArgDef, FunctionDef, GraphDef, NodeDef};
use std::collections::{HashMap, HashSet};

/// By this attribute functions say that TensorFlow may run one for the other.
const INTERFACE: &str = "api_implements";
const IDENTITY: &str = "Identity";
/// Operations that call the function of their attribute `f`.
const CALLS: [&str; 2] = ["PartitionedCall", "StatefulPartitionedCall"];

/// A node, and the function that it is in.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) function: Option<&'a FunctionDef>,
    pub(crate) node: &'a NodeDef,
}

/// An output of a node of the graph itself: its name and index.
pub(crate) type Fed<'a> = (&'a str, &'a str);

/// An input's text, and the function that it stands in.
type Value<'a> = (Option<&'a FunctionDef>, &'a str);

/// Where a value comes from.
pub(crate) enum Origin<'a> {
    /// It is fed.
    Fed,
    /// It is an output of a node that is no identity.
    Node(Place<'a>),
}

/// A graph, its nodes and functions by name.
pub(crate) struct Walk<'a> {
    nodes: HashMap<&'a str, &'a NodeDef>,
    functions: HashMap<&'a str, &'a FunctionDef>,
    /// Functions that may run where a function is named.
    instead: HashMap<&'a str, Vec<&'a str>>,
    callers: HashMap<&'a str, Option<Vec<Place<'a>>>>,
}

impl<'a> Walk<'a> {
    /// Of this graph.
    pub(crate) fn new(graph: &'a GraphDef) -> Self {
        let library = graph.library.iter();
        let functions: Vec<_> = library.flat_map(|library| &library.function).collect();
        let gradients = graph.library.iter().flat_map(|library| &library.gradient);
        let mut instead: HashMap<&str, Vec<&str>> = HashMap::new();
        for row in gradients {
            let found = instead.entry(row.function.as_str()).or_default();
            found.push(row.gradient.as_str());
        }
        let mut same: HashMap<&[u8], Vec<&str>> = HashMap::new();
        for function in &functions {
            if let Some(attr) = function.attr.get(INTERFACE) {
                same.entry(&attr.s).or_default().push(name_of(function));
            }
        }
        for group in same.values() {
            for name in group {
                instead.entry(name).or_default().extend(group);
            }
        }
        let named = |node: &'a NodeDef| (node.name.as_str(), node);
        let mut walk = Self {
            nodes: graph.node.iter().map(named).collect(),
            functions: functions.iter().map(|it| (name_of(it), *it)).collect(),
            instead,
            callers: HashMap::new(),
        };
        walk.callers = callers(&walk);
        walk
    }

    /// Whether each node and each function of this graph has a name of its own, which is none of
    /// TensorFlow's: else some would not be seen here.
    pub(crate) fn is_whole(&self, graph: &GraphDef) -> bool {
        let functions = graph.library.iter().map(|it| it.function.len());
        let basic = CALLS.iter().chain([&IDENTITY]);
        self.nodes.len() == graph.node.len()
            && self.functions.len() == functions.sum()
            && !basic
                .into_iter()
                .any(|name| self.functions.contains_key(name))
    }

    /// All nodes, of functions too.
    pub(crate) fn all(&self) -> impl Iterator<Item = Place<'a>> {
        let outer = self.nodes.values().map(|node| Place {
            function: None,
            node,
        });
        outer.chain(self.functions.values().flat_map(|it| within(it)))
    }

    /// All functions.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &'a FunctionDef> {
        self.functions.values().copied()
    }

    /// The functions that running a node may run.
    pub(crate) fn called(&self, node: &'a NodeDef) -> Vec<&'a FunctionDef> {
        let named: Vec<&str> = mentions(node).collect();
        let others = named.iter().filter_map(|name| self.instead.get(name));
        let all = named.iter().chain(others.flatten());
        all.filter_map(|name| self.functions.get(name).copied())
            .collect()
    }

    /// The nodes that running these ones runs.
    pub(crate) fn reached(&self, roots: impl Iterator<Item = &'a str>) -> Vec<Place<'a>> {
        let mut seen = HashSet::new();
        let mut called = HashSet::new();
        let mut waiting: Vec<Place<'a>> = Vec::new();
        let mut names: Vec<&str> = roots.map(node_of).collect();
        let mut found = Vec::new();
        loop {
            while let Some(name) = names.pop() {
                if seen.insert(name) {
                    let node = self.nodes.get(name).copied();
                    waiting.extend(node.map(|node| Place {
                        function: None,
                        node,
                    }));
                }
            }
            let Some(place) = waiting.pop() else {
                return found;
            };
            found.push(place);
            // The inputs within a function are its arguments and its own nodes, which are all taken.
            if place.function.is_none() {
                names.extend(place.node.input.iter().map(|input| node_of(input)));
            }
            let mut functions: Vec<&str> = mentions(place.node).collect();
            while let Some(name) = functions.pop() {
                if called.insert(name) {
                    let function = self.functions.get(name);
                    waiting.extend(function.into_iter().flat_map(|it| within(it)));
                    functions.extend(self.instead.get(name).into_iter().flatten());
                }
            }
        }
    }

    /// Where an input of a node comes from, whoever calls its function; none where that is not known.
    pub(crate) fn origins(
        &self,
        place: Place<'a>,
        input: usize,
        fed: &[Fed<'_>],
    ) -> Option<Vec<Origin<'a>>> {
        let mut seen = HashSet::new();
        let mut origins = Vec::new();
        let mut waiting: Vec<Value<'a>> = vec![value_of(place, input)?];
        while let Some((function, name)) = waiting.pop() {
            if !seen.insert((function.map(name_of), name)) {
                continue;
            }
            let Some(function) = function else {
                let (node, index) = output_of(name);
                if fed.contains(&(node, index)) {
                    origins.push(Origin::Fed);
                    continue;
                }
                let node = self.nodes.get(node)?;
                let place = Place {
                    function: None,
                    node,
                };
                pass_on(place, &mut waiting, &mut origins)?;
                continue;
            };
            if let Some((node, _)) = name.split_once(':') {
                let mut same = within(function).filter(|it| it.node.name == node);
                let place = same.next().filter(|_| same.next().is_none())?;
                pass_on(place, &mut waiting, &mut origins)?;
            } else {
                waiting.extend(self.arguments(function, name)?);
            }
        }
        Some(origins)
    }

    /// What the callers of a function give as this argument of it.
    fn arguments(&self, function: &'a FunctionDef, name: &str) -> Option<Vec<Value<'a>>> {
        let arguments = &function.signature.as_ref()?.input_arg;
        // One that stands for several values would move the places of those behind it.
        let is_plain = |it: &ArgDef| it.number_attr.is_empty() && it.type_list_attr.is_empty();
        let at = arguments.iter().position(|it| it.name == name)?;
        if !arguments.iter().all(is_plain) {
            return None;
        }
        let callers = self.callers.get(name_of(function))?.as_ref()?;
        callers.iter().map(|caller| value_of(*caller, at)).collect()
    }
}

/// All calls of each function that is called; none where something else than a plain call may run it.
fn callers<'a>(walk: &Walk<'a>) -> HashMap<&'a str, Option<Vec<Place<'a>>>> {
    let mut found: HashMap<&str, Option<Vec<Place<'a>>>> = HashMap::new();
    for place in walk.all() {
        for name in mentions(place.node).filter(|name| walk.functions.contains_key(name)) {
            let calls = found.entry(name).or_insert_with(|| Some(Vec::new()));
            match calls {
                Some(calls) if is_plain_call(place.node, name) => calls.push(place),
                _ => *calls = None,
            }
        }
    }
    for name in walk.instead.values().flatten() {
        found.insert(name, None);
    }
    found
}

/// Follows an identity to its input; anything else is an origin.
fn pass_on<'a>(
    place: Place<'a>,
    waiting: &mut Vec<Value<'a>>,
    origins: &mut Vec<Origin<'a>>,
) -> Option<()> {
    if place.node.op == IDENTITY {
        waiting.push(value_of(place, 0)?);
    } else {
        origins.push(Origin::Node(place));
    }
    Some(())
}

pub(crate) fn name_of(function: &FunctionDef) -> &str {
    function
        .signature
        .as_ref()
        .map_or("", |it| it.name.as_str())
}

pub(crate) fn within(function: &FunctionDef) -> impl Iterator<Item = Place<'_>> {
    function.node_def.iter().map(move |node| Place {
        function: Some(function),
        node,
    })
}

/// The functions that a node names, its operation among them: each may be run.
fn mentions(node: &NodeDef) -> impl Iterator<Item = &str> {
    let lists = node.attr.values().filter_map(|attr| attr.list.as_ref());
    let listed = lists.flat_map(|list| &list.func);
    let single = node.attr.values().filter_map(|attr| attr.func.as_ref());
    let named = single.chain(listed).map(|function| function.name.as_str());
    named.chain([node.op.as_str()])
}

/// Whether a node calls a function with its own inputs, one for each argument.
fn is_plain_call(node: &NodeDef, function: &str) -> bool {
    let is_call = CALLS.contains(&node.op.as_str());
    let called = node.attr.get("f").and_then(|attr| attr.func.as_ref());
    node.op == function || is_call && called.is_some_and(|it| it.name == function)
}

/// An input of a node, those left out that are no values.
fn value_of(place: Place<'_>, at: usize) -> Option<Value<'_>> {
    let mut values = place.node.input.iter().filter(|it| !it.starts_with('^'));
    values.nth(at).map(|name| (place.function, name.as_str()))
}

/// The node and the index of `node:1`, or `node`.
pub(crate) fn output_of(name: &str) -> Fed<'_> {
    name.rsplit_once(':').unwrap_or((name, "0"))
}

/// The node of an input: `^node`, `node:1`, `node:out:0`.
fn node_of(input: &str) -> &str {
    let name = input.strip_prefix('^').unwrap_or(input);
    name.split(':').next().unwrap_or(name)
}
