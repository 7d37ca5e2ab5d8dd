//! The structs of DLPack 1.x, under DLPack's own names.
//!
//! Written out here, not taken from a crate: they are 60 lines, and the header of this ABI is
//! generated from them.

use crate::RAI_DTYPE_STRING;
use redisai_core::DType;
use std::ffi::c_void;

/// The DLPack version whose layout these structs have.
pub const DLPACK_MAJOR_VERSION: u32 = 1;
/// Its minor version.
pub const DLPACK_MINOR_VERSION: u32 = 0;

/// `DLManagedTensorVersioned.flags`: the tensor must not be written to.
pub const DLPACK_FLAG_BITMASK_READ_ONLY: u64 = 1;
/// `DLManagedTensorVersioned.flags`: the memory is a copy made for this tensor.
pub const DLPACK_FLAG_BITMASK_IS_COPIED: u64 = 2;

/// Version of the DLPack layout.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLPackVersion {
    /// Another major version is another layout.
    pub major: u32,
    /// A newer minor version adds only.
    pub minor: u32,
}

/// Kinds of devices.
#[repr(i32)]
#[allow(non_camel_case_types, missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DLDeviceType {
    kDLCPU = 1,
    kDLCUDA = 2,
    kDLCUDAHost = 3,
    kDLOpenCL = 4,
    kDLVulkan = 7,
    kDLMetal = 8,
    kDLVPI = 9,
    kDLROCM = 10,
    kDLROCMHost = 11,
    kDLExtDev = 12,
    kDLCUDAManaged = 13,
    kDLOneAPI = 14,
    kDLWebGPU = 15,
    kDLHexagon = 16,
    kDLMAIA = 17,
}

/// Classes of element types.
#[repr(u8)]
#[allow(non_camel_case_types, missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DLDataTypeCode {
    kDLInt = 0,
    kDLUInt = 1,
    kDLFloat = 2,
    kDLOpaqueHandle = 3,
    kDLBfloat = 4,
    kDLComplex = 5,
    kDLBool = 6,
}

/// A device: its kind (a `DLDeviceType`) and number.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDevice {
    /// A `DLDeviceType`.
    pub device_type: i32,
    /// Its number, from 0.
    pub device_id: i32,
}

impl DLDevice {
    /// Host memory.
    pub const fn cpu() -> Self {
        Self {
            device_type: DLDeviceType::kDLCPU as i32,
            device_id: 0,
        }
    }
}

/// An element type.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DLDataType {
    /// A `DLDataTypeCode`, or another number that both sides know.
    pub code: u8,
    /// Bits of one lane.
    pub bits: u8,
    /// Always 1 here.
    pub lanes: u16,
}

impl DLDataType {
    /// "Not known", in signatures.
    pub const fn unknown() -> Self {
        Self {
            code: 0,
            bits: 0,
            lanes: 0,
        }
    }

    /// The DLPack form of a dtype.
    pub fn from_dtype(dtype: DType) -> Self {
        // The codes of saved files are DLPack's, but for STRING.
        let (code, bits) = dtype.code();
        Self {
            code: if dtype == DType::String {
                RAI_DTYPE_STRING
            } else {
                code
            },
            bits,
            lanes: 1,
        }
    }

    /// The dtype, if it is one of ours.
    pub fn to_dtype(self) -> Option<DType> {
        if self.lanes != 1 {
            return None;
        }
        match (self.code, self.bits) {
            (RAI_DTYPE_STRING, 8) => Some(DType::String),
            (code, bits) => {
                DType::from_code(code.into(), bits.into()).filter(|&dtype| dtype != DType::String)
            }
        }
    }
}

/// A tensor that somebody else owns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DLTensor {
    /// Start of the memory. May be null where there are no bytes.
    pub data: *mut c_void,
    /// Where the memory is.
    pub device: DLDevice,
    /// Number of dimensions, at most 1024.
    pub ndim: i32,
    /// Element type.
    pub dtype: DLDataType,
    /// `ndim` dimensions.
    pub shape: *mut i64,
    /// `ndim` strides in elements; null: compact, row-major.
    pub strides: *mut i64,
    /// Bytes from `data` to the first element.
    pub byte_offset: u64,
}

/// A tensor that owns its memory: whoever holds it calls `deleter` once.
#[repr(C)]
#[derive(Debug)]
pub struct DLManagedTensorVersioned {
    /// Layout version; the major one must be `DLPACK_MAJOR_VERSION`.
    pub version: DLPackVersion,
    /// The owner's own.
    pub manager_ctx: *mut c_void,
    /// Frees the tensor and this struct. May be null: nothing to free.
    pub deleter: Option<unsafe extern "C" fn(tensor: *mut Self)>,
    /// `DLPACK_FLAG_BITMASK_…`.
    pub flags: u64,
    /// The tensor.
    pub dl_tensor: DLTensor,
}

/// DLPack's older form, for code that includes this header in place of `dlpack.h`; the ABI does not
/// use it.
#[repr(C)]
#[derive(Debug)]
pub struct DLManagedTensor {
    /// The tensor.
    pub dl_tensor: DLTensor,
    /// The owner's own.
    pub manager_ctx: *mut c_void,
    /// Frees the tensor and this struct.
    pub deleter: Option<unsafe extern "C" fn(tensor: *mut Self)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dtypes_round_trip_and_saved_string_code_is_not_ours() {
        for dtype in DType::all() {
            assert_eq!(DLDataType::from_dtype(dtype).to_dtype(), Some(dtype));
        }
        let of = |code, bits, lanes| DLDataType { code, bits, lanes }.to_dtype();
        assert_eq!(of(2, 32, 1), Some(DType::Float));
        assert_eq!(of(6, 8, 1), Some(DType::Bool));
        assert_eq!(of(200, 8, 1), Some(DType::String));
        // 7 is a float8 in DLPack, and STRING in saved files.
        assert_eq!(of(7, 8, 1), None);
        assert_eq!(of(2, 32, 4), None);
        assert_eq!(DLDataType::unknown().to_dtype(), None);
    }
}
