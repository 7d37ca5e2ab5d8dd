//! Tensors from and to other libraries by DLPack, without a copy where the elements are compact.

use crate::errors;
use crate::memory::Foreign;
use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use redisai_backend_loader::dlpack::{
    DLManagedTensor, DLManagedTensorVersioned, DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION,
    DLPackVersion, RaiTensor, export_host_tensor, import_tensor,
};
use redisai_core::{BackendError, Tensor};
use std::ffi::CStr;
use std::os::raw::c_void;
use std::sync::Arc;

const NEW: &CStr = c"dltensor_versioned";
const OLD: &CStr = c"dltensor";
const NEW_USED: &CStr = c"used_dltensor_versioned";
const OLD_USED: &CStr = c"used_dltensor";
/// `DLDeviceType` of memory that this process's processor reads: plain, and pinned for CUDA.
const IN_HOST_MEMORY: [i64; 2] = [1, 3];

/// The tensor of an object that has `__dlpack__`.
pub(crate) fn import(object: &Bound<'_, PyAny>) -> PyResult<Arc<Tensor>> {
    let tensor = match exported(object)? {
        // torch's way to one copy in row-major order. Once: an object may lie.
        Err(error) if error.text.ends_with("is not compact") => {
            match object.call_method0("contiguous") {
                Ok(copy) => exported(&copy)?,
                Err(_) => Err(error),
            }
        }
        tensor => tensor,
    };
    let tensor = tensor.map_err(|error| errors::input(said(&error.text)))?;
    let tensor = tensor.ok_or_else(|| errors::input("the capsule holds no tensor"))?;
    Foreign::guard(tensor).map(Arc::new).map_err(errors::tensor)
}

type Imported = Result<Option<Arc<Tensor>>, BackendError>;

/// What an object exports; the inner error: its tensor is none that we can use.
fn exported(object: &Bound<'_, PyAny>) -> PyResult<Imported> {
    let py = object.py();
    let (kind, index): (i64, i64) = object.call_method0("__dlpack_device__")?.extract()?;
    if !IN_HOST_MEMORY.contains(&kind) {
        let what = if kind == 2 { "CUDA" } else { "another" };
        return Err(errors::input(format!(
            "the tensor is on {what} device {index}, the model reads the CPU's memory: copy it with .cpu()"
        )));
    }
    let named = PyDict::new(py);
    named.set_item("max_version", (DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION))?;
    let capsule = match object.call_method("__dlpack__", (), Some(&named)) {
        // An exporter from before versions knows no arguments.
        Err(error) if error.is_instance_of::<PyTypeError>(py) => {
            object.call_method0("__dlpack__")?
        }
        capsule => capsule?,
    };
    let managed = take(&capsule)?;
    let raw = RaiTensor {
        managed,
        ..RaiTensor::NONE
    };
    // SAFETY: the capsule's tensor, which is ours now; DLPack's rules are the ABI's.
    Ok(unsafe { import_tensor(&raw) })
}

/// The loader speaks of two sides of a border; here there is one object.
fn said(text: &str) -> String {
    text.replace("ERR a tensor that came from the other side", "the tensor")
}

/// Takes the tensor out of a capsule and marks that as consumed.
fn take(capsule: &Bound<'_, PyAny>) -> PyResult<*mut DLManagedTensorVersioned> {
    let (pointer, used, versioned) = if is(capsule, NEW) {
        let pointer = pointer_of(capsule, NEW)?;
        // SAFETY: the version comes first in every layout.
        let major = unsafe { (*pointer.cast::<DLPackVersion>()).major };
        if major != DLPACK_MAJOR_VERSION {
            // The capsule keeps it, and knows how to delete it.
            let text = format!("the tensor is one of DLPack {major}, not {DLPACK_MAJOR_VERSION}");
            return Err(PyBufferError::new_err(text));
        }
        (pointer, NEW_USED, true)
    } else if is(capsule, OLD) {
        (pointer_of(capsule, OLD)?, OLD_USED, false)
    } else {
        return Err(PyBufferError::new_err(
            "__dlpack__ gave no DLPack capsule, or one that was consumed before",
        ));
    };
    // SAFETY: a capsule with that pointer; the name is static.
    if unsafe { ffi::PyCapsule_SetName(capsule.as_ptr(), used.as_ptr()) } != 0 {
        return Err(PyErr::fetch(capsule.py()));
    }
    if versioned {
        return Ok(pointer.cast());
    }
    // SAFETY: DLPack says what a capsule of this name holds.
    Ok(unsafe { with_version(pointer.cast()) })
}

