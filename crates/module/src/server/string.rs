//! Strings of the server: arguments, strings we hold, strings we make.

use super::{raw, rm};
use redisai_core::Buffer;
use std::any::Any;
use std::cell::Cell;
use std::ptr::{NonNull, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

thread_local! {
    static ROLE: Cell<Role> = const { Cell::new(Role::Other) };
}

/// What a thread may do with strings of the server, whose reference counts are plain integers.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// Releases at once.
    Main,
    /// Inside [`run_as_reaper`]: releases at once too.
    Reaper,
    /// Passes on to the main thread.
    Other,
}

/// Strings dropped on other threads, waiting for the main thread.
static RELEASES: Mutex<Vec<usize>> = Mutex::new(Vec::new());
static WAITING: AtomicBool = AtomicBool::new(false);

/// Marks the calling thread as the server's main thread.
pub(crate) fn set_main_thread() {
    ROLE.set(Role::Main);
}

/// Runs `free`, which drops strings that nobody else can hold (see `release.rs`), on a thread that is
/// not the main one.
pub(crate) fn run_as_reaper(free: impl FnOnce()) {
    ROLE.set(Role::Reaper);
    free();
    ROLE.set(Role::Other);
}

/// Whether this is the server's main thread.
pub(crate) fn is_main_thread() -> bool {
    ROLE.get() == Role::Main
}

/// Releases what other threads have dropped. Main thread only; costs one load when there is nothing.
pub(crate) fn drain_releases() {
    if !WAITING.load(Ordering::Relaxed) || !is_main_thread() {
        return;
    }
    let Ok(mut list) = RELEASES.lock() else {
        return;
    };
    WAITING.store(false, Ordering::Relaxed);
    let strings = std::mem::take(&mut *list);
    drop(list);
    for string in strings {
        // SAFETY: each was one reference of ours, passed on by the thread that dropped it.
        unsafe { rm!(RedisModule_FreeString(null_mut(), string as *mut _)) };
    }
}

fn release(string: NonNull<raw::RedisModuleString>) {
    if ROLE.get() != Role::Other {
        // SAFETY: the reference is ours; this thread may release it (see `Role`).
        unsafe { rm!(RedisModule_FreeString(null_mut(), string.as_ptr())) };
        return;
    }
    // The list is only pushed to and taken from, so a poisoned one is still whole.
    let mut list = RELEASES
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    list.push(string.as_ptr() as usize);
    WAITING.store(true, Ordering::Relaxed);
}

/// An argument of the running command, borrowed from it.
#[derive(Clone, Copy)]
pub(crate) struct Arg<'a> {
    string: NonNull<raw::RedisModuleString>,
    bytes: &'a [u8],
}

impl<'a> Arg<'a> {
    /// # Safety
    /// `string` lives, unchanged, for `'a`.
    pub(crate) unsafe fn new(string: *mut raw::RedisModuleString) -> Option<Self> {
        let string = NonNull::new(string)?;
        // SAFETY: the caller's promise.
        let bytes = unsafe { string_bytes(string) };
        Some(Self { string, bytes })
    }

    /// The bytes, of no alignment.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The server's string.
    pub(crate) fn raw(self) -> *mut raw::RedisModuleString {
        self.string.as_ptr()
    }

    /// Keeps the argument beyond the command, without a copy. Main thread.
    pub(crate) fn hold(self) -> Held {
        // SAFETY: the string is alive; a null context makes the reference ours to release.
        let held = unsafe { rm!(RedisModule_HoldString(null_mut(), self.string.as_ptr())) };
        // The server gives the same string or a copy of it, never null.
        let string = NonNull::new(held).unwrap_or(self.string);
        // SAFETY: the string lives until our reference is released, and nobody changes a string
        // that an argument vector and we share.
        unsafe { Held::adopt(string) }
    }
}

/// # Safety
/// `string` lives, unchanged, for as long as the bytes are used.
unsafe fn string_bytes<'a>(string: NonNull<raw::RedisModuleString>) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: the string is alive.
    let start = unsafe { rm!(RedisModule_StringPtrLen(string.as_ptr(), &raw mut len)) };
    if start.is_null() {
        return &[];
    }
    // SAFETY: the server says so many bytes are there.
    unsafe { std::slice::from_raw_parts(start.cast(), len) }
}

/// A string of the server that we hold a reference of.
pub(crate) struct Held {
    string: NonNull<raw::RedisModuleString>,
    bytes: &'static [u8],
    lent: AtomicBool,
}

// SAFETY: the bytes do not change, and the reference count is touched only where `Role` allows it.
unsafe impl Send for Held {}
// SAFETY: as above; `lent` is atomic.
unsafe impl Sync for Held {}

impl Held {
    /// # Safety
    /// The reference is the caller's and passes to the value; the string is not changed any more.
    pub(crate) unsafe fn adopt(string: NonNull<raw::RedisModuleString>) -> Self {
        // SAFETY: the bytes live as long as the reference; they leave this type only borrowed.
        let bytes = unsafe { string_bytes(string) };
        Self {
            string,
            bytes,
            lent: AtomicBool::new(false),
        }
    }

    /// A new string with a copy of these bytes. Main thread.
    pub(crate) fn copy_of(bytes: &[u8]) -> Option<Self> {
        // SAFETY: the server copies the bytes; with a null context the string is ours.
        let string = unsafe {
            rm!(RedisModule_CreateString(
                null_mut(),
                bytes.as_ptr().cast(),
                bytes.len()
            ))
        };
        // SAFETY: the string is new and ours.
        NonNull::new(string).map(|string| unsafe { Self::adopt(string) })
    }

    /// The server's string, for a call of the server that does not keep it.
    pub(crate) fn raw(&self) -> *mut raw::RedisModuleString {
        self.string.as_ptr()
    }

    /// The server's string for a reply, which may keep a reference until the client has read it.
    pub(crate) fn lend(&self) -> *mut raw::RedisModuleString {
        self.lent.store(true, Ordering::Relaxed);
        self.string.as_ptr()
    }

    /// Whether a reply may hold a reference, so that only the main thread may release ours.
    pub(crate) fn was_lent(&self) -> bool {
        self.lent.load(Ordering::Relaxed)
    }
}

impl Buffer for Held {
    fn bytes(&self) -> &[u8] {
        self.bytes
    }

    fn held(&self) -> usize {
        // The header of the string and of its object: 16 and at most 17 bytes, and the NUL.
        self.bytes.len() + 34
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        release(self.string);
    }
}

/// Memory that the server handed over (`RM_LoadStringBuffer`): freed with the server's allocator,
/// on any thread.
pub(crate) struct OwnedString {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: plain memory that nobody else knows.
unsafe impl Send for OwnedString {}
// SAFETY: it is never written.
unsafe impl Sync for OwnedString {}

impl OwnedString {
    /// # Safety
    /// `start` points to `len` bytes from the server's allocator that become the value's.
    pub(crate) unsafe fn adopt(start: *mut u8, len: usize) -> Option<Self> {
        NonNull::new(start).map(|start| Self { start, len })
    }
}

impl Buffer for OwnedString {
    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes are there until the value is dropped.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for OwnedString {
    fn drop(&mut self) {
        // SAFETY: the memory is the server's allocator's and is freed once.
        unsafe { rm!(RedisModule_Free(self.start.as_ptr().cast())) };
    }
}
