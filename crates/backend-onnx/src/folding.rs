//! How large constants can become when ONNX Runtime computes them at load (constant folding).
//!
//! It does so with memory that is not our allocator's, so a model of a hundred bytes could take all
//! that the machine has. Here is an upper bound, operator by operator, of what is computed of constants
//! alone. Where it is wrong it is too high, which costs speed (less is folded), never memory.

use crate::constants::{Constant, constant, result};
use crate::proto::{Graph, Model, Node};
use std::collections::{HashMap, HashSet};

/// Bytes that a model may make of its constants, besides 16 times their own.
const FREE: u64 = 64 << 20;
/// No model needs less than this for one constant.
const LEAST: u64 = 4096;

/// What folding a model's constants may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Folding {
    /// Bytes of all constants whose size has a bound.
    made: u64,
    /// Number of these.
    bounded: u64,
    /// Number of constants that may be of any size.
    unbounded: u64,
    /// Bytes that they may take in all.
    allowed: u64,
}

impl Folding {
    /// Looks at a model that carries so many bytes of tensors, and whose functions grow to so many
    /// nodes: what a function is given may be constant at any of its calls.
    pub(crate) fn of(model: &Model, weights: u64, functions: u64) -> Self {
        let allowed = allowed(weights);
        let mut constants = Constants {
            allowed,
            unbounded: functions,
            ..Constants::default()
        };
        model.graph.iter().for_each(|graph| constants.graph(graph));
        Self {
            made: constants.made,
            bounded: constants.bounded,
            unbounded: constants.unbounded,
            allowed,
        }
    }

    /// Whether everything can be folded without a limit.
    pub(crate) fn is_small(self) -> bool {
        self.unbounded == 0 && self.made <= self.allowed
    }

    /// A limit for one constant with which all together stay near what is allowed.
    pub(crate) fn limit(self) -> u64 {
        let share = if self.made <= self.allowed {
            (self.allowed - self.made) / self.unbounded.max(1)
        } else {
            self.allowed / self.bounded.saturating_add(self.unbounded).max(1)
        };
        share.max(LEAST)
    }
}

/// Bytes that a model may make of the tensors that it carries when it is loaded.
pub(crate) fn allowed(weights: u64) -> u64 {
    FREE.saturating_add(weights.saturating_mul(16))
}

#[derive(Default)]
struct Constants<'a> {
    /// Constants by name. One scope is enough: where graphs share a name, more is held for constant.
    known: HashMap<&'a [u8], Constant>,
    /// Names that were looked for in vain.
    others: HashSet<&'a [u8]>,
    allowed: u64,
    made: u64,
    bounded: u64,
    unbounded: u64,
}

