//! What the server tells the module: its cron, commands that may pause writes, flushes, swaps, renames,
//! shutdown.

use crate::exit;
use crate::guard;
use crate::keyspace;
use crate::loading;
use crate::park;
use crate::release;
use crate::server::{Arg, Ctx, drain_releases, log_line, raw, rm};
use crate::state::state;
use crate::walk;
use std::ffi::CStr;
use std::os::raw::{c_char, c_int, c_void};

/// Subscribes to all of it. False: the server refused.
pub(crate) fn subscribe(ctx: Ctx<'_>) -> bool {
    let events = [
        (raw::REDISMODULE_EVENT_CRON_LOOP, 1, cron as Callback),
        (raw::REDISMODULE_EVENT_FLUSHDB, 1, flushed as Callback),
        (raw::REDISMODULE_EVENT_SWAPDB, 1, swapped as Callback),
        (raw::REDISMODULE_EVENT_LOADING, 1, loading::load as Callback),
        (
            raw::REDISMODULE_EVENT_SHUTDOWN,
            1,
            shutting_down as Callback,
        ),
    ];
    let subscribed = events
        .into_iter()
        .all(|(id, dataver, callback)| subscribe_to(ctx, id, dataver, callback));
    // Each server has one of the two.
    let either = [
        (
            raw::REDISMODULE_EVENT_REPL_ASYNC_LOAD,
            loading::beside as Callback,
        ),
        (
            raw::REDISMODULE_EVENT_REPL_BACKUP,
            loading::backup as Callback,
        ),
    ];
    let subscribed = subscribed
        && either
            .into_iter()
            .any(|(id, callback)| subscribe_to(ctx, id, 1, callback));
    // Last, since not every server forgets a filter after a load that failed.
    subscribed && listen(ctx) && watch_pauses(ctx)
}

fn subscribe_to(ctx: Ctx<'_>, id: u64, dataver: u64, callback: Callback) -> bool {
    let event = raw::RedisModuleEvent { id, dataver };
    // SAFETY: the context is the load's, the callback lives as long as the process.
    unsafe {
        rm!(RedisModule_SubscribeToServerEvent(
            ctx.raw(),
            event,
            Some(callback)
        )) == OK
    }
}

/// Sees to it that no pause of writes goes unnoticed.
fn watch_pauses(ctx: Ctx<'_>) -> bool {
    if ctx.flags().cluster() {
        // A failover or the move of a slot begins by a message of another node.
        park::always_ask();
        return true;
    }
    // SAFETY: the context is the load's, the callback lives as long as the process.
    let filter = unsafe {
        rm!(RedisModule_RegisterCommandFilter(
            ctx.raw(),
            Some(filtered),
            0
        ))
    };
    !filter.is_null()
}

/// Called for every command of the server: it looks, and changes nothing.
extern "C" fn filtered(filter: *mut raw::RedisModuleCommandFilterCtx) {
    guard::run("command filter", (), || {
        // SAFETY: valid during the callback; null where there is no such argument.
        let name = unsafe { Arg::new(rm!(RedisModule_CommandFilterArgGet(filter, 0))) };
        if let Some(name) = name {
            park::command_seen(name.bytes());
        }
    });
}

/// Subscribes to the events of keys, where that harms nobody.
fn listen(ctx: Ctx<'_>) -> bool {
    if !walk::may_listen(ctx) {
        state().index().set_partial();
        return true;
    }
    // SAFETY: the context is the load's, the callback lives as long as the process.
    unsafe {
        rm!(RedisModule_SubscribeToKeyspaceEvents(
            ctx.raw(),
            raw::REDISMODULE_NOTIFY_GENERIC
                | raw::REDISMODULE_NOTIFY_EXPIRED
                | raw::REDISMODULE_NOTIFY_EVICTED,
            Some(key_event)
        )) == OK
    }
}

const OK: c_int = raw::REDISMODULE_OK as c_int;

type Callback =
    unsafe extern "C" fn(*mut raw::RedisModuleCtx, raw::RedisModuleEvent, u64, *mut c_void);

