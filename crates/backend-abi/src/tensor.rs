//! Tensors across the border, without a copy either way.

use crate::{
    DLDataType, DLDevice, DLDeviceType, DLManagedTensorVersioned, DLPACK_FLAG_BITMASK_READ_ONLY,
    DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION, DLPackVersion, DLTensor, Host,
    RAI_TENSOR_HOST_MEMORY, RaiTensor, RaiView, SharedBytes, buffers::in_host_memory, guard::guard,
    text::slice_of,
};
use redisai_core::{BackendError, Buffer, DType, Shape, Status, Tensor, TensorError};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// The most dimensions of a tensor that crosses the border; more than any framework has.
pub const MAX_RANK: usize = 1024;

/// A view of a tensor, good as long as `tensor` lives; `owner` is its owner.
pub fn view_of(tensor: &Tensor, owner: u64) -> RaiView {
    RaiView {
        tensor: describe(tensor),
        offsets: tensor.offsets().map_or(ptr::null(), <[u64]>::as_ptr),
        owner,
        tail: u32::try_from(tensor.buffer().tail()).unwrap_or(u32::MAX),
        reserved: 0,
    }
}

/// A tensor over a view's memory. It retains the owner, so that it may outlive the call.
///
/// # Safety
/// The view was filled as documented, and is still valid.
pub unsafe fn adopt_view(host: Host, view: &RaiView) -> Result<Arc<Tensor>, BackendError> {
    // SAFETY: the view is valid, says the caller.
    let described = unsafe { Described::read(&view.tensor, view.offsets) }?;
    // SAFETY: the owner is alive during the call.
    let retained = unsafe { Retained::new(host, view.owner) };
    // SAFETY: the memory lives as long as the owner is retained, is immutable, and `tail` is part of
    // the view's promise.
    let data = unsafe {
        SharedBytes::new(described.data, described.len, retained).with_tail(view.tail as usize)
    }
    .in_host_memory();
    described.tensor(Box::new(data)).map(Arc::new)
}

/// One `retain`, ended when it is dropped.
pub(crate) struct Retained {
    host: Host,
    owner: u64,
}

impl Retained {
    /// # Safety
    /// `owner` is one of `host`'s and alive.
    pub(crate) unsafe fn new(host: Host, owner: u64) -> Self {
        // SAFETY: the caller's promise.
        unsafe { host.retain(owner) };
        Self { host, owner }
    }
}

impl Drop for Retained {
    fn drop(&mut self) {
        // SAFETY: retained in `new`, released once.
        unsafe { self.host.release(self.owner) };
    }
}

/// A tensor that is handed over: the struct of the ABI and what keeps its memory.
struct Exported {
    managed: DLManagedTensorVersioned,
    tensor: Arc<Tensor>,
}

/// Hands a backend's tensor over to the host; nothing is copied, the receiver's deleter drops the
/// `Arc`.
pub fn export_tensor(tensor: Option<Arc<Tensor>>) -> RaiTensor {
    tensor.map_or(RaiTensor::NONE, |tensor| {
        let host_memory = in_host_memory(tensor.buffer());
        export(tensor, host_memory)
    })
}

/// Hands a host's tensor over to a backend, likewise.
pub fn export_host_tensor(tensor: Option<Arc<Tensor>>) -> RaiTensor {
    tensor.map_or(RaiTensor::NONE, |tensor| {
        let host_memory = !tensor.buffer().is_foreign();
        export(tensor, host_memory)
    })
}

