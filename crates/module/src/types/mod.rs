//! The native types. A key's value is `Arc::into_raw` of the tensor, model or script itself: the pointer is
//! the handle that other modules know, its count the reference count.

mod io;
mod model;
mod script;
mod tensor;

use crate::loading;
use crate::server::{Ctx, Held, flags_of_server, log_line, raw, rm};
use crate::state::state;
use redisai_core::{Buffer, Definition};
use redisai_engine::Model;
use std::ffi::CStr;
use std::os::raw::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

pub(crate) use model::register as register_model;
pub(crate) use script::register as register_script;
pub(crate) use tensor::register as register_tensor;

/// The encoding version that is written.
pub(crate) const ENCODING_VERSION: i32 = 4;

/// The value that a key is to hold; the key owns the reference.
pub(crate) fn into_value<T>(value: Arc<T>) -> *mut c_void {
    Arc::into_raw(value).cast_mut().cast()
}

/// Takes back the reference that a key owned.
///
/// # Safety
/// `value` came from [`into_value`] of the same `T`, and the key does not use it any more.
pub(crate) unsafe fn from_value<T>(value: NonNull<c_void>) -> Arc<T> {
    // SAFETY: the caller's promise.
    unsafe { Arc::from_raw(value.as_ptr().cast::<T>()) }
}

/// One more reference to what a key holds.
///
/// # Safety
/// `value` came from [`into_value`] of the same `T`, and the key holds it.
pub(crate) unsafe fn share_value<T>(value: NonNull<c_void>) -> Arc<T> {
    let value = value.as_ptr().cast::<T>();
    // SAFETY: the key's reference keeps the count above 0.
    unsafe { Arc::increment_strong_count(value) };
    // SAFETY: the reference made above is the new value's.
    unsafe { Arc::from_raw(value) }
}

/// What a key holds, borrowed in a callback of its type.
///
/// # Safety
/// `value` came from [`into_value`] of the same `T`, and lives for `'a`.
unsafe fn borrow_value<'a, T>(value: *const c_void) -> Option<&'a T> {
    // SAFETY: the caller's promise.
    unsafe { value.cast::<T>().as_ref() }
}

/// The value of a key that a file holds: its session is built in the background.
fn loaded(io: &io::Io, def: impl Into<Definition>) -> *mut c_void {
    let model = state().engine.model(def);
    if let Some(name) = io.key_name() {
        loading::seen(io.db(), name);
    }
    state().engine.build_background(&model);
    into_value(model)
}

/// A copy's value: the same definition over the same bytes, with counters of its own.
fn copied(model: &Model) -> *mut c_void {
    let copy = state().engine.model(model.def().clone());
    state().engine.build_background(&copy);
    into_value(copy)
}

/// How hard it is to free a value of so many bytes over this buffer, in the server's unit: above 64 a
/// value is freed lazily, which is from 1 MiB on.
///
/// A string of the server is released on the main thread, whoever drops the value: freeing it lazily
/// would only put that off, and an eviction that sees no memory come back empties the database. So
/// nothing is freed lazily while there is a limit of memory: a server does not say who asks, and
/// Valkey evicts lazily by default.
fn free_effort(buffer: &dyn Buffer, bytes: usize) -> usize {
    if buffer.as_any().is::<Held>() || flags_of_server().maxmemory() {
        1
    } else {
        effort_of(bytes)
    }
}

fn effort_of(bytes: usize) -> usize {
    bytes / (16 * 1024) + 1
}

/// Registers a type. `None`: the server refused it.
fn register(
    ctx: Ctx<'_>,
    name: &CStr,
    mut methods: raw::RedisModuleTypeMethods,
) -> Option<NonNull<raw::RedisModuleType>> {
    // SAFETY: the context is the load's; the server copies the table; the name has 9 characters.
    let registered = unsafe {
        rm!(RedisModule_CreateDataType(
            ctx.raw(),
            name.as_ptr(),
            ENCODING_VERSION,
            &raw mut methods
        ))
    };
    if registered.is_null() {
        log_line!(Warning, "the server refused the type {name:?}");
    }
    NonNull::new(registered)
}

/// A table with nothing in it but its version; 6.2 reads the first entries only.
fn empty_methods() -> raw::RedisModuleTypeMethods {
    raw::RedisModuleTypeMethods {
        version: 5,
        rdb_load: None,
        rdb_save: None,
        aof_rewrite: None,
        mem_usage: None,
        digest: None,
        free: None,
        aux_load: None,
        aux_save: None,
        aux_save_triggers: 0,
        free_effort: None,
        unlink: None,
        copy: None,
        defrag: None,
        mem_usage2: None,
        free_effort2: None,
        unlink2: None,
        copy2: None,
        aux_save2: None,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn freeing_is_lazy_from_a_mebibyte() {
        assert!(super::effort_of((1 << 20) - 1) <= 64);
        assert!(super::effort_of(1 << 20) > 64);
    }
}
