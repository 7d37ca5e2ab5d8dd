//! Memory of Python objects as tensors' memory.

use crate::life;
use pyo3::ffi;
use pyo3::prelude::*;
use redisai_core::{Buffer, Tensor, TensorError};
use std::any::Any;
use std::sync::Arc;

/// A view of an object by the buffer protocol, with its format and strides.
///
/// It keeps the object, and keeps it from being resized. Released with the GIL held, whatever thread drops it.
pub(crate) struct View(Box<ffi::Py_buffer>);

// SAFETY: the memory stays where it is until the view is released; the view itself is only read, and released
// with the GIL held.
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

impl View {
    /// The object's memory; Python's own error where it offers none of this kind.
    pub(crate) fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        // SAFETY: zeros are valid for a struct of pointers and numbers.
        let mut view: Box<ffi::Py_buffer> = Box::new(unsafe { std::mem::zeroed() });
        // SAFETY: the object is alive, the GIL is held, the place is ours.
        let failed =
            unsafe { ffi::PyObject_GetBuffer(object.as_ptr(), &raw mut *view, ffi::PyBUF_FULL_RO) };
        if failed != 0 {
            return Err(PyErr::fetch(object.py()));
        }
        Ok(Self(view))
    }

    /// Bytes of one element.
    pub(crate) fn item_size(&self) -> usize {
        self.0.itemsize.unsigned_abs()
    }

    /// The dimensions.
    pub(crate) fn dims(&self) -> Vec<i64> {
        let rank = usize::try_from(self.0.ndim).unwrap_or(0);
        if rank == 0 || self.0.shape.is_null() {
            return Vec::new();
        }
        // SAFETY: `ndim` dimensions, filled by the object.
        let dims = unsafe { std::slice::from_raw_parts(self.0.shape, rank) };
        dims.iter().map(|&dim| dim as i64).collect()
    }

    /// The element's format in the language of `struct`; `B` where none is said.
    pub(crate) fn format(&self) -> &[u8] {
        if self.0.format.is_null() {
            return b"B";
        }
        // SAFETY: a C string of the object's, which lives as long as the view.
        unsafe { std::ffi::CStr::from_ptr(self.0.format) }.to_bytes()
    }

    /// Whether the elements lie row-major without gaps.
    pub(crate) fn is_compact(&self) -> bool {
        // SAFETY: a view that was filled.
        unsafe { ffi::PyBuffer_IsContiguous(&raw const *self.0, b'C' as std::os::raw::c_char) != 0 }
    }

    /// The bytes; an error where they do not lie row-major without gaps.
    pub(crate) fn bytes_if_compact(&self) -> PyResult<&[u8]> {
        if self.is_compact() {
            return Ok(self.bytes());
        }
        Err(pyo3::exceptions::PyBufferError::new_err(
            "the bytes are not contiguous",
        ))
    }

    /// Copies the elements row-major; `target` has exactly as many bytes.
    pub(crate) fn copy_to(&self, py: Python<'_>, target: &mut [u8]) -> PyResult<()> {
        let length = self.0.len;
        if usize::try_from(length) != Ok(target.len()) {
            return Err(pyo3::exceptions::PyBufferError::new_err(
                "the object's length does not fit its shape",
            ));
        }
        // SAFETY: as many bytes as said; the GIL is held.
        let failed = unsafe {
            ffi::PyBuffer_ToContiguous(
                target.as_mut_ptr().cast(),
                &raw const *self.0,
                length,
                b'C' as std::os::raw::c_char,
            )
        };
        if failed != 0 {
            return Err(PyErr::fetch(py));
        }
        Ok(())
    }
}

impl Buffer for View {
    fn bytes(&self) -> &[u8] {
        let len = usize::try_from(self.0.len).unwrap_or(0);
        if len == 0 || self.0.buf.is_null() {
            return &[];
        }
        // SAFETY: the object offers `len` bytes, compact (asked before this is used), until the release.
        // Whoever writes to an array while a model reads it gets what any program gets.
        unsafe { std::slice::from_raw_parts(self.0.buf.cast(), len) }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for View {
    fn drop(&mut self) {
        life::attached(|_| {
            // SAFETY: filled by `PyObject_GetBuffer`, released once, the GIL is held.
            unsafe { ffi::PyBuffer_Release(&raw mut *self.0) };
        });
    }
}

/// Memory of another library's tensor, whose deleter may enter Python.
pub(crate) struct Foreign(Option<Arc<Tensor>>);

impl Foreign {
    /// The same tensor, released with the GIL held.
    pub(crate) fn guard(tensor: Arc<Tensor>) -> Result<Tensor, TensorError> {
        let (dtype, shape) = (tensor.dtype(), tensor.shape().clone());
        Tensor::new(dtype, shape, Box::new(Self::of(tensor)))
    }

    /// The memory of a tensor, for one of another shape or element type.
    pub(crate) fn of(tensor: Arc<Tensor>) -> Self {
        Self(Some(tensor))
    }
}

impl Buffer for Foreign {
    fn bytes(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |tensor| tensor.bytes())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // If Python cannot be entered the memory is left to the process's end.
        let tensor = std::mem::ManuallyDrop::new(self.0.take());
        life::attached(|_| drop(std::mem::ManuallyDrop::into_inner(tensor)));
    }
}
