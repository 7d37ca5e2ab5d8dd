//! Functions of a model: ONNX Runtime writes them out at every call, and functions that call
//! functions grow without bound. Some libraries also follow a circle until the stack ends.

use crate::error::FUNCTIONS;
use crate::proto::{Graph, Model, Node};
use redisai_core::{BackendError, Status};
use std::collections::HashMap;

/// The most nodes that functions may grow to.
const NODES: u64 = 50_000;
/// The deepest that functions may call each other.
const DEPTH: u32 = 100;

/// Nodes that the calls of a model's functions grow to. A model whose functions call each other in a
/// circle, too deeply or too often is refused.
pub(crate) fn check(model: &Model) -> Result<u64, BackendError> {
    if model.functions.is_empty() {
        return Ok(0);
    }
    let mut count = Count {
        bodies: HashMap::new(),
        known: HashMap::new(),
    };
    for function in &model.functions {
        let name = (domain(&function.domain), function.name.as_ref());
        // Several of one name differ in types: all of them count.
        count
            .bodies
            .entry(name)
            .or_default()
            .push(function.node.as_slice());
    }
    let nodes = model
        .graph
        .as_ref()
        .map_or(Some(0), |graph| count.graph(graph, 0));
    nodes.ok_or_else(|| BackendError::new(Status::BadModel, FUNCTIONS))
}

/// The default domain has two names.
fn domain(name: &[u8]) -> &[u8] {
    if name == b"ai.onnx" { b"" } else { name }
}

type Name<'a> = (&'a [u8], &'a [u8]);

struct Count<'a> {
    bodies: HashMap<Name<'a>, Vec<&'a [Node]>>,
    /// Nodes of each function seen so far; `None` while it is being counted.
    known: HashMap<Name<'a>, Option<u64>>,
}

impl<'a> Count<'a> {
    /// Nodes that calls in a graph grow to; `None`: too many, or no end.
    fn graph(&mut self, graph: &'a Graph, depth: u32) -> Option<u64> {
        self.nodes(&graph.node, depth)
    }

    fn nodes(&mut self, nodes: &'a [Node], depth: u32) -> Option<u64> {
        let mut sum = 0_u64;
        for node in nodes {
            sum = sum
                .saturating_add(self.call((domain(&node.domain), node.op_type.as_ref()), depth)?);
            for attribute in &node.attribute {
                for graph in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
                    sum = sum.saturating_add(self.graph(graph, depth)?);
                }
            }
            if sum > NODES {
                return None;
            }
        }
        Some(sum)
    }

    /// Nodes of the function of this name with all that it calls; 0 if it is an operator.
    fn call(&mut self, name: Name<'a>, depth: u32) -> Option<u64> {
        let Some(bodies) = self.bodies.get(&name).cloned() else {
            return Some(0);
        };
        match self.known.get(&name) {
            Some(known) => return *known,
            None if depth >= DEPTH => return None,
            None => self.known.insert(name, None),
        };
        let mut sum = 0_u64;
        for body in bodies {
            sum = sum
                .saturating_add(body.len() as u64)
                .saturating_add(self.nodes(body, depth + 1)?);
        }
        self.known.insert(name, Some(sum));
        Some(sum)
    }
}
