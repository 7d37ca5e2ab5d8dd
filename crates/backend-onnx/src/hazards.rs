//! What a client's inputs can make ONNX Runtime end the process with.
//!
//! A processor that refuses a division (by zero, or of the smallest value by −1) ends the process, and some
//! operators read dimensions that they do not check for. Where the operand is an input of the model, or a
//! constant of it, it can be looked at before the run; what a model computes itself cannot.

use crate::division::Division;
use crate::proto::{self, Node};
use bytes::Bytes;
use redisai_core::{BackendError, Status, Tensor, ValueInfo};
use std::collections::HashMap;
use std::sync::Arc;

/// Operators that hand on the values of their first input.
const HANDING_ON: [&str; 8] = [
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Transpose",
    "Expand",
    "Tile",
];

/// Operators that abort on fewer dimensions, and for which operand: found by running the models of ONNX's
/// own operator tests, without declared shapes, on such inputs.
const RANKS: [(&str, usize, usize); 5] = [
    ("DFT", 0, 1),
    ("STFT", 0, 1),
    ("ReverseSequence", 0, 2),
    ("Attention", 4, 4),
    ("Attention", 5, 4),
];

/// Where an operand's values come from.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// A constant of the model.
    Constant(proto::Tensor),
    /// An input of the model, or something computed.
    Name(Bytes),
}

/// The hazards of a model, by name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Hazards {
    /// Constants, and what has the values of something else.
    known: HashMap<Bytes, Source>,
    /// Dividend (none where only a divisor of zero matters, for this operator) and divisor.
    divisions: Vec<(Option<Source>, Source)>,
    /// Operator, its operand, least number of dimensions.
    ranks: Vec<(&'static str, Bytes, usize)>,
}

impl Hazards {
    /// Names mean something else from here on.
    pub(crate) fn scope(&mut self) {
        self.known.clear();
    }

    /// Looks at an initializer; those of a graph come before its nodes.
    pub(crate) fn constant(&mut self, name: &Bytes, tensor: &proto::Tensor) {
        if tensor.is_integer() {
            let constant = Source::Constant(tensor.clone());
            self.known.insert(name.clone(), constant);
        } else {
            self.known.remove(name);
        }
    }

    /// Looks at a node; nodes come in the order of the file.
    pub(crate) fn node(&mut self, node: &Node) {
        let operand = |place: usize| node.input.get(place).filter(|name| !name.is_empty());
        let ranks = RANKS.iter().filter(|row| node.op_type == row.0);
        self.ranks.extend(ranks.filter_map(|&(op, place, least)| {
            operand(place).map(|name| (op, name.clone(), least))
        }));
        let source = |place| operand(place).map(|name| self.source(name));
        match node.op_type.as_ref() {
            b"Div" | b"Mod" => {
                let pair = source(0).zip(source(1));
                self.divisions
                    .extend(pair.map(|(dividend, divisor)| (Some(dividend), divisor)));
            }
            b"STFT" => {
                let frame_length = source(3);
                self.divisions
                    .extend(frame_length.map(|length| (None, length)));
            }
            b"Constant" => self.constant_node(node),
            op if HANDING_ON.iter().any(|known| op == known.as_bytes()) => {
                let Some(source) = source(0) else { return };
                for output in &node.output {
                    self.known.insert(output.clone(), source.clone());
                }
            }
            _ => {}
        }
    }

    fn constant_node(&mut self, node: &Node) {
        let Some(output) = node.output.first() else {
            return;
        };
        for attribute in &node.attribute {
            match (attribute.name.as_ref(), &attribute.t) {
                (b"value", Some(tensor)) => self.constant(output, tensor),
                (b"value_int", _) => self.constant(output, &proto::Tensor::int64(attribute.i)),
                _ => {}
            }
        }
    }

    fn source(&self, name: &Bytes) -> Source {
        let known = self.known.get(name).cloned();
        known.unwrap_or_else(|| Source::Name(name.clone()))
    }

    /// Refuses a model that divides a constant by a constant as the processor does not: it is done
    /// at load, or at every run. `zero_is_caught`: ONNX Runtime looks for zeros itself.
    pub(crate) fn check_constants(&self, zero_is_caught: bool) -> Result<(), BackendError> {
        self.divisions_of(&[])
            .try_for_each(|division| division.check(&[], zero_is_caught))
    }

