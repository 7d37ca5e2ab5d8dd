//! What a session says of its inputs and outputs.

use crate::error::Doing;
use crate::external::{Classes, Survey};
use crate::handles::{Session, TypeInfo};
use crate::sys::ort;
use crate::tensor::dtype_of;
use ort_sys::{OrtAllocator, OrtApi, OrtTensorTypeAndShapeInfo, OrtTypeInfo};
use redisai_core::{BackendError, DType, Function, Signature, ValueInfo, ValueKind};
use std::ffi::{CStr, CString, c_char};

/// `ONNXType`.
pub(crate) const TYPE_TENSOR: i32 = 1;
/// `ONNXType`.
pub(crate) const TYPE_SEQUENCE: i32 = 2;
const TYPE_MAP: i32 = 3;
const TYPE_OPTIONAL: i32 = 6;

/// Names of inputs or outputs as ONNX Runtime takes them: made once, used by every run.
pub(crate) struct Names {
    // The pointers point into these; a CString's bytes do not move with it.
    _owned: Vec<CString>,
    pointers: Vec<*const c_char>,
}

// SAFETY: the pointers point to bytes that the value owns and nobody changes.
unsafe impl Send for Names {}
// SAFETY: likewise.
unsafe impl Sync for Names {}

impl Names {
    fn new(owned: Vec<CString>) -> Self {
        let pointers = owned.iter().map(|name| name.as_ptr()).collect();
        Self {
            _owned: owned,
            pointers,
        }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.pointers.len()
    }

