//! Buffers over memory that is not a `Vec`: a framework's, or the host's.

use crate::Host;
use redisai_core::Buffer;
use std::any::Any;
use std::ptr::NonNull;
use std::slice;

/// Bytes that lie in something else and live as long as it does: a framework's tensor, a retained
/// input.
pub struct SharedBytes<O> {
    place: Place,
    /// Dropping it ends the memory, on any thread.
    _owner: O,
}

/// Where shared bytes lie: the part that is the same for every owner.
pub(crate) struct Place {
    data: *const u8,
    len: usize,
    tail: usize,
    foreign: bool,
}

// SAFETY: the bytes are read only, and `SharedBytes::new` asks that they may be read from any thread.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

impl<O: Send + Sync + 'static> SharedBytes<O> {
    /// `len` bytes at `data` in a framework's own memory.
    ///
    /// # Safety
    /// `data` points at `len` initialised bytes (or `len` is 0) that stay where they are, unchanged
    /// and readable from any thread, until `owner` is dropped.
    pub unsafe fn new(data: *const u8, len: usize, owner: O) -> Self {
        Self {
            place: Place {
                data,
                len,
                tail: 0,
                foreign: true,
            },
            _owner: owner,
        }
    }

    /// Says how many bytes behind the end may be read too.
    ///
    /// # Safety
    /// They may.
    #[must_use]
    pub unsafe fn with_tail(mut self, tail: usize) -> Self {
        self.place.tail = tail;
        self
    }

    /// Says that the memory came from the host, which counts it.
    #[must_use]
    pub fn in_host_memory(mut self) -> Self {
        self.place.foreign = false;
        self
    }
}

impl<O: Send + Sync + 'static> Buffer for SharedBytes<O> {
    fn bytes(&self) -> &[u8] {
        // SAFETY: the promise of `new`.
        unsafe { crate::text::slice_of(self.place.data, self.place.len) }
    }

    fn tail(&self) -> usize {
        self.place.tail
    }

    fn is_foreign(&self) -> bool {
        self.place.foreign
    }

    /// Not the whole: its type, that of the owner, says nothing here.
    fn as_any(&self) -> &dyn Any {
        &self.place
    }
}

/// Whether the host counts the memory of a backend's buffer: it came from the host and says so. A
/// `Vec` or `AlignedBytes` of a backend lies in the library's own heap.
pub(crate) fn in_host_memory(buffer: &dyn Buffer) -> bool {
    let any = buffer.as_any();
    !buffer.is_foreign() && (any.is::<Place>() || any.is::<HostBytes>())
}

/// Bytes in the host's memory (`tensor_alloc`): 64-aligned, readable up to the next multiple of 64.
/// A result written here is kept by the server without a copy.
pub struct HostBytes {
    memory: HostMemory,
}

impl HostBytes {
    /// A copy of `bytes`; none where the host refuses the memory.
    pub fn copy_of(host: Host, bytes: &[u8]) -> Option<Self> {
        let memory = HostMemory::new(host, bytes.len())?;
        // SAFETY: the memory is fresh and as long.
        unsafe {
            memory
                .data
                .as_ptr()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        Some(Self { memory })
    }

    /// `len` zero bytes; none where the host refuses the memory.
    pub fn zeroed(host: Host, len: usize) -> Option<Self> {
        let memory = HostMemory::new(host, len)?;
        // SAFETY: the memory is fresh and as long.
        unsafe { memory.data.as_ptr().write_bytes(0, len) };
        Some(Self { memory })
    }

    /// The bytes, to fill them before they are shared.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: initialised (all constructors say so), and we hold it alone.
        unsafe { slice::from_raw_parts_mut(self.memory.data.as_ptr(), self.memory.len) }
    }
}

impl Buffer for HostBytes {
    fn bytes(&self) -> &[u8] {
        // SAFETY: initialised, and nobody writes while it is shared.
        unsafe { slice::from_raw_parts(self.memory.data.as_ptr(), self.memory.len) }
    }

    fn tail(&self) -> usize {
        self.memory.len.max(1).next_multiple_of(64) - self.memory.len
    }