    /// What to look at before each run of a session with these inputs.
    pub(crate) fn of_inputs(&self, inputs: &[ValueInfo]) -> Checks {
        let ranks = self
            .ranks
            .iter()
            .filter_map(|(op, name, least)| Some((*op, place(inputs, name)?, *least)));
        Checks {
            divisions: self
                .divisions_of(inputs)
                .filter(Division::needs_inputs)
                .collect(),
            ranks: ranks.collect(),
        }
    }

    fn divisions_of<'a>(&'a self, inputs: &'a [ValueInfo]) -> impl Iterator<Item = Division> + 'a {
        self.divisions
            .iter()
            .filter_map(move |(dividend, divisor)| {
                let operand = |source: &Source| match source {
                    Source::Constant(tensor) => tensor.values().map(Operand::Constant),
                    Source::Name(name) => place(inputs, name).map(Operand::Input),
                };
                let divisor = operand(divisor)?;
                Some(match dividend {
                    Some(dividend) => Division::new(operand(dividend), divisor),
                    None => Division::length(divisor),
                })
            })
    }
}

fn place(inputs: &[ValueInfo], name: &Bytes) -> Option<usize> {
    inputs.iter().position(|input| *input.name == **name)
}

/// An operand whose values are known before a run.
#[derive(Clone, Debug)]
pub(crate) enum Operand {
    /// The input of this place.
    Input(usize),
    /// A constant.
    Constant(Arc<Tensor>),
}

impl Operand {
    /// Its values; none where a run has no such input.
    pub(crate) fn of<'a>(&'a self, inputs: &'a [Arc<Tensor>]) -> Option<&'a Tensor> {
        match self {
            Self::Input(place) => inputs.get(*place).map(Arc::as_ref),
            Self::Constant(tensor) => Some(tensor),
        }
    }
}

/// What is looked at before each run.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    divisions: Vec<Division>,
    /// Operator, place of the input, least number of dimensions.
    ranks: Vec<(&'static str, usize, usize)>,
}

impl Checks {
    /// Refuses inputs with which the process would end.
    pub(crate) fn check(
        &self,
        inputs: &[Arc<Tensor>],
        zero_is_caught: bool,
    ) -> Result<(), BackendError> {
        for division in &self.divisions {
            division.check(inputs, zero_is_caught)?;
        }
        for &(op, place, least) in &self.ranks {
            let rank = inputs.get(place).map(|tensor| tensor.shape().rank());
            if let Some(rank) = rank.filter(|&rank| rank < least) {
                let text = format!(
                    "ERR the model's {op} takes an input of at least {least} dimensions, not {rank}"
                );
                return Err(BackendError::new(Status::BadInput, text));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    fn node(op: &'static str, inputs: &[&'static str], output: &'static str) -> Node {
        Node {
            input: inputs.iter().map(|name| bytes(name)).collect(),
            output: vec![bytes(output)],
            op_type: bytes(op),
            ..Node::default()
        }
    }

    fn input(name: &str) -> ValueInfo {
        ValueInfo {
            name: name.as_bytes().into(),
            ..ValueInfo::default()
        }
    }

    #[test]
    fn divisors_are_followed_to_the_inputs() {
        let mut hazards = Hazards::default();
        for node in [
            node("Unsqueeze", &["y", "axes"], "u"),
            node("Identity", &["u"], "v"),
            node("Div", &["x", "v"], "z"),
            node("Mod", &["x", "z"], "w"),
        ] {
            hazards.node(&node);
        }
        let checks = hazards.of_inputs(&[input("x"), input("y")]);
        let expected = Division::new(Some(Operand::Input(0)), Operand::Input(1));
        assert_eq!(
            format!("{:?}", checks.divisions),
            format!("{:?}", [expected])
        );
    }

    /// Two branches may give one name to two constants.
    #[test]
    fn a_constant_is_that_of_its_graph() {
        let mut hazards = Hazards::default();
        for number in [1, -1, 2] {
            hazards.constant(&bytes("c"), &proto::Tensor::int64(number));
            hazards.node(&node("Div", &["x", "c"], "z"));
        }
        let checks = hazards.of_inputs(&[input("x")]);
        assert_eq!(checks.divisions.len(), 1, "{checks:?}");
    }
}