extern "C" fn cron(
    ctx: *mut raw::RedisModuleCtx,
    _event: raw::RedisModuleEvent,
    _subevent: u64,
    _data: *mut c_void,
) {
    guard::run("cron", (), || {
        drain_releases();
        release::hand_over();
        // SAFETY: the context is valid during the callback.
        park::cron(unsafe { Ctx::new(ctx) });
    });
}

extern "C" fn flushed(
    _ctx: *mut raw::RedisModuleCtx,
    _event: raw::RedisModuleEvent,
    subevent: u64,
    data: *mut c_void,
) {
    guard::run("flush", (), || {
        if subevent != raw::REDISMODULE_SUBEVENT_FLUSHDB_END {
            return;
        }
        // SAFETY: the server gives this structure with this event.
        let info = unsafe { data.cast::<raw::RedisModuleFlushInfo>().as_ref() };
        let Some(info) = info else { return };
        state()
            .index()
            .flushed((info.dbnum >= 0).then_some(info.dbnum));
    });
}

extern "C" fn swapped(
    _ctx: *mut raw::RedisModuleCtx,
    _event: raw::RedisModuleEvent,
    _subevent: u64,
    data: *mut c_void,
) {
    guard::run("swapdb", (), || {
        // SAFETY: the server gives this structure with this event.
        let info = unsafe { data.cast::<raw::RedisModuleSwapDbInfo>().as_ref() };
        let Some(info) = info else { return };
        state().index().swap(info.dbnum_first, info.dbnum_second);
    });
}

extern "C" fn shutting_down(
    _ctx: *mut raw::RedisModuleCtx,
    _event: raw::RedisModuleEvent,
    _subevent: u64,
    _data: *mut c_void,
) {
    guard::run("shutdown", (), || {
        log_line!(Notice, "Clearing resources on shutdown");
        exit::ended(state().engine.shutdown());
    });
}

/// What an event says of the name it is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    /// A key has appeared under it by another way than a store.
    Came,
    /// Its key is no longer there.
    Went,
}

fn change_of(event: &[u8]) -> Option<Change> {
    match event {
        b"rename_to" | b"move_to" | b"copy_to" | b"restore" => Some(Change::Came),
        b"del" | b"expired" | b"evicted" | b"rename_from" | b"move_from" => Some(Change::Went),
        _ => None,
    }
}

/// Keeps the index right: names of keys that are gone would pile up until a scan.
extern "C" fn key_event(
    ctx: *mut raw::RedisModuleCtx,
    _kind: c_int,
    event: *const c_char,
    key: *mut raw::RedisModuleString,
) -> c_int {
    guard::run("keyspace event", OK, || {
        // SAFETY: the server gives a text that ends with a NUL.
        let Some(change) = change_of(unsafe { CStr::from_ptr(event) }.to_bytes()) else {
            return OK;
        };
        // SAFETY: the context and the key are valid during the callback.
        let (ctx, key) = unsafe { (Ctx::new(ctx), Arg::new(key)) };
        let Some(key) = key else { return OK };
        match change {
            Change::Went => state().index().forget(ctx.db(), key.bytes()),
            Change::Came if keyspace::peek(ctx, key.raw()).is_some() => {
                state().index().seen(ctx.db(), key.bytes());
            }
            Change::Came => {}
        }
        OK
    })
}

#[cfg(test)]
mod tests {
    use super::{Change, change_of};

    #[test]
    fn names_come_and_go() {
        for (event, change) in [
            ("rename_to", Some(Change::Came)),
            ("copy_to", Some(Change::Came)),
            ("del", Some(Change::Went)),
            ("expired", Some(Change::Went)),
            ("evicted", Some(Change::Went)),
            ("rename_from", Some(Change::Went)),
            ("move_from", Some(Change::Went)),
            ("expire", None),
            ("set", None),
        ] {
            assert_eq!(change_of(event.as_bytes()), change, "{event}");
        }
    }
}
