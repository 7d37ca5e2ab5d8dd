//! Where models and scripts are while a whole data set is being loaded.
//!
//! A replica with `repl-diskless-load swapdb` has two data sets at a time: the one that it serves and
//! the one that comes. From 7.0 on what comes is loaded aside and takes the place of the other at the
//! end; a link that is cut leaves the old one as it was. 6.2 puts the old one away first, and back if
//! the load fails. The index of names goes the same way.
//!
//! 6.2 does not say into which database it loads a key: that is found out at the end of the load.

use crate::guard;
use crate::index::Index;
use crate::keyspace;
use crate::server::{Ctx, Held, raw};
use crate::state::state;
use redisai_core::Buffer;
use std::os::raw::c_void;
use std::sync::atomic::{AtomicBool, Ordering};

/// The index that belongs to the data set of the two that is not served.
#[derive(Default)]
pub(crate) enum Aside {
    /// There is one data set.
    #[default]
    Nothing,
    /// What comes (7.0).
    Coming(Index),
    /// What was there before (6.2).
    Backup(Index),
}

/// Whether a whole data set is being loaded: not a key by `RESTORE`.
static LOADING: AtomicBool = AtomicBool::new(false);

/// A model or a script was read from a file, a primary or a payload under this name; `None`: the
/// server does not say in which database.
pub(crate) fn seen(db: Option<i32>, name: &[u8]) {
    if let Aside::Coming(index) = &mut *state().aside() {
        add(index, db, name);
    } else {
        add(&mut state().index(), db, name);
    }
}

fn add(index: &mut Index, db: Option<i32>, name: &[u8]) {
    match db {
        Some(db) => index.seen(db, name),
        None if LOADING.load(Ordering::Relaxed) => index.loaded(name),
        // The event of `RESTORE` tells.
        None => {}
    }
}

/// The events of an asynchronous load (7.0).
pub(crate) extern "C" fn beside(
    _ctx: *mut raw::RedisModuleCtx,
    _event: raw::RedisModuleEvent,
    subevent: u64,
    _data: *mut c_void,
) {
    guard::run("load beside", (), || {
        let mut aside = state().aside();
        match (subevent, std::mem::take(&mut *aside)) {
            (raw::REDISMODULE_SUBEVENT_REPL_ASYNC_LOAD_STARTED, _) => {
                *aside = Aside::Coming(state().index().empty());
            }
            (raw::REDISMODULE_SUBEVENT_REPL_ASYNC_LOAD_COMPLETED, Aside::Coming(index)) => {
                *state().index() = index;
            }
            // Given up: what has come is thrown away.
            _ => {}
        }
    });
}

/// The events of a data set that is put away during a load (6.2).
pub(crate) extern "C" fn backup(
    _ctx: *mut raw::RedisModuleCtx,
    _event: raw::RedisModuleEvent,
    subevent: u64,
    _data: *mut c_void,
) {
    guard::run("load with backup", (), || {
        let mut aside = state().aside();
        match (subevent, std::mem::take(&mut *aside)) {
            (raw::REDISMODULE_SUBEVENT_REPL_BACKUP_CREATE, _) => {
                let mut index = state().index();
                let empty = index.empty();
                *aside = Aside::Backup(std::mem::replace(&mut *index, empty));
            }
            (raw::REDISMODULE_SUBEVENT_REPL_BACKUP_RESTORE, Aside::Backup(index)) => {
                *state().index() = index;
            }
            _ => {}
        }
    });
}

/// The beginning and the end of every load.
pub(crate) extern "C" fn load(
    ctx: *mut raw::RedisModuleCtx,
    _event: raw::RedisModuleEvent,
    subevent: u64,
    _data: *mut c_void,
) {
    guard::run("load event", (), || {
        let ended = subevent == raw::REDISMODULE_SUBEVENT_LOADING_ENDED;
        let failed = subevent == raw::REDISMODULE_SUBEVENT_LOADING_FAILED;
        LOADING.store(!(ended || failed), Ordering::Relaxed);
        if ended {
            // SAFETY: the context is valid during the callback.
            place(unsafe { Ctx::new(ctx) });
        }
    });
}

/// Looks in each database for the names of which that is not known.
fn place(ctx: Ctx<'_>) {
    let names = state().index().take_unplaced();
    let keys: Vec<Held> = names
        .iter()
        .filter_map(|name| Held::copy_of(name))
        .collect();
    if keys.is_empty() {
        return;
    }
    let before = ctx.db();
    // The server refuses the first number that is none of a database.
    for db in (0..i32::MAX).take_while(|&db| ctx.select(db)) {
        for key in &keys {
            if keyspace::peek(ctx, key.raw()).is_some() {
                state().index().seen(db, key.bytes());
            }
        }
    }
    ctx.select(before);
}
