//! NumPy's arrays by its C interface: looked at and made without the buffer protocol, which takes
//! longer than a small model's run.

use crate::errors;
use crate::input;
use crate::life;
use crate::output::PyTensor;
use numpy::npyffi::{NPY_TYPES, NpyTypes, PY_ARRAY_API, get_type_object, npy_intp};
use numpy::{PyArrayDescr, PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::PyMemoryError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use redisai_core::{Buffer, DType, Tensor, TensorError};
use smallvec::SmallVec;
use std::any::Any;
use std::mem::ManuallyDrop;
use std::os::raw::c_int;
use std::sync::Arc;

/// The elements of an array, which is kept.
pub(crate) struct Elements {
    array: ManuallyDrop<Py<PyUntypedArray>>,
    start: *const u8,
    len: usize,
}

// SAFETY: an array's memory stays where it is as long as somebody keeps the array; here it is only
// read, and the array released with the GIL held.
unsafe impl Send for Elements {}
// SAFETY: as above.
unsafe impl Sync for Elements {}

impl Buffer for Elements {
    fn bytes(&self) -> &[u8] {
        if self.len == 0 {
            return &[];
        }
        // SAFETY: the array is compact and has so many bytes. Whoever writes to it while a model
        // reads it gets what any program gets.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Elements {
    fn drop(&mut self) {
        life::attached(|_| {
            // SAFETY: dropped once. Where Python cannot be entered it is left to the process's end.
            unsafe { ManuallyDrop::drop(&mut self.array) };
        });
    }
}

/// The tensor of an object that is an array of a type of ours: in place where its elements lie
/// row-major without gaps in this machine's byte order, else over a copy that NumPy makes.
pub(crate) fn tensor(object: &Bound<'_, PyAny>) -> PyResult<Option<Arc<Tensor>>> {
    if !is_loaded(object.py()) {
        return Ok(None);
    }
    let Ok(array) = object.cast::<PyUntypedArray>() else {
        return Ok(None);
    };
    let descr = array.dtype();
    // Types that are not NumPy's own may call themselves what they like.
    if descr.num() >= NPY_TYPES::NPY_NTYPES_LEGACY as c_int {
        return Ok(None);
    }
    let Some(dtype) = dtype_of(descr.kind(), descr.itemsize()) else {
        return Ok(None);
    };
    let native = descr.is_native_byteorder() != Some(false);
    let tensor = if native && array.is_c_contiguous() {
        over_elements(array, dtype)
    } else {
        over_elements(&compact(array, &descr)?, dtype)
    };
    tensor.map(Arc::new).map(Some)
}

/// A row-major copy in this machine's byte order.
fn compact<'py>(
    array: &Bound<'py, PyUntypedArray>,
    descr: &Bound<'py, PyArrayDescr>,
) -> PyResult<Bound<'py, PyUntypedArray>> {
    let py = array.py();
    let options = PyDict::new(py);
    options.set_item(intern!(py, "order"), "C")?;
    options.set_item(
        intern!(py, "dtype"),
        descr.call_method1(intern!(py, "newbyteorder"), ("=",))?,
    )?;
    let numpy = py.import(intern!(py, "numpy"))?;
    match numpy.call_method(intern!(py, "asarray"), (array,), Some(&options)) {
        Err(error) if error.is_instance_of::<PyMemoryError>(py) => {
            Err(errors::tensor(TensorError::Memory))
        }
        copy => Ok(copy?.cast_into()?),
    }
}

/// A tensor over the elements of a compact array.
fn over_elements(array: &Bound<'_, PyUntypedArray>, dtype: DType) -> PyResult<Tensor> {
    let dims: SmallVec<[i64; 6]> = array.shape().iter().map(|&dim| dim as i64).collect();
    let shape = input::shape(&dims)?;
    let len = shape
        .bytes(dtype.size())
        .map_err(|error| errors::tensor(error.into()))?;
    let elements = Elements {
        // SAFETY: an array's fields are where NumPy's ABI has them.
        start: unsafe { (*numpy::npyffi::_PyArray_GET_ITEM_DATA(array.as_array_ptr())).data }
            .cast(),
        len,
        array: ManuallyDrop::new(array.clone().unbind()),
    };
    Tensor::new(dtype, shape, Box::new(elements)).map_err(errors::tensor)
}

