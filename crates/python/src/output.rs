//! Tensors for Python: results, as objects with the buffer protocol and DLPack, and as NumPy arrays.

use crate::array;
use crate::dlpack;
use crate::errors;
use crate::input;
use crate::lists;
use crate::wire;
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyTuple};
use redisai_core::{DType, Tensor};
use std::ffi::CStr;
use std::os::raw::{c_int, c_long, c_void};
use std::sync::Arc;

/// A tensor that nobody writes to. Its memory lives as long as anything that looks at it.
///
/// Made of a NumPy array, an object with `__dlpack__` or the buffer protocol, a number, a string,
/// `bytes`, or a nested list of them; nothing is copied where its layout allows. It offers DLPack and,
/// but for strings, the buffer protocol. Raises `InputError` for what is no tensor.
///
/// Examples
/// --------
/// >>> tensor = rai.Tensor([[1.5, 2.0], [3.0, 4.0]])
/// >>> tensor.dtype, tensor.shape, tensor.nbytes
/// ('DOUBLE', (2, 2), 32)
/// >>> np.asarray(tensor)
/// array([[1.5, 2. ],
///        [3. , 4. ]])
#[pyclass(frozen, name = "Tensor", module = "redisai_rs")]
pub(crate) struct PyTensor(Arc<Tensor>);

impl PyTensor {
    pub(crate) fn tensor(&self) -> &Arc<Tensor> {
        &self.0
    }
}

#[pymethods]
impl PyTensor {
    /// A tensor of an object; nothing is copied where its layout allows. `dtype`: the element type that
    /// numbers and lists are read as, and that anything else has to be of.
    #[new]
    #[pyo3(signature = (value, *, dtype = None))]
    fn new(value: &Bound<'_, PyAny>, dtype: Option<&str>) -> PyResult<Self> {
        match dtype {
            Some(name) => wire::of_type(value, wire::dtype(name)?),
            None => input::tensor(value, None),
        }
        .map(Self)
    }

    /// A tensor of its bytes, as `AI.TENSORGET` gives them, or of a flat list of its elements.
    ///
    /// Examples
    /// --------
    /// >>> rai.Tensor.of("INT8", [2, 2], bytes([1, 2, 3, 4])).tolist()
    /// [[1, 2], [3, 4]]
    #[staticmethod]
    fn of(dtype: &str, shape: Vec<i64>, data: &Bound<'_, PyAny>) -> PyResult<Self> {
        wire::of_parts(wire::dtype(dtype)?, &shape, data).map(Self)
    }

