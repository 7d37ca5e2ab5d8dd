//! ONNX Runtime through its C API: a session of one input and one output, on one thread.

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use ort_sys::{OrtApi, OrtApiBase, OrtMemoryInfo, OrtSession, OrtStatusPtr, OrtValue};
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::ptr::{null, null_mut};

/// A session; lives until the process ends.
pub(crate) struct Session {
    api: &'static OrtApi,
    raw: *mut OrtSession,
    memory: *mut OrtMemoryInfo,
    /// Of one sample, without the first dimension.
    dims: Vec<i64>,
    input: CString,
    output: CString,
}

// SAFETY: only the worker runs it.
unsafe impl Send for Session {}
// SAFETY: as above.
unsafe impl Sync for Session {}

impl Session {
    /// Builds a session of a model.
    pub(crate) fn open(library: &[u8], model: &[u8]) -> Result<Self, String> {
        // SAFETY: the C API's own functions with valid arguments. Nothing that is made here is
        // ever released.
        unsafe {
            let library = Library::open(Some(OsStr::from_bytes(library)), RTLD_NOW | RTLD_LOCAL)
                .map_err(|error| format!("ERR {error}"))?;
            let base = library
                .get::<unsafe extern "C" fn() -> *const OrtApiBase>(b"OrtGetApiBase\0")
                .map_err(|error| format!("ERR {error}"))?;
            let api = ((*base()).GetApi)(17)
                .as_ref()
                .ok_or("ERR no API of ONNX Runtime")?;
            std::mem::forget(library);
            let (mut env, mut options, mut raw, mut memory) =
                (null_mut(), null_mut(), null_mut(), null_mut());
            let warning = ort_sys::OrtLoggingLevel::ORT_LOGGING_LEVEL_WARNING;
            check(
                api,
                (api.CreateEnv)(warning, c"floor".as_ptr(), &raw mut env),
            )?;
            check(api, (api.CreateSessionOptions)(&raw mut options))?;
            check(api, (api.SetIntraOpNumThreads)(options, 1))?;
            let level = ort_sys::GraphOptimizationLevel::ORT_ENABLE_ALL;
            check(api, (api.SetSessionGraphOptimizationLevel)(options, level))?;
            let session = (api.CreateSessionFromArray)(
                env,
                model.as_ptr().cast(),
                model.len(),
                options,
                &raw mut raw,
            );
            check(api, session)?;
            let (kind, of) = (
                ort_sys::OrtAllocatorType::OrtDeviceAllocator,
                ort_sys::OrtMemType::OrtMemTypeDefault,
            );
            check(api, (api.CreateCpuMemoryInfo)(kind, of, &raw mut memory))?;
            let mut allocator = null_mut();
            check(
                api,
                (api.GetAllocatorWithDefaultOptions)(&raw mut allocator),
            )?;
            let (mut input, mut output) = (null_mut(), null_mut());
            check(
                api,
                (api.SessionGetInputName)(raw, 0, allocator, &raw mut input),
            )?;
            check(
                api,
                (api.SessionGetOutputName)(raw, 0, allocator, &raw mut output),
            )?;
            let dims = sample_dims(api, raw)?;
            let (input, output) = (
                CStr::from_ptr(input).to_owned(),
                CStr::from_ptr(output).to_owned(),
            );
            Ok(Self {
                api,
                raw,
                memory,
                dims,
                input,
                output,
            })
        }
    }

    /// Runs `rows` samples; gives `take` the output's bytes.
    pub(crate) fn run(&self, input: &[u8], rows: usize, take: impl FnOnce(&[u8])) {
        let api = self.api;
        let mut dims = [0_i64; 8];
        dims[0] = rows as i64;
        dims[1..=self.dims.len()].copy_from_slice(&self.dims);
        let (input_name, output_name) = (self.input.as_ptr(), self.output.as_ptr());
        let (mut x, mut y): (*mut OrtValue, *mut OrtValue) = (null_mut(), null_mut());
        let (mut data, mut info, mut len) = (null_mut(), null_mut(), 0);
        // SAFETY: the session has one input and one output of FLOAT; the input outlives the run; the
        // output's bytes are read before it is released.
        unsafe {
            let made = (api.CreateTensorWithDataAsOrtValue)(
                self.memory,
                input.as_ptr().cast_mut().cast(),
                input.len(),
                dims.as_ptr(),
                self.dims.len() + 1,
                ort_sys::ONNXTensorElementDataType::ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT,
                &raw mut x,
            );
            check(api, made).unwrap();
            let ran = (api.Run)(
                self.raw,
                null(),
                &raw const input_name,
                (&raw const x).cast(),
                1,
                &raw const output_name,
                1,
                &raw mut y,
            );
            check(api, ran).unwrap();
            check(api, (api.GetTensorTypeAndShape)(y, &raw mut info)).unwrap();
            check(api, (api.GetTensorShapeElementCount)(info, &raw mut len)).unwrap();
            (api.ReleaseTensorTypeAndShapeInfo)(info);
            check(api, (api.GetTensorMutableData)(y, &raw mut data)).unwrap();
            take(std::slice::from_raw_parts(
                data.cast(),
                len * size_of::<f32>(),
            ));
            (api.ReleaseValue)(x);
            (api.ReleaseValue)(y);
        }
    }
}

/// # Safety
/// The session is valid.
unsafe fn sample_dims(api: &OrtApi, session: *mut OrtSession) -> Result<Vec<i64>, String> {
    let (mut info, mut tensor, mut rank) = (null_mut(), null(), 0);
    // SAFETY: the session is valid, its input a tensor.
    unsafe {
        check(
            api,
            (api.SessionGetInputTypeInfo)(session, 0, &raw mut info),
        )?;
        check(api, (api.CastTypeInfoToTensorInfo)(info, &raw mut tensor))?;
        check(api, (api.GetDimensionsCount)(tensor, &raw mut rank))?;
        let mut dims = vec![0; rank];
        check(api, (api.GetDimensions)(tensor, dims.as_mut_ptr(), rank))?;
        Ok(dims.split_off(1))
    }
}

/// # Safety
/// The status came from a call of the table.
unsafe fn check(api: &OrtApi, status: OrtStatusPtr) -> Result<(), String> {
    if status.0.is_null() {
        return Ok(());
    }
    // SAFETY: the text lives as long as the status, which is not released: the process is done for.
    Err(unsafe { CStr::from_ptr((api.GetErrorMessage)(status.0)) }
        .to_string_lossy()
        .into_owned())
}
