//! Bounds of what operators make of constants.

use crate::proto::{Node, Tensor, elements};

/// A constant: at most so many bytes and elements; its dimensions and values where known.
#[derive(Clone, Default)]
pub(crate) struct Constant {
    pub(crate) bytes: u64,
    elements: u64,
    dims: Option<Vec<i64>>,
    ints: Option<Vec<i64>>,
}

impl Constant {
    /// A tensor of the file.
    pub(crate) fn of(tensor: &Tensor) -> Self {
        Self {
            bytes: tensor.bytes(),
            elements: elements(&tensor.dims),
            dims: Some(tensor.dims.clone()),
            ints: tensor.small_ints(),
        }
    }

    /// One of which nothing is known.
    pub(crate) fn any() -> Self {
        Self::wide(u64::MAX, None)
    }

    /// So many elements of at most 8 bytes, the largest that is computed with.
    pub(crate) fn wide(elements: u64, dims: Option<Vec<i64>>) -> Self {
        Self {
            bytes: elements.saturating_mul(8),
            elements,
            dims,
            ints: None,
        }
    }
}

/// What a `Constant` holds. Lists of numbers and strings are no larger than the file; sparse ones are
/// counted elsewhere.
pub(crate) fn constant(node: &Node) -> Constant {
    let tensor = node
        .attribute
        .iter()
        .find_map(|attribute| attribute.t.as_deref());
    tensor.map_or_else(|| Constant::wide(64, None), Constant::of)
}

/// An upper bound of an operator's result; `None`: not known.
pub(crate) fn result(op: &[u8], inputs: &[Constant]) -> Option<Constant> {
    let first = inputs.first()?;
    let sum = |of: fn(&Constant) -> u64| inputs.iter().map(of).fold(0, u64::saturating_add);
    let counts = sum(|input| input.elements);
    match op {
        // Never more elements than they are given.
        b"Identity" | b"Transpose" | b"Reshape" | b"Squeeze" | b"Unsqueeze" | b"Flatten"
        | b"Slice" | b"Split" | b"Concat" | b"Neg" | b"Abs" | b"Exp" | b"Log" | b"Sqrt"
        | b"Reciprocal" | b"Not" | b"Floor" | b"Ceil" | b"Round" | b"Sign" | b"Relu"
        | b"Sigmoid" | b"Tanh" | b"Erf" | b"Sin" | b"Cos" | b"Clip" | b"Softmax" | b"ReduceSum"
        | b"ReduceMax" | b"ReduceMin" | b"ReduceMean" | b"ReduceProd" | b"ReduceL2" | b"CumSum"
        | b"Trilu" | b"ScatterND" | b"ScatterElements" => Some(Constant {
            bytes: sum(|input| input.bytes),
            elements: counts,
            dims: None,
            ints: None,
        }),
        b"DequantizeLinear" => Some(Constant {
            bytes: counts.saturating_mul(4),
            elements: counts,
            dims: None,
            ints: None,
        }),
        b"Cast" | b"CastLike" | b"QuantizeLinear" | b"ArgMax" | b"ArgMin" => {
            Some(Constant::wide(counts, None))
        }
        b"Add" | b"Sub" | b"Mul" | b"Div" | b"Pow" | b"Mod" | b"Equal" | b"Greater" | b"Less"
        | b"GreaterOrEqual" | b"LessOrEqual" | b"And" | b"Or" | b"Xor" | b"Where" | b"Min"
        | b"Max" => Some(
            inputs
                .iter()
                .skip(1)
                .fold(first.clone(), |all, next| broadcast(&all, next)),
        ),
        // A row, or a sum of products, for each pair of elements at most.
        b"Gather" | b"MatMul" => {
            let second = inputs.get(1)?;
            Some(Constant::wide(
                first.elements.saturating_mul(second.elements),
                None,
            ))
        }
        b"ConstantOfShape" => Some(Constant::wide(
            elements(first.ints.as_ref()?),
            first.ints.clone(),
        )),
        b"Expand" | b"Tile" => {
            let times = elements(inputs.get(1)?.ints.as_ref()?);
            Some(Constant::wide(first.elements.saturating_mul(times), None))
        }
        b"Range" => {
            let [start, limit, step] = inputs else {
                return None;
            };
            let number = |input: &Constant| input.ints.as_ref()?.first().copied();
            let (start, limit, step) = (number(start)?, number(limit)?, number(step)?);
            let span = limit.abs_diff(start) / step.unsigned_abs().max(1);
            Some(Constant::wide(span.saturating_add(1), None))
        }
        _ => None,
    }
}

/// What two constants broadcast to.
fn broadcast(one: &Constant, other: &Constant) -> Constant {
    if let (Some(one), Some(other)) = (&one.dims, &other.dims) {
        let rank = one.len().max(other.len());
        let padded = |dims: &[i64], place: usize| {
            (place + dims.len())
                .checked_sub(rank)
                .and_then(|at| dims.get(at))
                .copied()
                .unwrap_or(1)
        };
        let dims: Vec<_> = (0..rank)
            .map(|place| padded(one, place).max(padded(other, place)))
            .collect();
        return Constant::wide(elements(&dims), Some(dims));
    }
    Constant::wide(
        one.elements.max(1).saturating_mul(other.elements.max(1)),
        None,
    )
}