/// Whether somebody has imported NumPy: before that there is no array, and this must not import it.
fn is_loaded(py: Python<'_>) -> bool {
    static LOADED: PyOnceLock<()> = PyOnceLock::new();
    if LOADED.get(py).is_some() {
        return true;
    }
    let modules = py
        .import(intern!(py, "sys"))
        .and_then(|sys| sys.getattr(intern!(py, "modules")));
    let loaded = modules
        .and_then(|modules| modules.get_item(intern!(py, "numpy")))
        .is_ok_and(|numpy| numpy.hasattr(intern!(py, "ndarray")).unwrap_or(false));
    if loaded {
        let _ = LOADED.set(py, ());
    }
    loaded
}

fn dtype_of(kind: u8, size: usize) -> Option<DType> {
    Some(match (kind, size) {
        (b'b', 1) => DType::Bool,
        (b'i', 1) => DType::Int8,
        (b'i', 2) => DType::Int16,
        (b'i', 4) => DType::Int32,
        (b'i', 8) => DType::Int64,
        (b'u', 1) => DType::UInt8,
        (b'u', 2) => DType::UInt16,
        (b'u', 4) => DType::UInt32,
        (b'u', 8) => DType::UInt64,
        (b'f', 2) => DType::Float16,
        (b'f', 4) => DType::Float,
        (b'f', 8) => DType::Double,
        _ => return None,
    })
}

/// NumPy's type of the same elements; bfloat16, which it lacks, goes as its bits.
fn type_of(dtype: DType) -> Option<NPY_TYPES> {
    Some(match dtype {
        DType::Bool => NPY_TYPES::NPY_BOOL,
        DType::Int8 => NPY_TYPES::NPY_BYTE,
        DType::UInt8 => NPY_TYPES::NPY_UBYTE,
        DType::Int16 => NPY_TYPES::NPY_SHORT,
        DType::UInt16 | DType::BFloat16 => NPY_TYPES::NPY_USHORT,
        DType::Int32 => NPY_TYPES::NPY_INT,
        DType::UInt32 => NPY_TYPES::NPY_UINT,
        DType::Int64 if size_of::<std::os::raw::c_long>() == 8 => NPY_TYPES::NPY_LONG,
        DType::Int64 => NPY_TYPES::NPY_LONGLONG,
        DType::UInt64 if size_of::<std::os::raw::c_long>() == 8 => NPY_TYPES::NPY_ULONG,
        DType::UInt64 => NPY_TYPES::NPY_ULONGLONG,
        DType::Float16 => NPY_TYPES::NPY_HALF,
        DType::Float => NPY_TYPES::NPY_FLOAT,
        DType::Double => NPY_TYPES::NPY_DOUBLE,
        DType::String => return None,
    })
}

/// An array over a tensor's memory, not to be written to, that keeps the tensor. NumPy is there.
pub(crate) fn over(owner: Bound<'_, PyTensor>) -> PyResult<Bound<'_, PyAny>> {
    let py = owner.py();
    let tensor: &Tensor = owner.get().tensor();
    let kind = type_of(tensor.dtype())
        .ok_or_else(|| pyo3::exceptions::PyTypeError::new_err("strings have no memory to share"))?;
    let dims = tensor.shape().dims();
    let mut dims: SmallVec<[npy_intp; 6]> = dims.iter().map(|&dim| dim as npy_intp).collect();
    // SAFETY: NumPy's own type objects; the dimensions are those of that many bytes, which the owner
    // keeps where they are for as long as it lives; without the flag for it nobody writes to them.
    unsafe {
        let descr = PY_ARRAY_API.PyArray_DescrFromType(py, kind as c_int);
        let array = PY_ARRAY_API.PyArray_NewFromDescr(
            py,
            get_type_object(py, NpyTypes::PyArray_Type),
            descr,
            dims.len() as c_int,
            dims.as_mut_ptr(),
            std::ptr::null_mut(),
            tensor.bytes().as_ptr().cast_mut().cast(),
            0,
            std::ptr::null_mut(),
        );
        let array = Bound::from_owned_ptr_or_err(py, array)?;
        // It takes the reference, whatever comes of it.
        let kept = PY_ARRAY_API.PyArray_SetBaseObject(py, array.as_ptr().cast(), owner.into_ptr());
        if kept != 0 {
            return Err(PyErr::fetch(py));
        }
        Ok(array)
    }
}