    /// The elements of a STRING tensor, row-major.
    ///
    /// Examples
    /// --------
    /// >>> rai.Tensor("two words".split()).strings()
    /// [b'two', b'words']
    fn strings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        if self.0.dtype() != DType::String {
            let text = format!("a tensor of {} holds no strings", self.0.dtype().name());
            return Err(errors::input(text));
        }
        elements(py, &self.0)
    }

    /// The element type's name, as in `AI.TENSORSET`: `FLOAT`, …
    #[getter]
    fn dtype(&self) -> &'static str {
        self.0.dtype().name()
    }

    /// The dimensions.
    #[getter]
    fn shape<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.shape().dims())
    }

    /// Bytes of the elements.
    #[getter]
    fn nbytes(&self) -> usize {
        self.0.bytes().len()
    }

    /// The tensor as a NumPy array over the same memory, which is not to be written to. Strings are
    /// an array of `bytes` objects; bfloat16 is `ml_dtypes.bfloat16`, without that package its bits
    /// as uint16. Raises `NotInstalledError` without NumPy.
    ///
    /// Examples
    /// --------
    /// >>> rai.Tensor([[1, 2], [3, 4]]).numpy().sum(axis=0)
    /// array([4, 6])
    fn numpy(slf: Bound<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        to_numpy(&slf)
    }

    /// The elements as nested lists, as NumPy's `tolist` gives them; strings as `bytes`. Of a
    /// tensor without dimensions the element itself. NumPy is not needed.
    ///
    /// Examples
    /// --------
    /// >>> rai.Tensor([[1, 2], [3, 4]]).tolist()
    /// [[1, 2], [3, 4]]
    fn tolist<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        lists::nested(py, &self.0)
    }

    #[pyo3(signature = (*, stream = None, max_version = None, dl_device = None, copy = None))]
    fn __dlpack__<'py>(
        &self,
        py: Python<'py>,
        stream: Option<Bound<'py, PyAny>>,
        max_version: Option<Bound<'py, PyTuple>>,
        dl_device: Option<(i64, i64)>,
        copy: Option<bool>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let _ = stream;
        if self.0.dtype() == DType::String {
            return Err(PyBufferError::new_err("DLPack has no strings"));
        }
        if dl_device.is_some_and(|device| device != (1, 0)) {
            return Err(PyBufferError::new_err("the tensor is in the CPU's memory"));
        }
        if copy == Some(true) {
            let copy = self.0.copied().map(Arc::new);
            let copy = copy.ok_or_else(|| errors::tensor(redisai_core::TensorError::Memory))?;
            return dlpack::export(py, &copy, max_version.as_ref());
        }
        dlpack::export(py, &self.0, max_version.as_ref())
    }

    #[allow(clippy::unused_self, reason = "a method in Python")]
    fn __dlpack_device__(&self) -> (i64, i64) {
        (1, 0)
    }

    /// # Safety
    /// Called by the interpreter.
    unsafe fn __getbuffer__(
        slf: Bound<'_, Self>,
        view: *mut ffi::Py_buffer,
        flags: c_int,
    ) -> PyResult<()> {
        let tensor = Arc::clone(slf.get().tensor());
        let format = format(tensor.dtype())
            .ok_or_else(|| PyBufferError::new_err("strings have no buffer: use numpy()"))?;
        if flags & ffi::PyBUF_WRITABLE != 0 {
            return Err(PyBufferError::new_err(
                "results are not to be written to: copy them",
            ));
        }
        if view.is_null() {
            return Err(PyBufferError::new_err("there is no place for the view"));
        }
        // SAFETY: the interpreter's place for a view.
        unsafe { fill(&mut *view, &tensor, format, flags, slf.into_ptr()) };
        Ok(())
    }

    /// # Safety
    /// Called by the interpreter.
    #[allow(clippy::unused_self, reason = "a method in Python")]
    unsafe fn __releasebuffer__(&self, view: *mut ffi::Py_buffer) {
        // SAFETY: what `fill` put there, once.
        unsafe { drop(Box::from_raw((*view).internal.cast::<Layout>())) };
    }

    fn __repr__(&self) -> String {
        format!("redisai_rs.Tensor({:?})", self.0)
    }
}

/// Dimensions and strides of a view.
struct Layout {
    dims: Vec<ffi::Py_ssize_t>,
    strides: Vec<ffi::Py_ssize_t>,
}

/// Fills a view of a compact tensor. `owner`: a new reference to the object that keeps the memory.
fn fill(
    view: &mut ffi::Py_buffer,
    tensor: &Tensor,
    format: &'static CStr,
    flags: c_int,
    owner: *mut ffi::PyObject,
) {
    let size = tensor.dtype().size() as ffi::Py_ssize_t;
    let dims: Vec<_> = tensor
        .shape()
        .dims()
        .iter()
        .map(|&dim| dim as ffi::Py_ssize_t)
        .collect();
    let mut strides = vec![size; dims.len()];
    for at in (1..dims.len()).rev() {
        let (Some(&behind), Some(&dim)) = (strides.get(at), dims.get(at)) else {
            continue;
        };
        if let Some(stride) = strides.get_mut(at - 1) {
            *stride = behind.saturating_mul(dim.max(1));
        }
    }
    let mut layout = Box::new(Layout { dims, strides });
    let asked = |flag: c_int| flags & flag == flag;
    view.obj = owner;
    view.buf = tensor.bytes().as_ptr().cast_mut().cast::<c_void>();
    view.len = tensor.bytes().len() as ffi::Py_ssize_t;
    view.itemsize = size;
    view.readonly = 1;
    view.ndim = layout.dims.len() as c_int;
    view.format = std::ptr::null_mut();
    view.shape = std::ptr::null_mut();
    view.strides = std::ptr::null_mut();
    view.suboffsets = std::ptr::null_mut();
    if asked(ffi::PyBUF_FORMAT) {
        view.format = format.as_ptr().cast_mut();
    }
    if asked(ffi::PyBUF_ND) {
        view.shape = layout.dims.as_mut_ptr();
    }
    if asked(ffi::PyBUF_STRIDES) {
        view.strides = layout.strides.as_mut_ptr();
    }
    view.internal = Box::into_raw(layout).cast();
}

