//! Tensors: ours as ONNX Runtime's inputs, ONNX Runtime's outputs as ours.

use crate::environment::Environment;
use crate::error::{Doing, unsupported};
use crate::handles::{ShapeInfo, Value};
use crate::signature::shape_of;
use crate::sys::ort;
use ort_sys::{ONNXTensorElementDataType as Element, OrtApi};
use redisai_backend_abi::{HostBytes, SharedBytes, no_memory};
use redisai_core::{BackendError, Buffer, DType, Shape, Status, Tensor, TensorError};
use std::ops::Range;
use std::ptr::NonNull;

/// One row a dtype.
const ELEMENTS: [(DType, Element); 14] = [
    (DType::Float, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT),
    (DType::Double, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE),
    (
        DType::Float16,
        Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16,
    ),
    (
        DType::BFloat16,
        Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16,
    ),
    (DType::Int8, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8),
    (DType::Int16, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16),
    (DType::Int32, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32),
    (DType::Int64, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64),
    (DType::UInt8, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8),
    (DType::UInt16, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16),
    (DType::UInt32, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32),
    (DType::UInt64, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64),
    (DType::Bool, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL),
    (DType::String, Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_STRING),
];

/// Names of ONNX's element types that have no dtype here, for error texts.
const OTHERS: [(i32, &str); 11] = [
    (14, "COMPLEX64"),
    (15, "COMPLEX128"),
    (17, "FLOAT8E4M3FN"),
    (18, "FLOAT8E4M3FNUZ"),
    (19, "FLOAT8E5M2"),
    (20, "FLOAT8E5M2FNUZ"),
    (21, "UINT4"),
    (22, "INT4"),
    (23, "FLOAT4E2M1"),
    (24, "UINT2"),
    (25, "INT2"),
];

/// The dtype of one of ONNX's element types.
pub(crate) fn dtype_of(element: i32) -> Option<DType> {
    ELEMENTS
        .iter()
        .find(|row| row.1 as i32 == element)
        .map(|row| row.0)
}

fn element_of(dtype: DType) -> Element {
    let row = ELEMENTS.iter().find(|row| row.0 == dtype);
    row.map_or(Element::ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED, |row| {
        row.1
    })
}

fn no_dtype(element: i32) -> BackendError {
    let name = OTHERS
        .iter()
        .find(|row| row.0 == element)
        .map_or("unknown", |row| row.1);
    unsupported(format!(
        "ERR the model's output has element type {name} ({element}), which tensors cannot have"
    ))
}

/// An input of a run. Numbers are not copied: `tensor` must outlive the value, and ONNX Runtime never
/// writes to an input. Strings are copied, since ONNX Runtime's are objects of C++.
pub(crate) fn input(
    environment: &'static Environment,
    tensor: &Tensor,
) -> Result<Value, BackendError> {
    let api = environment.api();
    let dims = tensor.shape().dims();
    let element = element_of(tensor.dtype());
    if tensor.dtype() == DType::String {
        return string_input(environment, tensor);
    }
    let bytes = tensor.bytes();
    // SAFETY: `bytes` is as long as the shape and the element type say (an invariant of Tensor) and
    // lives until the value is gone; no reference of a wider type is formed to it, so it may have any
    // alignment.
    unsafe {
        Value::make(api, Doing::Run, |out| {
            (api.CreateTensorWithDataAsOrtValue)(
                environment.allocator.info(),
                bytes.as_ptr().cast_mut().cast(),
                bytes.len(),
                dims.as_ptr(),
                dims.len(),
                element,
                out,
            )
        })
    }
}

fn string_input(environment: &'static Environment, tensor: &Tensor) -> Result<Value, BackendError> {
    let api = environment.api();
    let dims = tensor.shape().dims();
    // SAFETY: the allocator and the dimensions are valid.
    let value = unsafe {
        Value::make(api, Doing::Run, |out| {
            (api.CreateTensorAsOrtValue)(
                environment.allocator.as_ptr(),
                dims.as_ptr(),
                dims.len(),
                element_of(DType::String),
                out,
            )
        })
    }?;
    for (index, element) in tensor.strings().enumerate() {
        let mut place = std::ptr::null_mut();
        // SAFETY: the value has as many elements as the shape, and so as the tensor; the function
        // gives room for that many bytes, which are then all written. Any bytes may be in it.
        unsafe {
            ort!(
                api,
                Doing::Run,
                GetResizedStringTensorElementBuffer(
                    value.as_ptr(),
                    index,
                    element.len(),
                    &raw mut place
                )
            )?;
            if !element.is_empty() {
                std::ptr::copy_nonoverlapping(element.as_ptr(), place.cast(), element.len());
            }
        }
    }
    Ok(value)
}

