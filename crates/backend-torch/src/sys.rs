//! The shim's C interface: `shim/redisai_torch_shim.h` in Rust, where everything is described. The hash
//! of the header is part of the library's name, so the two cannot differ.

use redisai_backend_abi::RaiBytes;
use std::ffi::{c_char, c_int, c_void};
use std::ptr;

pub(crate) const OK: c_int = 0;
pub(crate) const ERROR: c_int = 1;
pub(crate) const NO_MEMORY: c_int = 2;
pub(crate) const NO_TENSOR: c_int = 3;

pub(crate) const TENSOR: u8 = 1;
pub(crate) const TENSORS: u8 = 2;
pub(crate) const STRINGS: u8 = 3;

/// `rts_bytes` has the layout of the ABI's own.
pub(crate) type Bytes = RaiBytes;

#[repr(C)]
pub(crate) struct Text {
    pub(crate) data: *mut c_char,
    pub(crate) len: usize,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct RawTensor {
    pub(crate) handle: *mut c_void,
    pub(crate) data: *mut c_void,
    pub(crate) dims: *const i64,
    pub(crate) rank: usize,
    pub(crate) bytes: usize,
    pub(crate) code: u8,
    pub(crate) bits: u8,
    pub(crate) shared: u8,
}

impl RawTensor {
    pub(crate) const NONE: Self = Self {
        handle: ptr::null_mut(),
        data: ptr::null_mut(),
        dims: ptr::null(),
        rank: 0,
        bytes: 0,
        code: 0,
        bits: 0,
        shared: 0,
    };
}

#[repr(C)]
pub(crate) struct RawHost {
    pub(crate) allocate: unsafe extern "C" fn(usize) -> *mut c_void,
    pub(crate) release: unsafe extern "C" fn(*mut c_void),
    pub(crate) refusal: unsafe extern "C" fn() -> *const c_char,
    pub(crate) log: unsafe extern "C" fn(c_int, *const c_char, usize),
    pub(crate) call: unsafe extern "C" fn(u64, *const Bytes, usize, *mut Text) -> c_int,
    pub(crate) run_model: unsafe extern "C" fn(
        u64,
        Bytes,
        *const RawTensor,
        usize,
        *mut RawTensor,
        usize,
        *mut Text,
    ) -> c_int,
    pub(crate) drop_model_output: unsafe extern "C" fn(*mut c_void),
}

#[repr(C)]
pub(crate) struct RawValue {
    pub(crate) name: *const c_char,
    pub(crate) kind: u8,
    pub(crate) has_default: u8,
}

#[repr(C)]
pub(crate) struct RawFunction {
    pub(crate) name: *const c_char,
    pub(crate) inputs: *const RawValue,
    pub(crate) n_inputs: usize,
    pub(crate) outputs: *const RawValue,
    pub(crate) n_outputs: usize,
}

#[repr(C)]
pub(crate) struct RawDescription {
    pub(crate) functions: *const RawFunction,
    pub(crate) n_functions: usize,
    pub(crate) operators: *const *const c_char,
    pub(crate) n_operators: usize,
    pub(crate) keeps_state: u8,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct RawArgument {
    pub(crate) kind: u8,
    pub(crate) first: usize,
    pub(crate) count: usize,
}

#[repr(C)]
pub(crate) struct RawRun {
    pub(crate) function: usize,
    pub(crate) stop: *const u8,
    pub(crate) call_context: u64,
    pub(crate) arguments: *const RawArgument,
    pub(crate) n_arguments: usize,
    pub(crate) inputs: *const RawTensor,
    pub(crate) strings: *const Bytes,
}

#[repr(C)]
pub(crate) struct RawSetup {
    pub(crate) host: *const RawHost,
    pub(crate) intra_op_threads: c_int,
    pub(crate) inter_op_threads: c_int,
    pub(crate) forbidden: *const *const c_char,
    pub(crate) n_forbidden: usize,
}

#[repr(C)]
pub(crate) struct Bounds {
    pub(crate) depth: usize,
    pub(crate) nodes: usize,
}

#[repr(C)]
pub(crate) struct RawModel {
    _opaque: [u8; 0],
}

#[repr(C)]
pub(crate) struct Table {
    pub(crate) size: usize,
    pub(crate) torch_major: c_int,
    pub(crate) torch_minor: c_int,
    pub(crate) newest_format: u64,
    pub(crate) setup: unsafe extern "C" fn(*const RawSetup, *mut Text) -> c_int,
    pub(crate) cuda_devices: unsafe extern "C" fn(*mut c_int, *mut Text) -> c_int,
    pub(crate) load: unsafe extern "C" fn(Bytes, c_int, *mut *mut RawModel, *mut Text) -> c_int,
    pub(crate) load_package: unsafe extern "C" fn(
        *const c_char,
        c_int,
        usize,
        usize,
        *mut *mut RawModel,
        *mut Text,
    ) -> c_int,
    pub(crate) compile:
        unsafe extern "C" fn(Bytes, c_int, *const Bounds, *mut *mut RawModel, *mut Text) -> c_int,
    pub(crate) describe: unsafe extern "C" fn(*const RawModel, *mut RawDescription),
    pub(crate) drop_model: unsafe extern "C" fn(*mut RawModel),
    pub(crate) run: unsafe extern "C" fn(
        *mut RawModel,
        *const RawRun,
        *mut RawTensor,
        usize,
        *mut usize,
        *mut Text,
    ) -> c_int,
    pub(crate) drop_tensor: unsafe extern "C" fn(*mut c_void),
}

impl Text {
    pub(crate) const EMPTY: Self = Self {
        data: ptr::null_mut(),
        len: 0,
    };

    /// A text for the shim, which frees it. Empty where there is no memory.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        // SAFETY: a fresh block, filled to its end.
        unsafe {
            let data = libc::malloc(bytes.len().max(1)).cast::<u8>();
            if data.is_null() {
                return Self::EMPTY;
            }
            data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            Self {
                data: data.cast(),
                len: bytes.len(),
            }
        }
    }

    /// Takes the bytes out and frees them.
    ///
    /// # Safety
    /// The shim filled the text, or it is empty.
    pub(crate) unsafe fn take(&mut self) -> Vec<u8> {
        let text = std::mem::replace(self, Self::EMPTY);
        // SAFETY: the caller's promise: `len` bytes of the C library's heap, or null.
        unsafe {
            let bytes = redisai_backend_abi::slice_of(text.data.cast::<u8>(), text.len).to_vec();
            libc::free(text.data.cast());
            bytes
        }
    }
}