impl<'a> Constants<'a> {
    fn graph(&mut self, graph: &'a Graph) {
        for tensor in &graph.initializer {
            self.known.insert(&tensor.name, Constant::of(tensor));
        }
        graph.node.iter().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &'a Node) {
        for attribute in &node.attribute {
            for graph in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
                self.graph(graph);
            }
        }
        let late = node
            .output
            .iter()
            .any(|name| self.others.contains(name.as_ref()));
        let made = match node.op_type.as_ref() {
            b"Constant" => Some(constant(node)),
            // Known from the shape, even of what is not constant.
            b"Shape" | b"Size" => Some(Constant::wide(64, None)),
            op => self.inputs(node).map(|inputs| {
                let ours = matches!(node.domain.as_ref(), b"" | b"ai.onnx");
                result(op, &inputs)
                    .filter(|_| ours)
                    .unwrap_or_else(Constant::any)
            }),
        };
        // In a file whose nodes are out of order everything may be constant.
        let Some(made) = made.or_else(|| late.then(Constant::any)) else {
            return;
        };
        let outputs = node.output.len().max(1) as u64;
        let bytes = made.bytes.saturating_mul(outputs);
        if late || bytes > self.allowed {
            self.unbounded = self.unbounded.saturating_add(outputs);
        } else {
            self.made = self.made.saturating_add(bytes);
            self.bounded = self.bounded.saturating_add(outputs);
        }
        for output in &node.output {
            self.known.insert(output, made.clone());
        }
    }

    /// A node's inputs, if it has some and all are constant.
    fn inputs(&mut self, node: &'a Node) -> Option<Vec<Constant>> {
        let named = node.input.iter().filter(|name| !name.is_empty());
        let mut inputs = Vec::new();
        for name in named {
            match self.known.get(name.as_ref()) {
                Some(constant) => inputs.push(constant.clone()),
                None => {
                    self.others.insert(name);
                }
            }
        }
        // Without inputs: random numbers and the like, which are not folded.
        let all = node.input.iter().filter(|name| !name.is_empty()).count();
        (all > 0 && inputs.len() == all).then_some(inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Tensor;
    use bytes::Bytes;

    fn tensor(name: &'static str, dims: &[i64]) -> Tensor {
        Tensor {
            name: Bytes::from_static(name.as_bytes()),
            dims: dims.to_vec(),
            data_type: 1,
            ..Tensor::default()
        }
    }

    fn ints(name: &'static str, numbers: &[i64]) -> Tensor {
        let raw: Vec<u8> = numbers
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        Tensor {
            data_type: 7,
            dims: vec![numbers.len() as i64],
            raw_data: raw.into(),
            ..tensor(name, &[])
        }
    }

    fn node(op: &'static str, inputs: &[&'static str], output: &'static str) -> Node {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        Node {
            op_type: bytes(op),
            input: inputs.iter().map(|name| bytes(name)).collect(),
            output: vec![bytes(output)],
            ..Node::default()
        }
    }

    fn folding(initializer: Vec<Tensor>, node: Vec<Node>) -> Folding {
        let weights = initializer.iter().map(Tensor::bytes).sum();
        let graph = Graph {
            node,
            initializer,
            ..Graph::default()
        };
        Folding::of(
            &Model {
                graph: Some(graph),
                ..Model::default()
            },
            weights,
            0,
        )
    }

    /// What exporters write: nothing of it may cost the folding of weights.
    #[test]
    fn common_models_are_folded_whole() {
        let weights = vec![
            tensor("w", &[4096, 4096]),
            tensor("s", &[4096]),
            ints("shape", &[64, 64, 4096]),
        ];
        let nodes = vec![
            node("Transpose", &["w"], "t"),
            node("Mul", &["t", "s"], "scaled"),
            node("Mul", &["w", "s"], "exact"),
            node("Reshape", &["w", "shape"], "r"),
            node("MatMul", &["x", "exact"], "y"),
            node("Expand", &["x", "shape"], "z"),
        ];
        let small = folding(weights.clone(), nodes[..1].to_vec());
        assert!(small.is_small(), "{small:?}");
        let exact = folding(weights.clone(), nodes[2..].to_vec());
        assert!(exact.is_small(), "{exact:?}");
        // The dimensions of a transposed tensor are not followed: then there is a limit, a high one.
        let limited = folding(weights, nodes);
        assert!(
            !limited.is_small() && limited.limit() > 64 << 20,
            "{limited:?}"
        );
    }

    #[test]
    fn what_grows_is_limited() {
        let n = || ints("n", &[1 << 40]);
        let one = || tensor("one", &[1]);
        let cases = [
            (vec![n()], vec![node("ConstantOfShape", &["n"], "c")]),
            (vec![n(), one()], vec![node("Expand", &["one", "n"], "c")]),
            (vec![n(), one()], vec![node("Tile", &["one", "n"], "c")]),
            (
                vec![tensor("a", &[1 << 20, 1]), tensor("b", &[1, 1 << 20])],
                vec![node("Add", &["a", "b"], "c")],
            ),
            (vec![one()], vec![node("Resize", &["one"], "c")]),
            // A shape that is known although `x` is not constant.
            (
                vec![],
                vec![
                    node("Shape", &["x"], "s"),
                    node("ConstantOfShape", &["s"], "c"),
                ],
            ),
            // Out of order.
            (
                vec![n()],
                vec![
                    node("Neg", &["c"], "d"),
                    node("ConstantOfShape", &["n"], "c"),
                ],
            ),
            (
                vec![one()],
                vec![node("Neg", &["c"], "d"), node("Neg", &["x"], "c")],
            ),
        ];
        for (place, (initializers, nodes)) in cases.into_iter().enumerate() {
            assert!(!folding(initializers, nodes).is_small(), "case {place}");
        }
        let many = (0..1000).map(|_| node("Transpose", &["w"], "t")).collect();
        let sum = folding(vec![tensor("w", &[4096, 4096])], many);
        assert!(!sum.is_small(), "a thousand copies of one weight");
        assert_eq!(sum.limit(), allowed(64 << 20) / 1000);
    }
}
