//! The type `AI_TENSOR`.

use super::io::Io;
use super::{borrow_value, empty_methods, free_effort, from_value, into_value, share_value};
use crate::guard;
use crate::server::{Ctx, log_line, raw};
use redisai_codec::{decode_tensor, encode_tensor, tensor_args};
use redisai_core::Tensor;
use std::os::raw::{c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

/// Registers the type.
pub(crate) fn register(ctx: Ctx<'_>) -> Option<NonNull<raw::RedisModuleType>> {
    let methods = raw::RedisModuleTypeMethods {
        rdb_load: Some(rdb_load),
        rdb_save: Some(rdb_save),
        aof_rewrite: Some(aof_rewrite),
        mem_usage: Some(mem_usage),
        digest: Some(digest),
        free: Some(free),
        free_effort: Some(effort),
        copy: Some(copy),
        ..empty_methods()
    };
    super::register(ctx, c"AI_TENSOR", methods)
}

extern "C" fn rdb_load(io: *mut raw::RedisModuleIO, version: c_int) -> *mut c_void {
    guard::run("tensor rdb_load", null_mut(), || {
        // SAFETY: the server's stream, valid during the callback.
        let mut io = unsafe { Io::new(io) };
        match decode_tensor(&mut io, version) {
            Ok(tensor) => into_value(Arc::new(tensor)),
            Err(error) => {
                log_line!(Warning, "a saved tensor was refused: {error}");
                null_mut()
            }
        }
    })
}

extern "C" fn rdb_save(io: *mut raw::RedisModuleIO, value: *mut c_void) {
    guard::run("tensor rdb_save", (), || {
        // SAFETY: the server's stream and a value of this type, valid during the callback.
        let (mut io, tensor) = unsafe { (Io::new(io), borrow_value::<Tensor>(value)) };
        if let Some(tensor) = tensor {
            encode_tensor(&mut io, tensor);
        }
    });
}

extern "C" fn aof_rewrite(
    io: *mut raw::RedisModuleIO,
    key: *mut raw::RedisModuleString,
    value: *mut c_void,
) {
    guard::run("tensor aof_rewrite", (), || {
        // SAFETY: as above.
        let (mut io, tensor) = unsafe { (Io::new(io), borrow_value::<Tensor>(value)) };
        if let Some(tensor) = tensor {
            io.emit(c"AI.TENSORSET", key, &tensor_args(tensor));
        }
    });
}

extern "C" fn mem_usage(value: *const c_void) -> usize {
    guard::run("tensor mem_usage", 0, || {
        // SAFETY: a value of this type, valid during the callback.
        unsafe { borrow_value::<Tensor>(value) }.map_or(0, Tensor::held)
    })
}

extern "C" fn digest(digest: *mut raw::RedisModuleDigest, value: *mut c_void) {
    guard::run("tensor digest", (), || {
        // SAFETY: a value of this type, valid during the callback.
        let Some(tensor) = (unsafe { borrow_value::<Tensor>(value) }) else {
            return;
        };
        for part in tensor_args(tensor) {
            super::io::add_to_digest(digest, &part);
        }
        super::io::end_digest(digest);
    });
}

extern "C" fn free(value: *mut c_void) {
    guard::run("tensor free", (), || {
        // SAFETY: the key's reference, given back once.
        drop(NonNull::new(value).map(|value| unsafe { from_value::<Tensor>(value) }));
    });
}

extern "C" fn effort(_key: *mut raw::RedisModuleString, value: *const c_void) -> usize {
    guard::run("tensor free_effort", 1, || {
        // SAFETY: a value of this type, valid during the callback.
        unsafe { borrow_value::<Tensor>(value) }
            .map_or(1, |tensor| free_effort(tensor.buffer(), tensor.held()))
    })
}

/// A tensor is immutable: the copy is one more reference.
extern "C" fn copy(
    _from: *mut raw::RedisModuleString,
    _to: *mut raw::RedisModuleString,
    value: *const c_void,
) -> *mut c_void {
    guard::run("tensor copy", null_mut(), || {
        NonNull::new(value.cast_mut()).map_or(null_mut(), |value| {
            // SAFETY: a value of this type, held by the source key.
            into_value(unsafe { share_value::<Tensor>(value) })
        })
    })
}
