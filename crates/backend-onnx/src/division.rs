//! Integer divisions whose divisor a client gives.
//!
//! A processor that refuses a division (by zero, or of the smallest value by −1) ends the process. Where
//! the divisor is an input of the model it can be looked at before the run; what a model computes
//! itself cannot.

use crate::proto::Node;
use bytes::Bytes;
use redisai_core::{BackendError, DType, Status, Tensor, ValueInfo};
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

/// Divisions of a model, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Divisions {
    /// Dividend and divisor.
    pairs: Vec<(Bytes, Bytes)>,
    /// Whose values a name has.
    origins: HashMap<Bytes, Bytes>,
}

impl Divisions {
    /// Looks at a node; nodes come in the order of the file.
    pub(crate) fn node(&mut self, node: &Node) {
        let Some(first) = node.input.first() else {
            return;
        };
        if HANDING_ON.iter().any(|op| node.op_type == op.as_bytes()) {
            let origin = self.origin(first);
            self.origins.extend(
                node.output
                    .iter()
                    .map(|output| (output.clone(), origin.clone())),
            );
        } else if node.op_type == "Div" || node.op_type == "Mod" {
            let divisor = node.input.get(1).map(|name| self.origin(name));
            self.pairs
                .extend(divisor.map(|divisor| (self.origin(first), divisor)));
        }
    }

    fn origin(&self, name: &Bytes) -> Bytes {
        self.origins.get(name).unwrap_or(name).clone()
    }

    /// The divisions whose divisor is one of a session's inputs.
    pub(crate) fn of_inputs(&self, inputs: &[ValueInfo]) -> Vec<Division> {
        let place = |name: &Bytes| inputs.iter().position(|input| *input.name == **name);
        let found = self.pairs.iter().filter_map(|(dividend, divisor)| {
            Some(Division {
                dividend: place(dividend),
                divisor: place(divisor)?,
            })
        });
        found.collect()
    }
}

/// A division by an input of the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Division {
    dividend: Option<usize>,
    divisor: usize,
}

impl Division {
    /// Refuses inputs with which the processor would refuse the division. `zero_is_caught`: ONNX
    /// Runtime looks for zeros itself.
    pub(crate) fn check(
        self,
        inputs: &[Arc<Tensor>],
        zero_is_caught: bool,
    ) -> Result<(), BackendError> {
        let Some(divisor) = inputs
            .get(self.divisor)
            .filter(|tensor| is_integer(tensor.dtype()))
        else {
            return Ok(());
        };
        if !zero_is_caught && has(divisor, |element| element.iter().all(|&byte| byte == 0)) {
            return Err(refused("ERR integer division by zero"));
        }
        let dividend = self.dividend.and_then(|place| inputs.get(place));
        let overflows = matches!(divisor.dtype(), DType::Int32 | DType::Int64)
            && dividend.is_some_and(|dividend| overflows(dividend, divisor));
        if overflows {
            return Err(refused("ERR integer division of the smallest value by -1"));
        }
        Ok(())
    }
}

/// Whether the smallest value meets −1. Where the two are broadcast: whether both are there.
fn overflows(dividend: &Tensor, divisor: &Tensor) -> bool {
    let is_minus_one = |element: &[u8]| element.iter().all(|&byte| byte == 0xff);
    if dividend.shape() == divisor.shape() && dividend.dtype() == divisor.dtype() {
        let size = divisor.dtype().size().max(1);
        let pairs = dividend
            .bytes()
            .chunks_exact(size)
            .zip(divisor.bytes().chunks_exact(size));
        return pairs
            .into_iter()
            .any(|(one, other)| is_smallest(one) && is_minus_one(other));
    }
    has(dividend, is_smallest) && has(divisor, is_minus_one)
}

fn refused(text: &'static str) -> BackendError {
    BackendError::new(Status::BadInput, text)
}

fn is_integer(dtype: DType) -> bool {
    !dtype.is_float() && !matches!(dtype, DType::Bool | DType::String)
}

/// The smallest value of a signed type; bytes are those of the machine, little-endian or not.
fn is_smallest(element: &[u8]) -> bool {
    let smallest = |last: &u8, rest: &[u8]| *last == 0x80 && rest.iter().all(|&byte| byte == 0);
    if cfg!(target_endian = "little") {
        element
            .split_last()
            .is_some_and(|(last, rest)| smallest(last, rest))
    } else {
        element
            .split_first()
            .is_some_and(|(first, rest)| smallest(first, rest))
    }
}

fn has(tensor: &Tensor, wanted: impl Fn(&[u8]) -> bool) -> bool {
    tensor
        .bytes()
        .chunks_exact(tensor.dtype().size().max(1))
        .any(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redisai_core::Shape;

    fn node(op: &'static str, inputs: &[&'static str], output: &'static str) -> Node {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
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

    fn int32(values: &[i32]) -> Arc<Tensor> {
        let bytes: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_ne_bytes())
            .collect();
        let shape = Shape::new(&[values.len() as i64]).unwrap();
        Arc::new(Tensor::new(DType::Int32, shape, Box::new(bytes)).unwrap())
    }

    #[test]
    fn divisors_are_followed_to_the_inputs() {
        let mut divisions = Divisions::default();
        for node in [
            node("Unsqueeze", &["y", "axes"], "u"),
            node("Identity", &["u"], "v"),
            node("Div", &["x", "v"], "z"),
            node("Mod", &["x", "z"], "w"),
        ] {
            divisions.node(&node);
        }
        assert_eq!(
            divisions.of_inputs(&[input("x"), input("y")]),
            [Division {
                dividend: Some(0),
                divisor: 1
            }]
        );
    }

    #[test]
    fn what_the_processor_refuses_is_refused() {
        let division = Division {
            dividend: Some(0),
            divisor: 1,
        };
        let check = |x: &[i32], y: &[i32], caught| division.check(&[int32(x), int32(y)], caught);
        assert!(check(&[7, 8], &[1, 0], false).is_err());
        assert!(check(&[7, 8], &[1, 0], true).is_ok());
        assert!(check(&[i32::MIN, 8], &[-1, 1], true).is_err());
        assert!(check(&[i32::MIN, 8], &[1, -1], true).is_ok());
        assert!(check(&[i32::MIN, 8], &[-1], true).is_err(), "broadcast");
        assert!(check(&[8, i32::MAX], &[-1, i32::MIN], false).is_ok());
        assert!(check(&[i32::MIN], &[2], false).is_ok());
    }
}