    fn held(&self) -> usize {
        self.memory.len.max(1).next_multiple_of(64)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Memory of the host that nobody has filled yet: for a framework that writes its output itself.
pub struct HostMemory {
    host: Host,
    data: NonNull<u8>,
    len: usize,
}

// SAFETY: the host's memory may be used and freed on any thread.
unsafe impl Send for HostMemory {}
// SAFETY: a shared reference only gives the address.
unsafe impl Sync for HostMemory {}

impl HostMemory {
    /// `len` bytes, 64-aligned, not cleared; none where the host refuses them.
    pub fn new(host: Host, len: usize) -> Option<Self> {
        let data = host.tensor_alloc(len, 64)?;
        Some(Self { host, data, len })
    }

    /// Where they are.
    pub fn as_mut_ptr(&mut self) -> *mut u8 {
        self.data.as_ptr()
    }

    /// The bytes, once they are written.
    ///
    /// # Safety
    /// All `len` bytes have been written, and nobody writes to them any more.
    pub unsafe fn assume_init(self) -> HostBytes {
        HostBytes { memory: self }
    }
}

impl Drop for HostMemory {
    fn drop(&mut self) {
        // SAFETY: from this host's `tensor_alloc`, freed once.
        unsafe { self.host.free(self.data) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{RaiHost, SYSTEM, memory};
    use std::ffi::c_void;
    use std::sync::atomic::{AtomicIsize, Ordering};

    static BLOCKS: AtomicIsize = AtomicIsize::new(0);

    unsafe extern "C" fn allocate(_: *const RaiHost, bytes: usize, align: usize) -> *mut c_void {
        BLOCKS.fetch_add(1, Ordering::SeqCst);
        memory::allocate_tensor(bytes, align).cast()
    }

    unsafe extern "C" fn free(_: *const RaiHost, block: *mut c_void) {
        BLOCKS.fetch_sub(1, Ordering::SeqCst);
        // SAFETY: from `allocate`.
        unsafe { memory::free(block.cast()) };
    }

    static COUNTING: RaiHost = RaiHost {
        tensor_alloc: Some(allocate),
        free: Some(free),
        ..SYSTEM
    };

    #[test]
    fn host_memory_is_given_back_to_its_host() {
        // SAFETY: a whole table that lives for ever.
        let host = unsafe { Host::from_raw(&raw const COUNTING) }.unwrap();
        let mut memory = HostMemory::new(host, 3).unwrap();
        let other = HostBytes::copy_of(host, b"ab").unwrap();
        // SAFETY: three bytes, all written.
        let bytes = unsafe {
            memory.as_mut_ptr().write_bytes(9, 3);
            memory.assume_init()
        };
        assert_eq!(bytes.bytes(), [9; 3]);
        assert_eq!(BLOCKS.load(Ordering::SeqCst), 2);
        drop((bytes, other));
        assert_eq!(BLOCKS.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_host_of_another_version_is_no_host() {
        let other = RaiHost {
            abi_version: 2,
            ..SYSTEM
        };
        let short = RaiHost { size: 16, ..SYSTEM };
        for table in [&raw const other, &raw const short, std::ptr::null()] {
            // SAFETY: a table, or null; it is not kept.
            assert!(unsafe { Host::from_raw(table) }.is_none());
        }
    }

    #[test]
    fn host_bytes_are_aligned_with_a_tail() {
        let host = Host::system();
        for len in [0, 1, 64, 100] {
            let mut bytes = HostBytes::zeroed(host, len).unwrap();
            bytes.bytes_mut().fill(3);
            assert_eq!(bytes.bytes(), vec![3; len]);
            assert_eq!(bytes.bytes().as_ptr() as usize % 64, 0);
            assert_eq!((len + bytes.tail()) % 64, 0);
            assert!(!bytes.is_foreign());
        }
        assert_eq!(HostBytes::copy_of(host, b"ab").unwrap().bytes(), b"ab");
        assert!(HostBytes::zeroed(host, isize::MAX as usize).is_none());
    }
}