fn export(tensor: Arc<Tensor>, host_memory: bool) -> RaiTensor {
    let flags = if host_memory {
        RAI_TENSOR_HOST_MEMORY
    } else {
        0
    };
    let buffer = tensor.buffer();
    let tail = u32::try_from(buffer.tail()).unwrap_or(u32::MAX);
    let offsets = tensor.offsets().map_or(ptr::null(), <[u64]>::as_ptr);
    let exported = Box::new(Exported {
        managed: DLManagedTensorVersioned {
            version: DLPackVersion {
                major: DLPACK_MAJOR_VERSION,
                minor: DLPACK_MINOR_VERSION,
            },
            manager_ctx: ptr::null_mut(),
            deleter: Some(delete_exported),
            flags: DLPACK_FLAG_BITMASK_READ_ONLY,
            dl_tensor: describe(&tensor),
        },
        tensor,
    });
    let exported = Box::into_raw(exported);
    // SAFETY: just made; the pointer to the whole goes into the context, since the deleter's own
    // argument may only be used for the struct that it points at.
    let managed = unsafe {
        (*exported).managed.manager_ctx = exported.cast();
        &raw mut (*exported).managed
    };
    RaiTensor {
        managed,
        offsets,
        tail,
        flags,
    }
}

unsafe extern "C" fn delete_exported(this: *mut DLManagedTensorVersioned) {
    let deleted = guard(|| {
        // SAFETY: the receiver gives back what `export_tensor` gave, once.
        let exported = unsafe { Box::from_raw((*this).manager_ctx.cast::<Exported>()) };
        drop(exported.tensor);
    });
    // A panic in a buffer's drop: the memory is lost, the process lives.
    drop(deleted);
}

/// Another's tensor, deleted when it is dropped.
pub(crate) struct Managed(NonNull<DLManagedTensorVersioned>);

// SAFETY: the deleter may be called from any thread, says the ABI; nothing else is done with it.
unsafe impl Send for Managed {}
// SAFETY: as above.
unsafe impl Sync for Managed {}

impl Drop for Managed {
    fn drop(&mut self) {
        // SAFETY: ours since it was imported, deleted once.
        unsafe {
            if let Some(deleter) = self.0.as_ref().deleter {
                deleter(self.0.as_ptr());
            }
        }
    }
}

/// Takes a tensor over; none where there is none. A bad one is released and refused.
///
/// # Safety
/// The tensor is the caller's own, filled as documented.
pub unsafe fn import_tensor(tensor: &RaiTensor) -> Result<Option<Arc<Tensor>>, BackendError> {
    let Some(managed) = NonNull::new(tensor.managed).map(Managed) else {
        return Ok(None);
    };
    // SAFETY: filled as documented, says the caller; the version comes first in every layout.
    let version = unsafe { managed.0.as_ref() }.version;
    if version.major != DLPACK_MAJOR_VERSION {
        // Of another layout the deleter's place is not known to us either: it is left alone.
        std::mem::forget(managed);
        let text = format!("ERR the backend gave a tensor of DLPack {}", version.major);
        return Err(BackendError::new(Status::RunFailed, text));
    }
    // SAFETY: filled as documented, says the caller.
    let described = unsafe { Described::read(&managed.0.as_ref().dl_tensor, tensor.offsets) }?;
    // SAFETY: the memory lives until the deleter is called, and `tail` is part of the promise.
    let data = unsafe {
        SharedBytes::new(described.data, described.len, managed).with_tail(tensor.tail as usize)
    };
    let data = if tensor.flags & RAI_TENSOR_HOST_MEMORY == 0 {
        data
    } else {
        data.in_host_memory()
    };
    described
        .tensor(Box::new(data))
        .map(|it| Some(Arc::new(it)))
}

/// Releases a tensor that is not wanted.
///
/// # Safety
/// As [`import_tensor`].
pub unsafe fn release_tensor(tensor: &RaiTensor) {
    drop(NonNull::new(tensor.managed).map(Managed));
}

fn describe(tensor: &Tensor) -> DLTensor {
    let dims = tensor.shape().dims();
    DLTensor {
        data: tensor.bytes().as_ptr().cast_mut().cast(),
        device: DLDevice::cpu(),
        ndim: dims.len() as i32,
        dtype: DLDataType::from_dtype(tensor.dtype()),
        // The receiver may not write: DLPack has no const.
        shape: dims.as_ptr().cast_mut(),
        strides: ptr::null_mut(),
        byte_offset: 0,
    }
}

/// The offsets of a `STRING`; none for other dtypes.
type Offsets = Option<Box<[u64]>>;

