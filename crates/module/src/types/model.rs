//! The type `AI__MODEL`.
//!
//! Saving runs in a forked child: it reads the definition and the names, which take no lock, and
//! asks no backend. Loading makes a definition only; its session is built in the background.

use super::io::Io;
use super::{borrow_value, empty_methods, free_effort, from_value};
use crate::guard;
use crate::server::{Ctx, log_line, raw};
use crate::state::state;
use redisai_codec::{decode_model, encode_model, model_args};
use redisai_core::ModelDef;
use redisai_engine::Model;
use std::os::raw::{c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::Ordering;

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
    super::register(ctx, c"AI__MODEL", methods)
}

/// The definition of what a key holds.
///
/// # Safety
/// `value` is one of this type, and lives for `'a`.
unsafe fn borrow<'a>(value: *const c_void) -> Option<&'a ModelDef> {
    // SAFETY: the caller's promise.
    unsafe { borrow_value::<Model>(value) }.and_then(|model| model.def().model())
}

extern "C" fn rdb_load(io: *mut raw::RedisModuleIO, version: c_int) -> *mut c_void {
    guard::run("model rdb_load", null_mut(), || {
        // SAFETY: the server's stream, valid during the callback.
        let mut io = unsafe { Io::new(io) };
        let def = match decode_model(&mut io, version) {
            Ok(def) => def,
            Err(error) => {
                log_line!(Warning, "a saved model was refused: {error}");
                return null_mut();
            }
        };
        super::loaded(&io, def)
    })
}

extern "C" fn rdb_save(io: *mut raw::RedisModuleIO, value: *mut c_void) {
    guard::run("model rdb_save", (), || {
        // SAFETY: the server's stream and a value of this type, valid during the callback.
        let (mut io, model) = unsafe { (Io::new(io), borrow_value::<Model>(value)) };
        if let Some(def) = model.and_then(named) {
            encode_model(&mut io, &def, chunk_size());
        }
    });
}

extern "C" fn aof_rewrite(
    io: *mut raw::RedisModuleIO,
    key: *mut raw::RedisModuleString,
    value: *mut c_void,
) {
    guard::run("model aof_rewrite", (), || {
        // SAFETY: as above.
        let (mut io, model) = unsafe { (Io::new(io), borrow(value)) };
        if let Some(model) = model {
            io.emit(c"AI.MODELSTORE", key, &model_args(model, chunk_size()));
        }
    });
}

/// The definition with the names that the session gave where it had none: RedisAI saves them.
fn named(model: &Model) -> Option<ModelDef> {
    let (inputs, outputs) = model.names();
    Some(ModelDef {
        inputs: inputs.to_vec(),
        outputs: outputs.to_vec(),
        ..model.def().model()?.clone()
    })
}

fn chunk_size() -> u64 {
    state().chunk_size.load(Ordering::Relaxed)
}

extern "C" fn mem_usage(value: *const c_void) -> usize {
    guard::run("model mem_usage", 0, || {
        // SAFETY: a value of this type, valid during the callback.
        unsafe { borrow_value::<Model>(value) }.map_or(0, Model::held)
    })
}

extern "C" fn digest(digest: *mut raw::RedisModuleDigest, value: *mut c_void) {
    guard::run("model digest", (), || {
        // SAFETY: a value of this type, valid during the callback.
        let Some(model) = (unsafe { borrow(value) }) else {
            return;
        };
        for part in model_args(model, u64::MAX) {
            super::io::add_to_digest(digest, &part);
        }
        super::io::end_digest(digest);
    });
}

extern "C" fn free(value: *mut c_void) {
    guard::run("model free", (), || {
        // SAFETY: the key's reference, given back once. The session goes to the engine's reaper.
        let model = NonNull::new(value).map(|value| unsafe { from_value::<Model>(value) });
        if let Some(model) = model {
            // RENAME and MOVE take the value along and never come here.
            model.key_gone();
        }
    });
}

extern "C" fn effort(_key: *mut raw::RedisModuleString, value: *const c_void) -> usize {
    guard::run("model free_effort", 1, || {
        // SAFETY: a value of this type, valid during the callback.
        unsafe { borrow_value::<Model>(value) }.map_or(1, |model| {
            free_effort(model.def().blob().as_ref(), model.held())
        })
    })
}

/// The same definition over the same blob, with counters of its own.
extern "C" fn copy(
    _from: *mut raw::RedisModuleString,
    _to: *mut raw::RedisModuleString,
    value: *const c_void,
) -> *mut c_void {
    guard::run("model copy", null_mut(), || {
        // SAFETY: a value of this type, held by the source key.
        unsafe { borrow_value::<Model>(value) }.map_or(null_mut(), super::copied)
    })
}
