//! A tensor's elements as nested lists, without NumPy.

use half::{bf16, f16};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use redisai_core::{DType, Tensor};

type Items<'py> = Vec<Bound<'py, PyAny>>;

/// The elements in lists, as deep as the tensor has dimensions; of a scalar the element itself.
pub(crate) fn nested<'py>(py: Python<'py>, tensor: &Tensor) -> PyResult<Bound<'py, PyAny>> {
    let dims = tensor.shape().dims();
    let mut items = elements(py, tensor)?;
    for (depth, &dim) in dims.iter().enumerate().rev() {
        let count = product(dims.get(..depth).unwrap_or_default());
        let mut lists = with_room(count)?;
        let mut rest = items.into_iter();
        for _ in 0..count {
            // A dimension that does not fit is one of a tensor without elements.
            let dim = usize::try_from(dim).unwrap_or(usize::MAX);
            let inner: Items<'_> = rest.by_ref().take(dim).collect();
            lists.push(PyList::new(py, inner)?.into_any());
        }
        items = lists;
    }
    items
        .pop()
        .ok_or_else(|| PyMemoryError::new_err("the tensor has no elements"))
}

fn product(dims: &[i64]) -> usize {
    if dims.contains(&0) {
        return 0;
    }
    let sizes = dims.iter().map(|&dim| usize::try_from(dim).unwrap_or(0));
    sizes.fold(1, usize::saturating_mul)
}

/// `[2^60, 0]` is a shape: so many empty lists are refused, not tried.
fn with_room<'py>(count: usize) -> PyResult<Items<'py>> {
    let mut items = Vec::new();
    items
        .try_reserve_exact(count)
        .map_err(|_| PyMemoryError::new_err("the tensor has too many rows for lists"))?;
    Ok(items)
}

fn elements<'py>(py: Python<'py>, tensor: &Tensor) -> PyResult<Items<'py>> {
    macro_rules! numbers {
        ($kind:ty) => {
            numbers!($kind, |number| number)
        };
        ($kind:ty, $widen:expr) => {
            tensor
                .bytes()
                .as_chunks()
                .0
                .iter()
                .map(|bytes| $widen(<$kind>::from_ne_bytes(*bytes)).into_bound_py_any(py))
                .collect()
        };
    }
    match tensor.dtype() {
        DType::Bool => numbers!(u8, |byte| byte != 0),
        DType::Int8 => numbers!(i8),
        DType::UInt8 => numbers!(u8),
        DType::Int16 => numbers!(i16),
        DType::UInt16 => numbers!(u16),
        DType::Int32 => numbers!(i32),
        DType::UInt32 => numbers!(u32),
        DType::Int64 => numbers!(i64),
        DType::UInt64 => numbers!(u64),
        DType::Float16 => numbers!(f16, f16::to_f64),
        DType::BFloat16 => numbers!(bf16, bf16::to_f64),
        DType::Float => numbers!(f32, f64::from),
        DType::Double => numbers!(f64),
        DType::String => {
            let strings = tensor.strings();
            Ok(strings
                .map(|one| PyBytes::new(py, one).into_any())
                .collect())
        }
    }
}
