//! Tensors: ours as TensorFlow's inputs, TensorFlow's outputs as ours.

use crate::environment::Environment;
use crate::error::unsupported;
use crate::handles::Value;
use crate::strings;
use redisai_backend_abi::{HostBytes, no_memory, slice_of};
use redisai_core::{BackendError, DType, Shape, Status, Tensor, TensorError, zeros_and_ones};
use smallvec::SmallVec;
use std::ffi::c_void;
use std::sync::Arc;

/// One row a dtype.
const TYPES: [(DType, i32); 14] = [
    (DType::Float, 1),
    (DType::Double, 2),
    (DType::Int32, 3),
    (DType::UInt8, 4),
    (DType::Int16, 5),
    (DType::Int8, 6),
    (DType::String, 7),
    (DType::Int64, 9),
    (DType::Bool, 10),
    (DType::BFloat16, 14),
    (DType::UInt16, 17),
    (DType::Float16, 19),
    (DType::UInt32, 22),
    (DType::UInt64, 23),
];

/// The dtype of a `TF_DataType`.
pub(crate) fn dtype_of(kind: i32) -> Option<DType> {
    TYPES.iter().find(|row| row.1 == kind).map(|row| row.0)
}

/// The `TF_DataType` of a dtype.
pub(crate) fn type_of(dtype: DType) -> i32 {
    TYPES
        .iter()
        .find(|row| row.0 == dtype)
        .map_or(0, |row| row.1)
}

/// An input of a run. Numbers at a multiple of 64 are not copied; TensorFlow keeps the tensor for as
/// long as it needs it, which may be beyond the run.
pub(crate) fn input(
    environment: &'static Environment,
    tensor: &Arc<Tensor>,
) -> Result<Value, BackendError> {
    if tensor.dtype() == DType::String {
        return strings::input(environment, tensor);
    }
    let api = environment.api;
    let (bytes, dims) = (tensor.bytes(), tensor.shape().dims());
    let rank = i32::try_from(dims.len()).map_err(|_| unsupported("ERR too many dimensions"))?;
    let held = Arc::into_raw(Arc::clone(tensor))
        .cast_mut()
        .cast::<c_void>();
    // SAFETY: the bytes live as long as the tensor, which `release` lets go; TensorFlow does not write
    // to inputs. It calls `release` once, whether it keeps the memory or a copy.
    let raw = unsafe {
        (api.new_tensor)(
            type_of(tensor.dtype()),
            dims.as_ptr(),
            rank,
            bytes.as_ptr().cast_mut().cast(),
            bytes.len(),
            release,
            held,
        )
    };
    // SAFETY: null, or a tensor that is ours.
    unsafe { Value::take(api, raw) }.ok_or_else(|| no_memory(bytes.len()))
}

/// Lets an input go.
unsafe extern "C" fn release(_: *mut c_void, _: usize, held: *mut c_void) {
    // SAFETY: from `Arc::into_raw` of `input`, given back once.
    drop(unsafe { Arc::from_raw(held.cast::<Tensor>()) });
}

/// An output of a run, copied into memory of the server: TensorFlow's may be a variable's or an
/// input's.
pub(crate) fn output(
    environment: &'static Environment,
    value: &Value,
) -> Result<Arc<Tensor>, BackendError> {
    let api = environment.api;
    let raw = value.as_ptr();
    // SAFETY: the tensor is valid.
    let (kind, rank) = unsafe { ((api.tensor_type)(raw), (api.tensor_rank)(raw)) };
    let dtype = dtype_of(kind).ok_or_else(|| {
        unsupported(format!(
            "ERR the model's output has TensorFlow's type {kind}, which tensors cannot have"
        ))
    })?;
    // SAFETY: the tensor is valid and has as many dimensions.
    let dims: SmallVec<[i64; 8]> = (0..rank)
        .map(|place| unsafe { (api.tensor_dim)(raw, place) })
        .collect();
    let shape = Shape::new(&dims).map_err(|cause| malformed(cause.into()))?;
    if dtype == DType::String {
        return strings::output(environment, value, shape);
    }
    // SAFETY: the tensor is valid; its data is as long as it says, and nobody writes to it now.
    let bytes = unsafe {
        let len = (api.tensor_bytes)(raw);
        slice_of((api.tensor_data)(raw).cast::<u8>().cast_const(), len)
    };
    let copy = HostBytes::copy_of(environment.host, bytes).ok_or_else(|| no_memory(bytes.len()))?;
    let mut data: Box<dyn redisai_core::Buffer> = Box::new(copy);
    if dtype == DType::Bool {
        data = zeros_and_ones(data).ok_or_else(|| no_memory(bytes.len()))?;
    }
    Tensor::new(dtype, shape, data)
        .map(Arc::new)
        .map_err(malformed)
}

/// For an output that breaks the rules of tensors.
pub(crate) fn malformed(cause: TensorError) -> BackendError {
    let text = format!("ERR the model's output makes no tensor ({cause:?})");
    BackendError::new(Status::RunFailed, text)
}
