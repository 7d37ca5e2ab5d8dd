//! The allocator that ONNX Runtime uses: the host's memory, counted and limited.
//!
//! ONNX Runtime crashes on an allocator that returns null, so a refusal is a C++ exception, which it
//! turns into an error of the session or the run.

use crate::error::{Doing, MEMORY_LIMIT_C, MEMORY_REFUSED_C};
use crate::handles::MemoryInfo;
use crate::sys::{API_VERSION, Throw};
use ort_sys::{OrtAllocator, OrtAllocatorType, OrtApi, OrtMemType, OrtMemoryInfo};
use redisai_backend_abi::Host;
use redisai_core::BackendError;
use std::cell::Cell;
use std::ffi::{CStr, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Alignment of every block.
const ALIGN: usize = 64;
/// In front of every block: where the host's memory begins, and its size.
const HEADER: usize = 2 * size_of::<usize>();
/// What a block takes besides its own bytes. Aligned by ourselves within memory of a small alignment:
/// asking an allocator for a large one is several times slower, and every run asks.
const EXTRA: usize = HEADER + ALIGN;

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
    host: Host,
    throw: Throw,
    /// Most bytes that may be in use; 0: any number.
    limit: usize,
    used: AtomicUsize,
    accesses: AtomicU64,
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
            host,
            throw,
            limit,
            used: AtomicUsize::new(0),
            accesses: AtomicU64::new(0),
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

    /// Bytes in use.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Number of allocations and releases so far.
    pub(crate) fn accesses(&self) -> u64 {
        self.accesses.load(Ordering::Relaxed)
    }

    /// Whether `bytes` more would be within the limit now.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.limit == 0 || self.used().saturating_add(bytes) <= self.limit
    }

    /// Counts memory that ONNX Runtime keeps elsewhere, until the charge is dropped. `None`: beyond
    /// the limit.
    pub(crate) fn charge(&'static self, bytes: usize) -> Option<Charge> {
        self.take(bytes).then_some(Charge {
            allocator: self,
            bytes,
        })
    }

    /// Adds to the bytes in use, unless that would be beyond the limit.
    fn take(&self, bytes: usize) -> bool {
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let within = self.limit == 0 || before.saturating_add(bytes) <= self.limit;
        if !within {
            self.give(bytes);
        }
        within
    }

    fn give(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// A block of `size` bytes, or why there is none.
    fn alloc(&self, size: usize) -> Result<NonNull<u8>, &'static CStr> {
        self.accesses.fetch_add(1, Ordering::Relaxed);
        let whole = size.checked_add(EXTRA).ok_or(MEMORY_REFUSED_C)?;
        if !self.take(whole) {
            return Err(MEMORY_LIMIT_C);
        }
        let Some(base) = self.host.alloc(whole, HEADER) else {
            self.give(whole);
            return Err(MEMORY_REFUSED_C);
        };
        TALLY.set(TALLY.get().wrapping_add(whole));
        // SAFETY: `base` has `size + EXTRA` bytes and is ours alone. The block begins at the first
        // multiple of ALIGN that leaves room for the header: at most EXTRA bytes in. The header's
        // words lie right before it, aligned since ALIGN is a multiple of their size.
        unsafe {
            let header = base.add(HEADER);
            let block = header.add(header.align_offset(ALIGN));
            block.cast::<usize>().sub(1).write(whole);
            block.cast::<NonNull<u8>>().sub(2).write(base);
            Ok(block)
        }
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// `block` came from `alloc` of this allocator and is not used any more.
    unsafe fn free(&self, block: NonNull<u8>) {
        self.accesses.fetch_add(1, Ordering::Relaxed);
        // SAFETY: `alloc` wrote the two words before the block.
        let (base, whole) = unsafe {
            let base = block.cast::<NonNull<u8>>().sub(2).read();
            (base, block.cast::<usize>().sub(1).read())
        };
        self.give(whole);
        TALLY.set(TALLY.get().wrapping_sub(whole));
        // SAFETY: `base` came from this host and is given back once.
        unsafe { self.host.free(base) };
    }
}

thread_local! {
    /// Bytes that this thread took and has not given back; wraps, since blocks move between threads.
    static TALLY: Cell<usize> = const { Cell::new(0) };
}

/// What `work` gives, and the bytes of ours that this thread took for it and still has.
pub(crate) fn tally<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = TALLY.get();
    let done = work();
    let taken = TALLY.get().wrapping_sub(before);
    // Giving back more than was taken wraps below zero.
    (done, if taken > usize::MAX / 2 { 0 } else { taken })
}

/// Bytes that are counted as in use.
pub(crate) struct Charge {
    allocator: &'static Allocator,
    bytes: usize,
}

impl Charge {
    /// How many.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.allocator.give(self.bytes);
    }
}

/// `Alloc` and `Reserve`. Nothing here needs dropping when the exception passes.
unsafe extern "C-unwind" fn alloc(this: *mut Allocator, size: usize) -> *mut c_void {
    // SAFETY: ONNX Runtime passes the address that we registered, which lives for good.
    let this = unsafe { &*this };
    match this.alloc(size) {
        Ok(block) => block.as_ptr().cast(),
        // SAFETY: the caller is C++ that catches `std::exception`; the text is static.
        Err(text) => unsafe { (this.throw)(text.as_ptr()) },
    }
}

unsafe extern "C" fn free(this: *mut Allocator, block: *mut c_void) {
    if let Some(block) = NonNull::new(block.cast()) {
        // SAFETY: as in `alloc`; ONNX Runtime gives back what it got, once.
        unsafe { (*this).free(block) };
    }
}

unsafe extern "C" fn memory_info(this: *const Allocator) -> *const OrtMemoryInfo {
    // SAFETY: as in `alloc`.
    unsafe { (*this).info() }
}