/// What a `DLTensor` says, checked.
struct Described {
    dtype: DType,
    shape: Shape,
    data: *const u8,
    len: usize,
    offsets: Offsets,
}

impl Described {
    /// # Safety
    /// `tensor` and `offsets` are as the ABI says; sizes and types need not be right.
    unsafe fn read(tensor: &DLTensor, offsets: *const u64) -> Result<Self, BackendError> {
        let device = tensor.device.device_type;
        if device != DLDeviceType::kDLCPU as i32 && device != DLDeviceType::kDLCUDAHost as i32 {
            return Err(refused("is not in host memory"));
        }
        let rank = usize::try_from(tensor.ndim).map_err(|_| refused("has no valid shape"))?;
        if rank > MAX_RANK || (rank > 0 && tensor.shape.is_null()) {
            return Err(refused("has no valid shape"));
        }
        let dtype = tensor
            .dtype
            .to_dtype()
            .ok_or_else(|| refused("has a data type that is not supported"))?;
        // SAFETY: `ndim` dimensions and, unless null, strides.
        let (dims, strides) =
            unsafe { (slice_of(tensor.shape, rank), slice_of(tensor.strides, rank)) };
        let shape = Shape::new(dims).map_err(|_| refused("has no valid shape"))?;
        if !strides.is_empty() && !is_compact(dims, strides) {
            return Err(refused("is not compact"));
        }
        // SAFETY: one offset more than there are elements, for a STRING.
        let (len, offsets) = unsafe { lengths(dtype, &shape, offsets) }?;
        if len > 0 && tensor.data.is_null() {
            return Err(refused("has no data"));
        }
        let data = tensor
            .data
            .cast::<u8>()
            .wrapping_add(tensor.byte_offset as usize);
        Ok(Self {
            dtype,
            shape,
            data,
            len,
            offsets,
        })
    }

    fn tensor(self, data: Box<dyn Buffer>) -> Result<Tensor, BackendError> {
        match self.offsets {
            Some(offsets) => Tensor::with_offsets(self.shape, data, offsets),
            None => Tensor::new(self.dtype, self.shape, data),
        }
        .map_err(|error| match error {
            TensorError::Bool => refused("is a BOOL that holds bytes other than 0 and 1"),
            TensorError::Offsets => refused("is a STRING whose offsets do not fit its bytes"),
            _ => refused("does not fit its shape"),
        })
    }
}

/// The bytes of a tensor, and for a `STRING` its offsets.
///
/// # Safety
/// `offsets` is null or points at one more value than there are elements.
unsafe fn lengths(
    dtype: DType,
    shape: &Shape,
    offsets: *const u64,
) -> Result<(usize, Offsets), BackendError> {
    if dtype != DType::String {
        let len = shape.bytes(dtype.size());
        return Ok((len.map_err(|_| refused("has no valid shape"))?, None));
    }
    if offsets.is_null() {
        return Err(refused("is a STRING without offsets"));
    }
    let count = shape.elements().checked_add(1);
    // SAFETY: the caller's promise.
    let offsets = unsafe { slice_of(offsets, count.ok_or_else(|| refused("is too large"))?) };
    let len = offsets.last().copied().unwrap_or_default();
    let len = isize::try_from(len).map_err(|_| refused("is too large"))?;
    Ok((len as usize, Some(offsets.into())))
}

/// Whether strides say row-major without gaps. Dimensions of one element may have any stride, and so
/// may all where there is no element.
fn is_compact(dims: &[i64], strides: &[i64]) -> bool {
    if dims.contains(&0) {
        return true;
    }
    let mut expected = 1_i64;
    dims.iter().zip(strides).rev().all(|(&dim, &stride)| {
        let fits = dim == 1 || stride == expected;
        expected = expected.saturating_mul(dim);
        fits
    })
}

fn refused(why: &str) -> BackendError {
    BackendError::new(
        Status::RunFailed,
        format!("ERR a tensor that came from the other side {why}"),
    )
}

#[cfg(test)]
mod tests;
