//! The shapes of inputs, as LiteRT takes them.

use crate::compiled::Compiled;
use crate::error::{NO_RESIZE, bad_input};
use crate::signature::{Signature, Value};
use crate::sys::{Layout, MAX_RANK};
use redisai_core::{BackendError, Tensor};
use smallvec::SmallVec;
use std::sync::Arc;

/// Dimensions of an input.
pub(crate) type Dims = SmallVec<[i32; MAX_RANK]>;

/// The dimensions of a tensor. LiteRT takes none of 0, and no more than eight.
pub(crate) fn dims_of(tensor: &Tensor) -> Result<Dims, BackendError> {
    let dims = tensor.shape().dims();
    let dims: Option<Dims> = dims
        .iter()
        .map(|&dim| i32::try_from(dim).ok().filter(|&dim| dim > 0))
        .collect();
    dims.filter(|dims| dims.len() <= MAX_RANK)
        .ok_or_else(|| bad_input(NO_RESIZE))
}

/// Gives the inputs the shapes of this run, where they have others.
pub(crate) fn fit(
    compiled: &mut Compiled,
    signature: &Signature,
    shapes: &[Dims],
) -> Result<(), BackendError> {
    for (place, (value, dims)) in signature.inputs.iter().zip(shapes).enumerate() {
        let now = compiled.input_layout(signature, place)?;
        if now.dims() == dims.as_slice() {
            continue;
        }
        // A scalar is no shape that can be changed, or changed to.
        if dims.is_empty() || now.dims().is_empty() {
            return Err(bad_input(NO_RESIZE));
        }
        compiled.resize(signature, place, dims, changes_open_dims(value, dims))?;
    }
    Ok(())
}

/// Whether only dimensions differ that the model leaves open: LiteRT then checks the others.
fn changes_open_dims(value: &Value, dims: &[i32]) -> bool {
    value.dims.as_deref().is_some_and(|declared| {
        let fits = |(&declared, &dim): (&i32, &i32)| declared < 0 || declared == dim;
        declared.len() == dims.len()
            && declared.iter().any(|&dim| dim < 0)
            && declared.iter().zip(dims).all(fits)
    })
}

/// Makes LiteRT lay all tensors out anew: it gives the inputs other shapes and then their own again.
pub(crate) fn shake(
    compiled: &mut Compiled,
    signature: &Signature,
    shapes: &[Dims],
) -> Result<(), BackendError> {
    for (place, dims) in shapes.iter().enumerate() {
        let Some((first, rest)) = dims.split_first() else {
            continue;
        };
        let mut other: Dims = SmallVec::new();
        other.push(first.saturating_add(1));
        other.extend_from_slice(rest);
        compiled.resize(signature, place, &other, false)?;
        compiled.resize(signature, place, dims, false)?;
    }
    Ok(())
}

/// The layout of these dimensions.
pub(crate) fn layout_of(dims: &[i32]) -> Result<Layout, BackendError> {
    Layout::of(dims).ok_or_else(|| bad_input(NO_RESIZE))
}

/// The shapes of a run's inputs.
pub(crate) fn shapes_of(inputs: &[Arc<Tensor>]) -> Result<SmallVec<[Dims; 4]>, BackendError> {
    inputs.iter().map(|input| dims_of(input)).collect()
}