fn is(capsule: &Bound<'_, PyAny>, name: &CStr) -> bool {
    // SAFETY: any object may be asked.
    unsafe { ffi::PyCapsule_IsValid(capsule.as_ptr(), name.as_ptr()) != 0 }
}

fn pointer_of(capsule: &Bound<'_, PyAny>, name: &CStr) -> PyResult<*mut c_void> {
    // SAFETY: a capsule of that name.
    let pointer = unsafe { ffi::PyCapsule_GetPointer(capsule.as_ptr(), name.as_ptr()) };
    if pointer.is_null() {
        return Err(PyErr::fetch(capsule.py()));
    }
    Ok(pointer)
}

/// The newer form of a tensor in the older one.
///
/// # Safety
/// `old` is a tensor that the caller owns.
unsafe fn with_version(old: *mut DLManagedTensor) -> *mut DLManagedTensorVersioned {
    unsafe extern "C" fn delete(this: *mut DLManagedTensorVersioned) {
        // SAFETY: made below, deleted once.
        let this = unsafe { Box::from_raw(this) };
        let old = this.manager_ctx.cast::<DLManagedTensor>();
        // SAFETY: the older form is owned by the newer one.
        if let Some(deleter) = unsafe { (*old).deleter } {
            // SAFETY: as above, once.
            unsafe { deleter(old) };
        }
    }
    Box::into_raw(Box::new(DLManagedTensorVersioned {
        version: DLPackVersion {
            major: DLPACK_MAJOR_VERSION,
            minor: 0,
        },
        manager_ctx: old.cast(),
        deleter: Some(delete),
        flags: 0,
        // SAFETY: the caller's promise.
        dl_tensor: unsafe { (*old).dl_tensor },
    }))
}

/// A capsule of the versioned form, marked as not to be written to. It keeps the memory.
pub(crate) fn export<'py>(
    py: Python<'py>,
    tensor: &Arc<Tensor>,
    max_version: Option<&Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    let newest: Option<(u32, u32)> = max_version.map(|version| version.extract()).transpose()?;
    if newest.is_none_or(|(major, _)| major < DLPACK_MAJOR_VERSION) {
        return Err(PyBufferError::new_err(
            "results are not to be written to, which DLPack says from version 1.0 on: \
             pass max_version=(1, 0), or use numpy.asarray",
        ));
    }
    let managed = export_host_tensor(Some(Arc::clone(tensor))).managed;
    // SAFETY: the pointer is not null, the name is static, the destructor fits.
    let capsule = unsafe { ffi::PyCapsule_New(managed.cast(), NEW.as_ptr(), Some(forget)) };
    if capsule.is_null() {
        // SAFETY: nobody has it yet.
        unsafe { delete(managed) };
        return Err(PyErr::fetch(py));
    }
    // SAFETY: a new reference.
    Ok(unsafe { Bound::from_owned_ptr(py, capsule) })
}

/// Called when a capsule goes: a consumed one has another name.
unsafe extern "C" fn forget(capsule: *mut ffi::PyObject) {
    // SAFETY: the capsule that is going.
    unsafe {
        if ffi::PyCapsule_IsValid(capsule, NEW.as_ptr()) != 0 {
            let managed = ffi::PyCapsule_GetPointer(capsule, NEW.as_ptr());
            if managed.is_null() {
                ffi::PyErr_Clear();
            } else {
                delete(managed.cast());
            }
        }
    }
}

/// # Safety
/// The caller owns the tensor.
unsafe fn delete(managed: *mut DLManagedTensorVersioned) {
    // SAFETY: the caller's promise.
    if let Some(deleter) = unsafe { (*managed).deleter } {
        // SAFETY: as above, once.
        unsafe { deleter(managed) };
    }
}
