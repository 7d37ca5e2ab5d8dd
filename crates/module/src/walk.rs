//! The names of a database's models by a walk over all of its keys: where the index cannot be kept.
//!
//! Valkey before 9.1 selects a notification's database for the client that runs the command and
//! does not select the old one again, once any module listens: after `MOVE` or `COPY … DB` the
//! client would work on the other database. So there nobody listens, and the index lacks what was
//! renamed or moved.

use crate::guard;
use crate::server::{Arg, Ctx, raw, rm};
use crate::state::state;
use std::collections::BTreeSet;
use std::ffi::CStr;
use std::os::raw::c_void;
use std::sync::atomic::Ordering;

type Names = BTreeSet<Box<[u8]>>;

/// Whether a module may listen to the events of keys on this server.
pub(crate) fn may_listen(ctx: Ctx<'_>) -> bool {
    // SAFETY: the context is valid, the texts end with a NUL; the data is given back once, and the
    // text, which lives as long, is not used afterwards.
    unsafe {
        let info = rm!(RedisModule_GetServerInfo(ctx.raw(), c"server".as_ptr()));
        let text = rm!(RedisModule_ServerInfoGetFieldC(
            info,
            c"valkey_version".as_ptr()
        ));
        let listen = text.is_null() || selects_again(CStr::from_ptr(text).to_bytes());
        rm!(RedisModule_FreeServerInfo(ctx.raw(), info));
        listen
    }
}

/// Whether this version of Valkey selects the old database again.
fn selects_again(version: &[u8]) -> bool {
    let mut parts = version
        .split(|&byte| byte == b'.')
        .map(|part| std::str::from_utf8(part).ok()?.parse::<u32>().ok());
    let mut next = || parts.next().flatten().unwrap_or(0);
    (next(), next()) >= (9, 1)
}

/// The names in the selected database, in byte order, each once.
pub(crate) fn model_names(ctx: Ctx<'_>) -> Vec<Box<[u8]>> {
    let mut names = Names::new();
    // SAFETY: the context is valid; the cursor is destroyed once; the callback gets the set and
    // runs only inside of these calls.
    unsafe {
        let cursor = rm!(RedisModule_ScanCursorCreate());
        while rm!(RedisModule_Scan(
            ctx.raw(),
            cursor,
            Some(seen),
            (&raw mut names).cast()
        )) != 0
        {}
        rm!(RedisModule_ScanCursorDestroy(cursor));
    }
    names.into_iter().collect()
}

extern "C" fn seen(
    _ctx: *mut raw::RedisModuleCtx,
    name: *mut raw::RedisModuleString,
    key: *mut raw::RedisModuleKey,
    names: *mut c_void,
) {
    guard::run("scan", (), || {
        // SAFETY: the open key of the callback, or null; another one's type is null.
        let other = !key.is_null()
            && unsafe { rm!(RedisModule_ModuleTypeGetType(key)) }
                != state().model_type.load(Ordering::Relaxed);
        // SAFETY: the set of `model_names`, which waits meanwhile; the name is valid here.
        let (names, name) = unsafe { (names.cast::<Names>().as_mut(), Arg::new(name)) };
        if let (false, Some(names), Some(name)) = (other, names, name) {
            names.insert(name.bytes().into());
        }
    });
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions() {
        for (version, listen) in [
            ("8.0.0", false),
            ("8.1.8", false),
            ("9.0.3", false),
            ("9.1.0", true),
            ("9.1.2-rc1", true),
            ("10.0", true),
            ("", false),
        ] {
            assert_eq!(
                super::selects_again(version.as_bytes()),
                listen,
                "{version}"
            );
        }
    }
}
