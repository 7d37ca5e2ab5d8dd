//! The allocator of torch's tensors: the host's memory, counted and limited.
//!
//! Torch's allocator is one for the process, and so is this.

use crate::error::{MEMORY_LIMIT, MEMORY_REFUSED};
use redisai_backend_abi::{CountedMemory, Refusal};
use std::cell::Cell;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::{self, NonNull};
use std::sync::OnceLock;

static MEMORY: OnceLock<CountedMemory> = OnceLock::new();

thread_local! {
    /// Why this thread got none last.
    static REFUSAL: Cell<&'static CStr> = const { Cell::new(MEMORY_REFUSED) };
}

/// The process's memory; the first call decides what it is.
pub(crate) fn set(memory: CountedMemory) -> &'static CountedMemory {
    MEMORY.get_or_init(|| memory)
}

pub(crate) unsafe extern "C" fn allocate(bytes: usize) -> *mut c_void {
    let Some(memory) = MEMORY.get() else {
        return ptr::null_mut();
    };
    match memory.alloc(bytes) {
        Ok(block) => block.as_ptr().cast(),
        Err(refusal) => {
            REFUSAL.set(match refusal {
                Refusal::Limit => MEMORY_LIMIT,
                Refusal::Host => MEMORY_REFUSED,
            });
            ptr::null_mut()
        }
    }
}

pub(crate) unsafe extern "C" fn release(block: *mut c_void) {
    if let (Some(memory), Some(block)) = (MEMORY.get(), NonNull::new(block.cast::<u8>())) {
        // SAFETY: torch gives back what it got from `allocate`, once.
        unsafe { memory.free(block) };
    }
}

pub(crate) unsafe extern "C" fn refusal() -> *const c_char {
    REFUSAL.get().as_ptr()
}