/// The format of `struct`; bfloat16, which it lacks, goes as its bits.
fn format(dtype: DType) -> Option<&'static CStr> {
    Some(match dtype {
        DType::Bool => c"?",
        DType::Int8 => c"b",
        DType::UInt8 => c"B",
        DType::Int16 => c"h",
        DType::UInt16 | DType::BFloat16 => c"H",
        DType::Int32 => c"i",
        DType::UInt32 => c"I",
        // NumPy shows these as its own integers, and `q` as something else.
        DType::Int64 if size_of::<c_long>() == 8 => c"l",
        DType::UInt64 if size_of::<c_long>() == 8 => c"L",
        DType::Int64 => c"q",
        DType::UInt64 => c"Q",
        DType::Float16 => c"e",
        DType::Float => c"f",
        DType::Double => c"d",
        DType::String => return None,
    })
}

/// A result for a caller: a NumPy array over its memory, or the tensor itself without NumPy; `None`
/// where the model gave no tensor.
pub(crate) fn result(py: Python<'_>, tensor: Option<Arc<Tensor>>) -> PyResult<Bound<'_, PyAny>> {
    let Some(tensor) = tensor else {
        return Ok(py.None().into_bound(py));
    };
    let tensor = Bound::new(py, PyTensor(tensor))?;
    if has_numpy(py) {
        to_numpy(&tensor)
    } else {
        Ok(tensor.into_any())
    }
}

/// Whether NumPy is there; imports it.
fn has_numpy(py: Python<'_>) -> bool {
    static FOUND: PyOnceLock<bool> = PyOnceLock::new();
    *FOUND.get_or_init(py, || py.import("numpy").is_ok())
}

fn to_numpy<'py>(tensor: &Bound<'py, PyTensor>) -> PyResult<Bound<'py, PyAny>> {
    let py = tensor.py();
    if !has_numpy(py) {
        return Err(errors::missing("NumPy", "numpy"));
    }
    match tensor.get().tensor().dtype() {
        DType::String => strings(tensor),
        DType::BFloat16 => {
            let bits = array::over(tensor.clone())?;
            match py.import("ml_dtypes") {
                Ok(module) => bits.call_method1("view", (module.getattr("bfloat16")?,)),
                Err(_) => Ok(bits),
            }
        }
        _ => array::over(tensor.clone()),
    }
}

/// The strings of a tensor.
fn elements<'py>(py: Python<'py>, tensor: &Tensor) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for element in tensor.strings() {
        list.append(PyBytes::new(py, element))?;
    }
    Ok(list)
}

/// An array of `bytes` objects.
fn strings<'py>(tensor: &Bound<'py, PyTensor>) -> PyResult<Bound<'py, PyAny>> {
    let py = tensor.py();
    let inner = tensor.get().tensor();
    let list = elements(py, inner)?;
    let dims = PyTuple::new(py, inner.shape().dims())?;
    let array = py
        .import("numpy")?
        .call_method1("empty", (dims, "object"))?;
    array
        .getattr(intern!(py, "flat"))?
        .set_item(pyo3::types::PySlice::full(py), list)?;
    Ok(array)
}
