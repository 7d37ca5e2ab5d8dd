//! The type `AI_SCRIPT`. What is said of `AI__MODEL` holds here too: in a forked child only the definition
//! is read, and loading makes one and builds its session in the background.

use super::io::Io;
use super::{borrow_value, empty_methods, free_effort, from_value};
use crate::guard;
use crate::server::{Ctx, log_line, raw};
use redisai_codec::{Arg, decode_script, encode_script, script_args};
use redisai_core::ScriptDef;
use redisai_engine::Model;
use std::os::raw::{c_int, c_void};
use std::ptr::{NonNull, null_mut};

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
    super::register(ctx, c"AI_SCRIPT", methods)
}

/// The definition of what a key holds.
///
/// # Safety
/// `value` is one of this type, and lives for `'a`.
unsafe fn borrow<'a>(value: *const c_void) -> Option<&'a ScriptDef> {
    // SAFETY: the caller's promise.
    unsafe { borrow_value::<Model>(value) }.and_then(|script| script.def().script())
}

extern "C" fn rdb_load(io: *mut raw::RedisModuleIO, version: c_int) -> *mut c_void {
    guard::run("script rdb_load", null_mut(), || {
        // SAFETY: the server's stream, valid during the callback.
        let mut io = unsafe { Io::new(io) };
        match decode_script(&mut io, version) {
            Ok(def) => super::loaded(&io, def),
            Err(error) => {
                log_line!(Warning, "a saved script was refused: {error}");
                null_mut()
            }
        }
    })
}

extern "C" fn rdb_save(io: *mut raw::RedisModuleIO, value: *mut c_void) {
    guard::run("script rdb_save", (), || {
        // SAFETY: the server's stream and a value of this type, valid during the callback.
        let (mut io, script) = unsafe { (Io::new(io), borrow(value)) };
        if let Some(script) = script {
            encode_script(&mut io, script);
        }
    });
}

extern "C" fn aof_rewrite(
    io: *mut raw::RedisModuleIO,
    key: *mut raw::RedisModuleString,
    value: *mut c_void,
) {
    guard::run("script aof_rewrite", (), || {
        // SAFETY: as above.
        let (mut io, script) = unsafe { (Io::new(io), borrow(value)) };
        if let Some(script) = script {
            let (command, args) = script_args(script);
            io.emit(command, key, &args);
        }
    });
}

extern "C" fn mem_usage(value: *const c_void) -> usize {
    guard::run("script mem_usage", 0, || {
        // SAFETY: a value of this type, valid during the callback.
        unsafe { borrow_value::<Model>(value) }.map_or(0, Model::held)
    })
}

extern "C" fn digest(digest: *mut raw::RedisModuleDigest, value: *mut c_void) {
    guard::run("script digest", (), || {
        // SAFETY: a value of this type, valid during the callback.
        let Some(script) = (unsafe { borrow(value) }) else {
            return;
        };
        // The number of entry points stands in front of them only where there are any.
        let count = Arg::Number(script.entry_points.len() as u64);
        for part in [count].iter().chain(&script_args(script).1) {
            super::io::add_to_digest(digest, part);
        }
        super::io::end_digest(digest);
    });
}

extern "C" fn free(value: *mut c_void) {
    guard::run("script free", (), || {
        // SAFETY: the key's reference, given back once. The session goes to the engine's reaper.
        let script = NonNull::new(value).map(|value| unsafe { from_value::<Model>(value) });
        if let Some(script) = script {
            script.key_gone();
        }
    });
}

extern "C" fn effort(_key: *mut raw::RedisModuleString, value: *const c_void) -> usize {
    guard::run("script free_effort", 1, || {
        // SAFETY: a value of this type, valid during the callback.
        unsafe { borrow_value::<Model>(value) }.map_or(1, |script| {
            free_effort(script.def().blob().as_ref(), script.held())
        })
    })
}

/// The same definition over the same source, with counters of its own.
extern "C" fn copy(
    _from: *mut raw::RedisModuleString,
    _to: *mut raw::RedisModuleString,
    value: *const c_void,
) -> *mut c_void {
    guard::run("script copy", null_mut(), || {
        // SAFETY: a value of this type, held by the source key.
        unsafe { borrow_value::<Model>(value) }.map_or(null_mut(), super::copied)
    })
}