/// An output tensor of a run. `inputs` are where the run's inputs lie: an output that is an input
/// (the graph's input is its output) shares that memory, and is copied.
pub(crate) fn output(
    environment: &'static Environment,
    value: Value,
    inputs: &[Range<usize>],
) -> Result<Tensor, BackendError> {
    let api = environment.api();
    // SAFETY: the value is a tensor; the info is the caller's.
    let info = unsafe {
        ShapeInfo::make(api, Doing::Run, |out| {
            (api.GetTensorTypeAndShape)(value.as_ptr(), out)
        })
    }?;
    let (element, dims) = shape_of(api, info.as_ptr(), Doing::Run)?;
    let dtype = dtype_of(element).ok_or_else(|| no_dtype(element))?;
    let shape = Shape::new(&dims).map_err(|_| malformed(TensorError::Length))?;
    if dtype == DType::String {
        return string_output(environment, &value, shape);
    }
    let len = shape
        .bytes(dtype.size())
        .map_err(|cause| malformed(cause.into()))?;
    let mut start = std::ptr::null_mut();
    // SAFETY: the value is a tensor of numbers.
    unsafe {
        ort!(
            api,
            Doing::Run,
            GetTensorMutableData(value.as_ptr(), &raw mut start)
        )?;
    }
    let Some(start) = NonNull::new(start.cast::<u8>()).filter(|_| len > 0) else {
        return Tensor::new(dtype, shape, Box::new(Vec::new())).map_err(malformed);
    };
    let at = start.as_ptr() as usize;
    let aliases = inputs
        .iter()
        .any(|input| at < input.end && input.start < at + len);
    // SAFETY: `len` bytes from `start` are the tensor's data, written by the run; the value owns them
    // (or an input does: then they are only read here), and nobody writes to them any more.
    let bytes = unsafe { SharedBytes::new(start.as_ptr(), len, value) };
    if aliases {
        let copy =
            HostBytes::copy_of(environment.host, bytes.bytes()).ok_or_else(|| no_memory(len))?;
        return Tensor::new(dtype, shape, Box::new(copy)).map_err(malformed);
    }
    Tensor::new(dtype, shape, Box::new(bytes.in_host_memory())).map_err(malformed)
}

fn string_output(
    environment: &'static Environment,
    value: &Value,
    shape: Shape,
) -> Result<Tensor, BackendError> {
    let count = shape.elements();
    if count == 0 {
        return Tensor::from_strings(shape, &[]).map_err(malformed);
    }
    let (bytes, starts) = strings_of(environment.api(), value, count)?;
    let total = bytes.len() + count;
    let mut data = HostBytes::zeroed(environment.host, total).ok_or_else(|| no_memory(total))?;
    let mut offsets = Vec::with_capacity(count + 1);
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let mut at = 0;
    for (&start, end) in starts.iter().zip(ends) {
        let element = bytes
            .get(start..end)
            .ok_or_else(|| malformed(TensorError::Offsets))?;
        offsets.push(at as u64);
        if let Some(place) = data.bytes_mut().get_mut(at..at + element.len()) {
            place.copy_from_slice(element);
        }
        // The NUL behind each element is there already.
        at += element.len() + 1;
    }
    offsets.push(at as u64);
    Tensor::with_offsets(shape, Box::new(data), offsets.into()).map_err(malformed)
}

/// The bytes of all elements of a tensor of `count` strings, and where each starts.
pub(crate) fn strings_of(
    api: &'static OrtApi,
    value: &Value,
    count: usize,
) -> Result<(Vec<u8>, Vec<usize>), BackendError> {
    let raw = value.as_ptr();
    let mut total = 0;
    // SAFETY: the value is a tensor of `count` strings; the two arrays are as long as is said.
    unsafe {
        ort!(
            api,
            Doing::Run,
            GetStringTensorDataLength(raw, &raw mut total)
        )?;
        let mut bytes = vec![0_u8; total];
        let mut starts = vec![0_usize; count];
        ort!(
            api,
            Doing::Run,
            GetStringTensorContent(
                raw,
                bytes.as_mut_ptr().cast(),
                total,
                starts.as_mut_ptr(),
                count
            )
        )?;
        Ok((bytes, starts))
    }
}

/// For an output that breaks the rules of tensors.
fn malformed(cause: TensorError) -> BackendError {
    BackendError::new(
        Status::RunFailed,
        format!("ERR the model's output makes no tensor ({cause:?})"),
    )
}
