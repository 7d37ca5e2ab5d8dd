//! Tensors: ours as torch's inputs, torch's outputs as ours.

use crate::error::bad_input;
use crate::sys::{RawTensor, Table};
use redisai_backend_abi::{Host, HostBytes, SharedBytes, no_memory, slice_of};
use redisai_core::{BackendError, Buffer, DType, Shape, Status, Tensor, TensorError};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

/// An input of a run. Nothing is copied: `tensor` must outlive what is made of it.
pub(crate) fn input(tensor: &Tensor) -> Result<RawTensor, BackendError> {
    let (code, bits) = tensor.dtype().code();
    if tensor.dtype() == DType::String {
        return Err(bad_input(format!("Unsupported code {code}")));
    }
    let bytes = tensor.bytes();
    let dims = tensor.shape().dims();
    Ok(RawTensor {
        data: bytes.as_ptr().cast_mut().cast(),
        dims: dims.as_ptr(),
        rank: dims.len(),
        bytes: bytes.len(),
        code,
        bits,
        ..RawTensor::NONE
    })
}

/// A tensor of torch's, given back when it is dropped.
struct Handle {
    table: &'static Table,
    raw: NonNull<c_void>,
}

// SAFETY: torch counts a tensor's references atomically; this one is only read and, once, dropped.
unsafe impl Send for Handle {}
// SAFETY: likewise.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: ours, given back once.
        unsafe { (self.table.drop_tensor)(self.raw.as_ptr()) };
    }
}

/// An output of a run; none where it is no tensor. Uncopied, unless somebody else holds its memory.
///
/// # Safety
/// The shim filled `raw`, and its handle is taken over here.
pub(crate) unsafe fn output(
    table: &'static Table,
    host: Host,
    raw: &RawTensor,
) -> Result<Option<Arc<Tensor>>, BackendError> {
    let Some(handle) = NonNull::new(raw.handle) else {
        return Ok(None);
    };
    let handle = Handle { table, raw: handle };
    // SAFETY: `rank` dimensions, which live as long as the handle.
    let dims = unsafe { slice_of(raw.dims, raw.rank) };
    let shape = Shape::new(dims).map_err(|_| malformed(TensorError::Length))?;
    let dtype = DType::from_code(raw.code.into(), raw.bits.into())
        .ok_or_else(|| malformed(TensorError::Length))?;
    // SAFETY: `bytes` bytes from `data` are the tensor's, in the processor's memory, and live as long
    // as the handle; whoever else may write to them is copied from below, before anything else runs.
    let bytes = unsafe { SharedBytes::new(raw.data.cast::<u8>(), raw.bytes, handle) };
    let data: Box<dyn Buffer> = if raw.shared != 0 {
        let copy = HostBytes::copy_of(host, bytes.bytes()).ok_or_else(|| no_memory(raw.bytes))?;
        Box::new(copy)
    } else {
        Box::new(bytes.in_host_memory())
    };
    let tensor = Tensor::new(dtype, shape, data).map_err(malformed)?;
    Ok(Some(Arc::new(tensor)))
}

/// For an output that breaks the rules of tensors.
fn malformed(cause: TensorError) -> BackendError {
    BackendError::new(
        Status::RunFailed,
        format!("ERR the model's output makes no tensor ({cause:?})"),
    )
}