    /// An array of that many C strings.
    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

/// Reads the signature and the names.
pub(crate) fn read(
    api: &'static OrtApi,
    allocator: *mut OrtAllocator,
    session: &Session,
    survey: &Survey,
) -> Result<(Signature, Names, Names), BackendError> {
    let raw = session.as_ptr();
    let mut counts = (0, 0);
    // SAFETY: the session is valid; each function writes a number.
    unsafe {
        ort!(
            api,
            Doing::Load,
            SessionGetInputCount(raw, &raw mut counts.0)
        )?;
        ort!(
            api,
            Doing::Load,
            SessionGetOutputCount(raw, &raw mut counts.1)
        )?;
    }
    let mut inputs = Vec::new();
    let mut input_names = Vec::new();
    for index in 0..counts.0 {
        // SAFETY: the index is below the count; the functions write what the caller owns.
        let (name, kind) = unsafe {
            (
                take_name(api, allocator, |out| {
                    (api.SessionGetInputName)(raw, index, allocator, out)
                })?,
                TypeInfo::make(api, Doing::Load, |out| {
                    (api.SessionGetInputTypeInfo)(raw, index, out)
                })?,
            )
        };
        inputs.push(value(api, &name, &kind, survey)?);
        input_names.push(name);
    }
    let mut outputs = Vec::new();
    let mut output_names = Vec::new();
    for index in 0..counts.1 {
        // SAFETY: as above.
        let (name, kind) = unsafe {
            (
                take_name(api, allocator, |out| {
                    (api.SessionGetOutputName)(raw, index, allocator, out)
                })?,
                TypeInfo::make(api, Doing::Load, |out| {
                    (api.SessionGetOutputTypeInfo)(raw, index, out)
                })?,
            )
        };
        outputs.push(value(api, &name, &kind, survey)?);
        output_names.push(name);
    }
    let function = Function {
        inputs,
        outputs,
        ..Function::default()
    };
    let signature = Signature {
        functions: vec![function],
        control_flow: survey.control_flow,
    };
    Ok((signature, Names::new(input_names), Names::new(output_names)))
}

/// A name that a function of the C API writes, allocated with `allocator`.
///
/// # Safety
/// On success the function has written a C string from `allocator`.
unsafe fn take_name(
    api: &'static OrtApi,
    allocator: *mut OrtAllocator,
    function: impl FnOnce(*mut *mut c_char) -> ort_sys::OrtStatusPtr,
) -> Result<CString, BackendError> {
    let mut raw = std::ptr::null_mut();
    crate::sys::check(api, function(&raw mut raw), Doing::Load)?;
    // SAFETY: a C string, by the contract; copied, then given back to where it came from.
    unsafe {
        let name = CStr::from_ptr(raw).to_owned();
        ort!(api, Doing::Load, AllocatorFree(allocator, raw.cast()))?;
        Ok(name)
    }
}

fn value(
    api: &'static OrtApi,
    name: &CStr,
    info: &TypeInfo,
    survey: &Survey,
) -> Result<ValueInfo, BackendError> {
    let name = name.to_bytes();
    let mut found = ValueInfo {
        name: name.into(),
        kind: ValueKind::Other,
        ..ValueInfo::default()
    };
    let raw = info.as_ptr().cast_const();
    match type_of(api, raw)? {
        TYPE_TENSOR => tensor(api, raw, survey, &mut found)?,
        TYPE_OPTIONAL => {
            let mut optional = std::ptr::null();
            // SAFETY: the type is an optional one; the first pointer is part of `info`, the second
            // the caller's.
            let inner = unsafe {
                ort!(
                    api,
                    Doing::Load,
                    CastTypeInfoToOptionalTypeInfo(raw, &raw mut optional)
                )?;
                TypeInfo::make(api, Doing::Load, |out| {
                    (api.GetOptionalContainedTypeInfo)(optional, out)
                })?
            };
            if type_of(api, inner.as_ptr())? == TYPE_TENSOR {
                tensor(api, inner.as_ptr(), survey, &mut found)?;
            }
        }
        TYPE_SEQUENCE if is_zip_map(api, raw)? => {
            found.kind = ValueKind::ZipMap;
            found.dtype = Some(DType::Float);
            found.classes = survey
                .classes_of(name)
                .map(Classes::texts)
                .unwrap_or_default();
            let classes = i64::try_from(found.classes.len())
                .ok()
                .filter(|&count| count > 0);
            found.dims = Some(vec![None, classes]);
        }
        _ => {}
    }
    Ok(found)
}

fn type_of(api: &'static OrtApi, info: *const OrtTypeInfo) -> Result<i32, BackendError> {
    let mut kind = 0_i32;
    // SAFETY: the caller's type is valid; the enumeration is written as the integer that it is.
    unsafe {
        ort!(
            api,
            Doing::Load,
            GetOnnxTypeFromTypeInfo(info, (&raw mut kind).cast())
        )?;
    }
    Ok(kind)
}

fn tensor(
    api: &'static OrtApi,
    info: *const OrtTypeInfo,
    survey: &Survey,
    found: &mut ValueInfo,
) -> Result<(), BackendError> {
    let mut shape: *const OrtTensorTypeAndShapeInfo = std::ptr::null();
    // SAFETY: the type is a tensor's; the pointer is part of it and not released.
    unsafe {
        ort!(
            api,
            Doing::Load,
            CastTypeInfoToTensorInfo(info, &raw mut shape)
        )?;
    }
    let (element, dims) = shape_of(api, shape, Doing::Load)?;
    found.kind = ValueKind::Tensor;
    found.dtype = dtype_of(element);
    // ONNX Runtime has no word for an unknown rank, it says rank 0: then the model must say itself
    // that it means a scalar.
    if !dims.is_empty() || survey.shaped.iter().any(|name| **name == *found.name) {
        found.dims = Some(
            dims.into_iter()
                .map(|dim| (dim >= 0).then_some(dim))
                .collect(),
        );
    }
    Ok(())
}

/// Element type and dimensions; a dimension that is not fixed is below 0.
pub(crate) fn shape_of(
    api: &'static OrtApi,
    info: *const OrtTensorTypeAndShapeInfo,
    doing: Doing,
) -> Result<(i32, smallvec::SmallVec<[i64; 4]>), BackendError> {
    let mut element = 0_i32;
    let mut rank = 0;
    // SAFETY: the caller's info is valid; the array has room for `rank` numbers.
    unsafe {
        ort!(
            api,
            doing,
            GetTensorElementType(info, (&raw mut element).cast())
        )?;
        ort!(api, doing, GetDimensionsCount(info, &raw mut rank))?;
        let mut dims = smallvec::SmallVec::from_elem(0, rank);
        ort!(api, doing, GetDimensions(info, dims.as_mut_ptr(), rank))?;
        Ok((element, dims))
    }
}

/// Whether the type is a sequence of maps from a string or an INT64 to a FLOAT.
fn is_zip_map(api: &'static OrtApi, info: *const OrtTypeInfo) -> Result<bool, BackendError> {
    let doing = Doing::Load;
    let mut sequence = std::ptr::null();
    // SAFETY: the type is a sequence's. Pointers from casts are part of their type; the types made
    // with `make` are the caller's.
    unsafe {
        ort!(
            api,
            doing,
            CastTypeInfoToSequenceTypeInfo(info, &raw mut sequence)
        )?;
        let element = TypeInfo::make(api, doing, |out| {
            (api.GetSequenceElementType)(sequence, out)
        })?;
        if type_of(api, element.as_ptr())? != TYPE_MAP {
            return Ok(false);
        }
        let mut map = std::ptr::null();
        ort!(
            api,
            doing,
            CastTypeInfoToMapTypeInfo(element.as_ptr(), &raw mut map)
        )?;
        let mut key = 0_i32;
        ort!(api, doing, GetMapKeyType(map, (&raw mut key).cast()))?;
        let value = TypeInfo::make(api, doing, |out| (api.GetMapValueType)(map, out))?;
        if type_of(api, value.as_ptr())? != TYPE_TENSOR {
            return Ok(false);
        }
        let mut shape = std::ptr::null();
        ort!(
            api,
            doing,
            CastTypeInfoToTensorInfo(value.as_ptr(), &raw mut shape)
        )?;
        let (element, _) = shape_of(api, shape, doing)?;
        Ok(matches!(dtype_of(key), Some(DType::Int64 | DType::String))
            && dtype_of(element) == Some(DType::Float))
    }
}
