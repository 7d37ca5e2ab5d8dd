//! Tensors from what Python's users have: arrays, anything with DLPack or the buffer protocol,
//! numbers, strings and nested lists.

use crate::array;
use crate::dlpack;
use crate::errors;
use crate::memory::View;
use crate::output::PyTensor;
use crate::sequence;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyList, PyString, PyTuple};
use redisai_core::{AlignedBytes, Buffer, DType, Shape, Tensor};
use std::sync::Arc;

/// A tensor of an object. `wanted`: the element type that the model declares, which numbers and
/// lists, that have none of their own, are read as.
pub(crate) fn tensor(object: &Bound<'_, PyAny>, wanted: Option<DType>) -> PyResult<Arc<Tensor>> {
    if let Ok(ours) = object.cast::<PyTensor>() {
        return Ok(Arc::clone(ours.get().tensor()));
    }
    if let Some(tensor) = array::tensor(object)? {
        return Ok(tensor);
    }
    if is_plain(object) {
        return sequence::tensor(object, wanted).map(Arc::new);
    }
    // SAFETY: any object may be asked.
    if unsafe { ffi::PyObject_CheckBuffer(object.as_ptr()) } != 0 {
        return match View::of(object) {
            Ok(view) => match dtype_of(view.format(), view.item_size()) {
                Some((dtype, swapped)) => from_view(object.py(), view, dtype, swapped),
                None => other_array(object, view.format()),
            },
            // NumPy exports no buffer of types that are not its own.
            Err(error) => other_array(object, b"?").inspect_err(|other| {
                other.set_cause(object.py(), Some(error));
            }),
        };
    }
    if object.hasattr(intern!(object.py(), "__dlpack__"))? {
        return dlpack::import(object);
    }
    if object.hasattr(intern!(object.py(), "dtype"))? {
        return other_array(object, b"?");
    }
    Err(errors::input(format!(
        "{} is no tensor: give a NumPy array, an object with __dlpack__ or the buffer protocol, \
         a number, a string, or a list of them",
        object.get_type().name()?
    )))
}

/// Values without a type of their own; `bytes` is a string here, `bytearray` is memory.
fn is_plain(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyList>()
        || object.is_instance_of::<PyTuple>()
        || object.is_instance_of::<PyString>()
        || object.is_instance_of::<PyBytes>()
        || object.is_instance_of::<PyBool>()
        || object.is_exact_instance_of::<PyInt>()
        || object.is_exact_instance_of::<PyFloat>()
}

/// A tensor over a view: in place where the elements are compact and in this machine's byte order.
fn from_view(py: Python<'_>, view: View, dtype: DType, swapped: bool) -> PyResult<Arc<Tensor>> {
    let shape = shape(&view.dims())?;
    let data: Box<dyn Buffer> = if view.is_compact() && !swapped {
        Box::new(view)
    } else {
        Box::new(copied(py, &view, &shape, dtype, swapped)?)
    };
    Tensor::new(dtype, shape, data)
        .map(Arc::new)
        .map_err(errors::tensor)
}

pub(crate) fn shape(dims: &[i64]) -> PyResult<Shape> {
    Shape::new(dims).map_err(|_| errors::input("the shape is too large or negative"))
}

/// One copy, row-major, in this machine's byte order.
fn copied(
    py: Python<'_>,
    view: &View,
    shape: &Shape,
    dtype: DType,
    swapped: bool,
) -> PyResult<AlignedBytes> {
    let size = dtype.size();
    let refused = || errors::tensor(redisai_core::TensorError::Memory);
    let bytes = shape.bytes(size).map_err(|_| refused())?;
    let mut copy = AlignedBytes::try_zeroed(bytes).ok_or_else(refused)?;
    view.copy_to(py, copy.bytes_mut())?;
    if swapped {
        for element in copy.bytes_mut().chunks_exact_mut(size.max(1)) {
            element.reverse();
        }
    }
    Ok(copy)
}

/// The dtype of a format of `struct` and whether its bytes are in the other order; `None`: none of
/// ours.
fn dtype_of(format: &[u8], size: usize) -> Option<(DType, bool)> {
    let (order, code) = match format {
        [order @ (b'@' | b'=' | b'<' | b'>' | b'!' | b'|'), code] => (*order, *code),
        [code] => (b'@', *code),
        _ => return None,
    };
    let dtype = match (code, size) {
        (b'?', 1) => DType::Bool,
        (b'b', 1) => DType::Int8,
        (b'B', 1) => DType::UInt8,
        (b'h', 2) => DType::Int16,
        (b'H', 2) => DType::UInt16,
        (b'i' | b'l', 4) => DType::Int32,
        (b'I' | b'L', 4) => DType::UInt32,
        (b'l' | b'q' | b'n', 8) => DType::Int64,
        (b'L' | b'Q' | b'N', 8) => DType::UInt64,
        (b'e', 2) => DType::Float16,
        (b'f', 4) => DType::Float,
        (b'd', 8) => DType::Double,
        _ => return None,
    };
    let big = matches!(order, b'>' | b'!');
    Some((
        dtype,
        size > 1 && big != cfg!(target_endian = "big") && order != b'@' && order != b'=',
    ))
}

/// An array whose elements the buffer protocol does not name: bfloat16 of `ml_dtypes`, and strings.
fn other_array(object: &Bound<'_, PyAny>, format: &[u8]) -> PyResult<Arc<Tensor>> {
    let py = object.py();
    let dtype = object.getattr(intern!(py, "dtype")).ok();
    let name = match &dtype {
        Some(dtype) => dtype.str()?.to_string(),
        None => String::from_utf8_lossy(format).into_owned(),
    };
    if name == "bfloat16" {
        let bits = object.call_method1(intern!(py, "view"), ("uint16",))?;
        let view = View::of(&bits)?;
        return from_view(py, view, DType::BFloat16, false);
    }
    let kind: Option<char> = dtype.and_then(|dtype| dtype.getattr("kind").ok()?.extract().ok());
    if matches!(kind, Some('S' | 'U' | 'O' | 'T')) {
        let dims: Vec<i64> = object.getattr("shape")?.extract()?;
        let flat = object
            .call_method1("reshape", (-1,))?
            .call_method0("tolist")?;
        return sequence::strings(&flat, &dims).map(Arc::new);
    }
    Err(errors::input(format!(
        "an array of {name} is no tensor: its element type is none of FLOAT, DOUBLE, FLOAT16, BFLOAT16, \
         INT8 to INT64, UINT8 to UINT64, BOOL, STRING"
    )))
}
