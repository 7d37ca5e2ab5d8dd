//! The process's allocator, seen from Rust: the server's, so that its memory figures count ours.
//!
//! The server's malloc promises 16 bytes of alignment at most, and jemalloc only 8 for tiny sizes.
//! So sizes are rounded up to the alignment, and above 16 bytes a block is padded and its base
//! pointer kept in the word before what is handed out.

#![allow(
    clippy::cast_ptr_alignment,
    reason = "padded blocks are aligned to more than a word"
)]

use super::raw;
use redisai_backend_loader::can_have;
use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;

/// What the server's allocator gives for sizes that are a multiple of 16.
const NATURAL: usize = 16;
const WORD: usize = size_of::<usize>();
/// From here on an allocation may be refused for want of memory.
const BIG: usize = 64 << 20;

/// Whether the kernel would give so much. The server's jemalloc does not hear of a refusal: it maps
/// without a reserve, so that the process is killed when it writes.
fn affordable(size: usize) -> bool {
    size < BIG || can_have(size)
}

/// The word before a padded block, and what it holds: a block that is padded is aligned to a word.
type Base = *mut u8;

/// The server's allocator.
pub(crate) struct ServerAlloc;

#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: ServerAlloc = ServerAlloc;

// SAFETY: blocks come from the server's malloc, which is thread-safe and keeps what GlobalAlloc
// asks once size and alignment are adjusted as below. Nothing is allocated before the server has
// filled in its table: `OnLoad` calls `RedisModule_Init` first.
unsafe impl GlobalAlloc for ServerAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= NATURAL {
            return server_alloc(rounded(layout));
        }
        padded(layout, server_alloc)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= NATURAL {
            return server_calloc(rounded(layout));
        }
        padded(layout, server_calloc)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `alloc` with this layout, so the base is where it says.
        let base = unsafe { base_of(block, layout) };
        // SAFETY: `base` came from the server's allocator and is freed once.
        unsafe { server_free(base) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= NATURAL {
            let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
                return null_mut();
            };
            // SAFETY: `block` came from the server's allocator unpadded.
            return unsafe { server_realloc(block, rounded(wanted)) };
        }
        let Ok(wanted) = Layout::from_size_align(size, layout.align()) else {
            return null_mut();
        };
        // SAFETY: the layout is valid and its size not 0, as GlobalAlloc asks of the caller.
        let moved = unsafe { self.alloc(wanted) };
        if !moved.is_null() {
            // SAFETY: both blocks hold at least the smaller size and do not overlap.
            unsafe { block.copy_to_nonoverlapping(moved, layout.size().min(size)) };
            // SAFETY: `block` came from `alloc` with `layout`.
            unsafe { self.dealloc(block, layout) };
        }
        moved
    }
}

/// jemalloc aligns a block to 16 only when its size is a multiple of 16.
fn rounded(layout: Layout) -> usize {
    layout.size().next_multiple_of(layout.align())
}

fn padded(layout: Layout, allocate: fn(usize) -> *mut u8) -> *mut u8 {
    let Some(size) = layout.size().checked_add(layout.align() + WORD) else {
        return null_mut();
    };
    let base = allocate(size);
    if base.is_null() {
        return base;
    }
    let start = base as usize + WORD;
    let block = base.wrapping_add(start.next_multiple_of(layout.align()) - base as usize);
    // SAFETY: the word before `block` lies in the allocation, behind `base`; it may be unaligned
    // only if the alignment were below a word, and it is above 16.
    unsafe { block.cast::<Base>().sub(1).write(base) };
    block
}

/// # Safety
/// `block` came from [`ServerAlloc`] with this layout.
unsafe fn base_of(block: *mut u8, layout: Layout) -> *mut u8 {
    if layout.align() <= NATURAL {
        return block;
    }
    // SAFETY: `padded` put the base into the word before the block.
    unsafe { block.cast::<Base>().sub(1).read() }
}

/// Refuses (null) rather than aborts: the server does where it has `TryAlloc`; the kernel is asked for
/// what is big, before 7.0 for all that it can be asked.
fn server_alloc(size: usize) -> *mut u8 {
    // SAFETY: the table is filled in; allocating has no precondition.
    unsafe {
        match (raw::RedisModule_TryAlloc, raw::RedisModule_Alloc) {
            (Some(allocate), _) if affordable(size) => allocate(size).cast(),
            (None, Some(allocate)) if can_have(size) => allocate(size).cast(),
            _ => null_mut(),
        }
    }
}

fn server_calloc(size: usize) -> *mut u8 {
    // SAFETY: as above.
    unsafe {
        // 7.0 has no `TryCalloc`, nor has 6.2, and its `Calloc` ends the server where memory has run out.
        // What is big enough to run out is zeroed by hand there.
        let try_calloc = raw::RedisModule_TryCalloc;
        if try_calloc.is_none() && size >= BIG {
            let block = server_alloc(size);
            if !block.is_null() {
                block.write_bytes(0, size);
            }
            return block;
        }
        match (raw::RedisModule_TryCalloc, raw::RedisModule_Calloc) {
            (Some(allocate), _) | (None, Some(allocate)) if affordable(size) => {
                allocate(1, size).cast()
            }
            _ => null_mut(),
        }
    }
}

/// # Safety
/// `block` came from the server's allocator.
unsafe fn server_realloc(block: *mut u8, size: usize) -> *mut u8 {
    // SAFETY: the caller's promise.
    unsafe {
        match (raw::RedisModule_TryRealloc, raw::RedisModule_Realloc) {
            (Some(reallocate), _) if affordable(size) => reallocate(block.cast(), size).cast(),
            (None, Some(reallocate)) if can_have(size) => reallocate(block.cast(), size).cast(),
            _ => null_mut(),
        }
    }
}

/// # Safety
/// `block` came from the server's allocator and is not used again.
unsafe fn server_free(block: *mut u8) {
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(free) = raw::RedisModule_Free {
            free(block.cast());
        }
    }
}
