//! Tensors from what a client has: a name of an element type, dimensions, and a reply.

use crate::errors;
use crate::input::{self, shape};
use crate::memory::{Foreign, View};
use crate::sequence;
use pyo3::prelude::*;
use pyo3::types::PyList;
use redisai_core::{Buffer, DType, Tensor, TensorError};
use std::sync::Arc;

/// The element type that a name means.
pub(crate) fn dtype(name: &str) -> PyResult<DType> {
    DType::parse(name.as_bytes()).ok_or_else(|| {
        let names: Vec<_> = DType::all().map(DType::name).collect();
        errors::input(format!(
            "{name:?} is no element type: give one of {}",
            names.join(", ")
        ))
    })
}

/// A tensor of an object, of this element type: numbers and lists are read as it, anything else
/// has to be of it. Bits of bfloat16 may come as UINT16.
pub(crate) fn of_type(object: &Bound<'_, PyAny>, wanted: DType) -> PyResult<Arc<Tensor>> {
    let found = input::tensor(object, Some(wanted))?;
    if found.dtype() == wanted {
        return Ok(found);
    }
    if (found.dtype(), wanted) == (DType::UInt16, DType::BFloat16) {
        let shape = found.shape().clone();
        return tensor(wanted, shape, Box::new(Foreign::of(found)));
    }
    Err(errors::input(format!(
        "the values are {}, not {}",
        found.dtype().name(),
        wanted.name()
    )))
}

/// A tensor of these dimensions: of its bytes, as on the wire, or of a flat list of its elements.
pub(crate) fn of_parts(
    dtype: DType,
    dims: &[i64],
    data: &Bound<'_, PyAny>,
) -> PyResult<Arc<Tensor>> {
    let shape = shape(dims)?;
    if !data.is_instance_of::<PyList>() {
        let view = View::of(data)?;
        view.bytes_if_compact()?;
        return tensor(dtype, shape, Box::new(view));
    }
    if dtype == DType::String {
        if shape.elements() != data.len()? {
            return Err(errors::tensor(TensorError::Length));
        }
        return sequence::strings(data, dims).map(Arc::new);
    }
    let flat = of_type(data, dtype)?;
    tensor(dtype, shape, Box::new(Foreign::of(flat)))
}

fn tensor(
    dtype: DType,
    shape: redisai_core::Shape,
    data: Box<dyn Buffer>,
) -> PyResult<Arc<Tensor>> {
    Tensor::new(dtype, shape, data)
        .map(Arc::new)
        .map_err(errors::tensor)
}
