//! The allocator behind a host in this process: Rust's own, with the layout kept before the block.

// Blocks are aligned to two words at least.
#![allow(clippy::cast_ptr_alignment)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr;

const MAX_ALIGN: usize = 4096;
/// Tensor memory is readable up to the next multiple of this.
const LINE: usize = 64;

/// `bytes` bytes aligned to `align`, not cleared; null where that is refused (an `align` that is no
/// power of two up to 4096, a size that does not fit, no memory).
pub fn allocate(bytes: usize, align: usize) -> *mut u8 {
    let Some((layout, header)) = layout(bytes, align) else {
        return ptr::null_mut();
    };
    // SAFETY: the layout is not empty, it holds the header.
    let base = unsafe { alloc(layout) };
    if base.is_null() {
        return base;
    }
    // SAFETY: `header` bytes lie before the block, the last 16 of them for the two words.
    unsafe {
        let block = base.add(header);
        block.cast::<usize>().sub(1).write(bytes);
        block.cast::<usize>().sub(2).write(align);
        block
    }
}

/// The same for a tensor: readable up to the next multiple of 64, those bytes zero.
pub fn allocate_tensor(bytes: usize, align: usize) -> *mut u8 {
    let Some(padded) = bytes.max(1).checked_next_multiple_of(LINE) else {
        return ptr::null_mut();
    };
    let block = allocate(padded, align.max(LINE));
    if !block.is_null() {
        // SAFETY: the block has `padded` bytes.
        unsafe { block.add(bytes).write_bytes(0, padded - bytes) };
    }
    block
}

/// Gives a block back; null is ignored.
///
/// # Safety
/// `block` came from [`allocate`] or [`allocate_tensor`] of this library and is not used again.
pub unsafe fn free(block: *mut u8) {
    if block.is_null() {
        return;
    }
    // SAFETY: `allocate` wrote the two words.
    let (bytes, align) = unsafe {
        (
            block.cast::<usize>().sub(1).read(),
            block.cast::<usize>().sub(2).read(),
        )
    };
    if let Some((layout, header)) = layout(bytes, align) {
        // SAFETY: the block began `header` bytes before, and had this layout.
        unsafe { dealloc(block.sub(header), layout) };
    }
}

/// The layout of a block with its header, and the header's bytes.
fn layout(bytes: usize, align: usize) -> Option<(Layout, usize)> {
    if !align.is_power_of_two() || align > MAX_ALIGN {
        return None;
    }
    let align = align.max(size_of::<usize>() * 2);
    let size = bytes.checked_add(align)?;
    Some((Layout::from_size_align(size, align).ok()?, align))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_writable() {
        for align in [1, 2, 8, 16, 64, 256, 4096] {
            for bytes in [0, 1, 63, 64, 1000] {
                for make in [allocate, allocate_tensor] {
                    let block = make(bytes, align);
                    assert!(!block.is_null());
                    assert_eq!(block as usize % align, 0);
                    // SAFETY: fresh, `bytes` long, freed once.
                    unsafe {
                        block.write_bytes(7, bytes);
                        free(block);
                    }
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert!(allocate(8, 0).is_null());
        assert!(allocate(8, 3).is_null());
        assert!(allocate(8, 8192).is_null());
        assert!(allocate(usize::MAX, 1).is_null());
        assert!(allocate(isize::MAX as usize, 64).is_null());
        assert!(allocate_tensor(usize::MAX, 1).is_null());
    }
}
