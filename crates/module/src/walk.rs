//! The names of a database's models and scripts by a walk over all of its keys: where the index cannot be kept.
//!
//! Valkey before 9.1 selects a notification's database for the client that runs the command and
//! does not select the old one again, once any module listens: after `MOVE` or `COPY … DB` the
//! client would work on the other database. So there nobody listens, and the index lacks what was
//! renamed or moved.

use crate::guard;
use crate::server::{self, Arg, Ctx, raw, rm};
use crate::state::state;
use std::collections::BTreeSet;
use std::os::raw::c_void;
use std::sync::atomic::Ordering;

type Names = BTreeSet<Box<[u8]>>;

/// Whether a module may listen to the events of keys on this server.
pub(crate) fn may_listen(ctx: Ctx<'_>) -> bool {
    server::valkey_version(ctx).is_none_or(|version| version >= (9, 1))
}

/// The names in the selected database, in byte order, each once.
pub(crate) fn names(ctx: Ctx<'_>) -> Vec<Box<[u8]>> {
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
        let of = (!key.is_null()).then(|| unsafe { rm!(RedisModule_ModuleTypeGetType(key)) });
        let ours = [&state().model_type, &state().script_type];
        let other = of.is_some_and(|of| ours.iter().all(|one| one.load(Ordering::Relaxed) != of));
        // SAFETY: the set of `names`, which waits meanwhile; the name is valid here.
        let (names, name) = unsafe { (names.cast::<Names>().as_mut(), Arg::new(name)) };
        if let (false, Some(names), Some(name)) = (other, names, name) {
            names.insert(name.bytes().into());
        }
    });
}
