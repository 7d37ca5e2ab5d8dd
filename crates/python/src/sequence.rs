//! Tensors from numbers, strings and nested lists of them.

use crate::errors;
use crate::input::shape;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyList, PyString, PyTuple};
use redisai_core::{AlignedBytes, DType, Tensor, TensorError};

/// Lists may be nested so deep: as NumPy's arrays may have dimensions.
const MAX_DEPTH: usize = 64;

/// What the leaves of a list are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Bool,
    Int,
    Float,
    Text,
}

/// A tensor of a number, a string or a nested list. Without `wanted`: BOOL, INT64, DOUBLE or STRING, as NumPy
/// does, whatever is the least that holds all of them.
pub(crate) fn tensor(object: &Bound<'_, PyAny>, wanted: Option<DType>) -> PyResult<Tensor> {
    let mut dims = Vec::new();
    let mut leaves = Vec::new();
    collect(object, 0, &mut dims, &mut leaves)?;
    // A subclass may say another length than it has.
    if dims
        .iter()
        .try_fold(1, |all: i64, &dim| all.checked_mul(dim))
        != Some(leaves.len() as i64)
    {
        return Err(ragged());
    }
    let kinds = leaves.iter().map(kind_of).collect::<PyResult<Vec<_>>>()?;
    let (least, most) = (kinds.iter().min(), kinds.iter().max());
    if most == Some(&Kind::Text) {
        if least != Some(&Kind::Text) {
            return Err(errors::input("a list holds strings and numbers"));
        }
        return of_strings(&leaves, &dims);
    }
    let own = match most {
        Some(Kind::Bool) => DType::Bool,
        Some(Kind::Int) => DType::Int64,
        _ => DType::Double,
    };
    // A fraction does not become an integer by itself.
    let wanted = wanted.filter(|&to| fits(own, to)).unwrap_or(own);
    numbers(&leaves, &dims, wanted)
}

fn fits(own: DType, to: DType) -> bool {
    match own {
        DType::Bool => to != DType::String,
        DType::Int64 => to != DType::String && to != DType::Bool,
        _ => to.is_float(),
    }
}

/// A `STRING` tensor of a flat list.
pub(crate) fn strings(flat: &Bound<'_, PyAny>, dims: &[i64]) -> PyResult<Tensor> {
    let leaves: Vec<Bound<'_, PyAny>> = flat.extract()?;
    of_strings(&leaves, dims)
}

fn of_strings(leaves: &[Bound<'_, PyAny>], dims: &[i64]) -> PyResult<Tensor> {
    let texts = leaves.iter().map(text).collect::<PyResult<Vec<_>>>()?;
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    Tensor::from_strings(shape(dims)?, &texts).map_err(errors::tensor)
}

fn text(leaf: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = leaf.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(text) = leaf.cast::<PyString>() {
        return Ok(text.encode_utf8()?.as_bytes().to_vec());
    }
    let kind = leaf.get_type().name()?;
    Err(errors::input(format!("{kind} is no string")))
}

/// The dimensions and, row-major, the leaves of a nested list.
fn collect<'py>(
    object: &Bound<'py, PyAny>,
    depth: usize,
    dims: &mut Vec<i64>,
    leaves: &mut Vec<Bound<'py, PyAny>>,
) -> PyResult<()> {
    if !object.is_instance_of::<PyList>() && !object.is_instance_of::<PyTuple>() {
        if depth < dims.len() {
            return Err(ragged());
        }
        leaves.push(object.clone());
        return Ok(());
    }
    if depth >= MAX_DEPTH {
        return Err(errors::input(format!(
            "lists are nested deeper than {MAX_DEPTH}"
        )));
    }
    let len = object.len()? as i64;
    // The first list of each depth says how long all of that depth are.
    match dims.get(depth) {
        Some(&first) if first != len => return Err(ragged()),
        Some(_) => {}
        None if leaves.is_empty() => dims.push(len),
        None => return Err(ragged()),
    }
    for inner in object.try_iter()? {
        collect(&inner?, depth + 1, dims, leaves)?;
    }
    Ok(())
}

fn ragged() -> PyErr {
    errors::input("the lists are ragged: those of one depth must have one length")
}

fn kind_of(leaf: &Bound<'_, PyAny>) -> PyResult<Kind> {
    if leaf.is_instance_of::<PyBool>() {
        Ok(Kind::Bool)
    } else if leaf.is_instance_of::<PyInt>() {
        Ok(Kind::Int)
    } else if leaf.is_instance_of::<PyFloat>() {
        Ok(Kind::Float)
    } else if leaf.is_instance_of::<PyString>() || leaf.is_instance_of::<PyBytes>() {
        Ok(Kind::Text)
    } else {
        let kind = leaf.get_type().name()?;
        Err(errors::input(format!(
            "a list holds {kind}: only numbers, strings and lists can be in one"
        )))
    }
}

fn numbers(leaves: &[Bound<'_, PyAny>], dims: &[i64], dtype: DType) -> PyResult<Tensor> {
    let shape = shape(dims)?;
    let refused = || errors::tensor(TensorError::Memory);
    let bytes = shape.bytes(dtype.size()).map_err(|_| refused())?;
    let mut data = AlignedBytes::try_zeroed(bytes).ok_or_else(refused)?;
    let places = data.bytes_mut().chunks_exact_mut(dtype.size().max(1));
    for (place, leaf) in places.zip(leaves) {
        write(place, leaf, dtype)?;
    }
    Tensor::new(dtype, shape, Box::new(data)).map_err(errors::tensor)
}

/// Writes one number as the bytes of a dtype.
fn write(place: &mut [u8], leaf: &Bound<'_, PyAny>, dtype: DType) -> PyResult<()> {
    let range = |_| errors::input(format!("{leaf} is out of the range of {}", dtype.name()));
    macro_rules! put {
        ($kind:ty) => {
            place.copy_from_slice(&leaf.extract::<$kind>().map_err(range)?.to_ne_bytes())
        };
    }
    match dtype {
        DType::Bool => place.copy_from_slice(&[u8::from(leaf.is_truthy()?)]),
        DType::Int8 => put!(i8),
        DType::Int16 => put!(i16),
        DType::Int32 => put!(i32),
        DType::Int64 => put!(i64),
        DType::UInt8 => put!(u8),
        DType::UInt16 => put!(u16),
        DType::UInt32 => put!(u32),
        DType::UInt64 => put!(u64),
        DType::Float => put!(f32),
        DType::Double => put!(f64),
        DType::Float16 => {
            let value = half::f16::from_f64(leaf.extract().map_err(range)?);
            place.copy_from_slice(&value.to_ne_bytes());
        }
        DType::BFloat16 => {
            let value = half::bf16::from_f64(leaf.extract().map_err(range)?);
            place.copy_from_slice(&value.to_ne_bytes());
        }
        DType::String => return Err(errors::input("a number is no string")),
    }
    Ok(())
}
