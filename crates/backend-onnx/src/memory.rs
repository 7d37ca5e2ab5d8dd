//! The allocator that ONNX Runtime uses: the host's memory, counted and limited.
//!
//! ONNX Runtime crashes on an allocator that returns null, so a refusal is a C++ exception, which it
//! turns into an error of the session or the run.

use crate::error::{Doing, MEMORY_LIMIT_C, MEMORY_REFUSED_C};
use crate::handles::MemoryInfo;
use crate::sys::{API_VERSION, Throw};
use ort_sys::{OrtAllocator, OrtAllocatorType, OrtApi, OrtMemType, OrtMemoryInfo};
use redisai_backend_abi::{CountedMemory, Host, Refusal};
use redisai_core::BackendError;
use std::ffi::c_void;
use std::ptr::NonNull;

/// `OrtAllocator` as the C header has it, but with functions that may unwind, and with room for what
/// newer headers append. ONNX Runtime looks at a newer slot only if `version` says it is there.
#[repr(C)]
struct Table {
    version: u32,
    alloc: unsafe extern "C-unwind" fn(*mut Allocator, usize) -> *mut c_void,
    free: unsafe extern "C" fn(*mut Allocator, *mut c_void),
    info: unsafe extern "C" fn(*const Allocator) -> *const OrtMemoryInfo,
    reserve: unsafe extern "C-unwind" fn(*mut Allocator, usize) -> *mut c_void,
    later: [usize; 8],
}

/// The allocator. ONNX Runtime keeps its address, so it never moves and is never freed.
#[repr(C)]
pub(crate) struct Allocator {
    // First: a pointer to the whole is a pointer to the table.
    table: Table,
    info: MemoryInfo,
    throw: Throw,
    memory: CountedMemory,
}

impl Allocator {
    /// An allocator for the life of the process.
    pub(crate) fn leak(
        api: &'static OrtApi,
        host: Host,
        throw: Throw,
        limit: usize,
    ) -> Result<&'static Self, BackendError> {
        // SAFETY: the function writes a memory info that the caller owns.
        let info = unsafe {
            MemoryInfo::make(api, Doing::Init, |out| {
                (api.CreateCpuMemoryInfo)(
                    OrtAllocatorType::OrtDeviceAllocator,
                    OrtMemType::OrtMemTypeDefault,
                    out,
                )
            })
        }?;
        Ok(Box::leak(Box::new(Self {
            table: Table {
                version: API_VERSION,
                alloc,
                free,
                info: memory_info,
                reserve: alloc,
                later: [0; 8],
            },
            info,
            throw,
            memory: CountedMemory::new(host, limit),
        })))
    }

    /// What the C API takes.
    pub(crate) fn as_ptr(&'static self) -> *mut OrtAllocator {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// What the memory is called: the processor's.
    pub(crate) fn info(&self) -> *const OrtMemoryInfo {
        self.info.as_ptr()
    }

    /// What is allocated through it.
    pub(crate) fn memory(&'static self) -> &'static CountedMemory {
        &self.memory
    }
}

/// `Alloc` and `Reserve`. Nothing here needs dropping when the exception passes.
unsafe extern "C-unwind" fn alloc(this: *mut Allocator, size: usize) -> *mut c_void {
    // SAFETY: ONNX Runtime passes the address that we registered, which lives for good.
    let this = unsafe { &*this };
    let text = match this.memory.alloc(size) {
        Ok(block) => return block.as_ptr().cast(),
        Err(Refusal::Limit) => MEMORY_LIMIT_C,
        Err(Refusal::Host) => MEMORY_REFUSED_C,
    };
    // SAFETY: the caller is C++ that catches `std::exception`; the text is static.
    unsafe { (this.throw)(text.as_ptr()) }
}

unsafe extern "C" fn free(this: *mut Allocator, block: *mut c_void) {
    if let Some(block) = NonNull::new(block.cast()) {
        // SAFETY: as in `alloc`; ONNX Runtime gives back what it got, once.
        unsafe { (*this).memory.free(block) };
    }
}

unsafe extern "C" fn memory_info(this: *const Allocator) -> *const OrtMemoryInfo {
    // SAFETY: as in `alloc`.
    unsafe { (*this).info() }
}
