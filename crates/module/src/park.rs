//! Effects that have to wait: nothing may be stored while the server may not write.
//!
//! During `CLIENT PAUSE WRITE`, a failover or a shutdown that waits for a replica, a write from a
//! blocked client's callback aborts the server. So a finished job is delivered (its client
//! unblocked) only while writes flow; otherwise it is kept here and delivered when they flow again.
//!
//! Only the main thread may ask the server: the question may end an expired pause. So it keeps an
//! atomic: whether a pause is possible, which it is from the moment in which the command filter sees a
//! command that can begin one, until the main thread has asked and the answer was no. While a pause
//! is possible, a worker keeps its job here and makes the main thread ask. In a cluster a pause may
//! begin without a command, so there it is always possible.

use crate::guard;
use crate::server::{Blocked, Ctx, features, is_main_thread, rm, with_lock};
use std::os::raw::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A client to unblock and its private data.
struct Parked {
    client: Blocked,
    data: *mut c_void,
}

// SAFETY: the data is a box that passes to whoever unblocks.
unsafe impl Send for Parked {}

/// Writes may be paused: ask before a delivery. Written by the main thread, or under its lock.
static POSSIBLE: AtomicBool = AtomicBool::new(false);
/// A pause may begin without a command.
static ALWAYS: AtomicBool = AtomicBool::new(false);
/// While something is in it, a look at it is due: one that was posted, or the next cron's.
static LIST: Mutex<Vec<Parked>> = Mutex::new(Vec::new());

fn list() -> MutexGuard<'static, Vec<Parked>> {
    // Only pushed to and taken from: whole in every state.
    LIST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the server may not write now. Main thread, or with the server's lock.
pub(crate) fn writes_paused() -> bool {
    // SAFETY: no argument; the lock is held.
    unsafe { rm!(RedisModule_AvoidReplicaTraffic()) != 0 }
}

/// From now on every delivery asks. Main thread.
pub(crate) fn always_ask() {
    ALWAYS.store(true, Ordering::Relaxed);
    POSSIBLE.store(true, Ordering::Release);
}

/// A command is about to run. Main thread, for every command of the server.
#[inline]
pub(crate) fn command_seen(name: &[u8]) {
    if may_change_pause(name) {
        POSSIBLE.store(true, Ordering::Release);
        // It may also end one.
        if !list().is_empty() {
            ask_soon();
        }
    }
}

/// Whether this command may begin or end a pause; `EXEC` may run one that does.
fn may_change_pause(name: &[u8]) -> bool {
    let is = |command: &[u8]| name.eq_ignore_ascii_case(command);
    match name.len() {
        4 => is(b"EXEC"),
        6 => is(b"CLIENT"),
        8 => is(b"FAILOVER") || is(b"SHUTDOWN"),
        _ => false,
    }
}

/// Unblocks the client with `data`, at once or when the server may write again. Any thread.
pub(crate) fn deliver(client: Blocked, data: *mut c_void) {
    if !POSSIBLE.load(Ordering::Acquire) {
        client.unblock(data);
        return;
    }
    let first = {
        let mut list = list();
        list.push(Parked { client, data });
        list.len() == 1
    };
    if is_main_thread() {
        refresh();
    } else if first {
        ask_soon();
    }
}

/// Makes the main thread look, soon. Any thread that does not hold the server's lock; on the main
/// thread of 6.2 the next cron looks.
fn ask_soon() {
    if features().one_shot {
        // SAFETY: any thread may call it, the callback needs no data.
        unsafe { rm!(RedisModule_EventLoopAddOneShot(Some(asked), null_mut())) };
    } else if !is_main_thread() {
        with_lock(|_| refresh());
    }
}

extern "C" fn asked(_data: *mut c_void) {
    guard::run("one-shot", (), || {
        refresh();
    });
}

/// Looks whether writes flow, says so, and delivers what waits if they do. Main thread, or with its
/// lock.
fn refresh() -> bool {
    let paused = writes_paused();
    let possible = paused || ALWAYS.load(Ordering::Relaxed);
    POSSIBLE.store(possible, Ordering::Release);
    if paused {
        return false;
    }
    let ready = std::mem::take(&mut *list());
    for parked in ready {
        parked.client.unblock(parked.data);
    }
    true
}

/// What is to be done on the main thread when writes flow again.
type Later = Box<dyn FnOnce(Ctx<'_>) + Send>;

static LATER: Mutex<Vec<Later>> = Mutex::new(Vec::new());

/// Runs `later` on the main thread, with a context of no client, when the server may write.
pub(crate) fn when_writable(later: Later) {
    LATER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(later);
}

/// Delivers and runs what waits, if writes flow. Main thread, with the server's cron.
pub(crate) fn cron(ctx: Ctx<'_>) {
    if !refresh() {
        return;
    }
    let waiting = std::mem::take(&mut *LATER.lock().unwrap_or_else(PoisonError::into_inner));
    for later in waiting {
        later(ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::may_change_pause;

    #[test]
    fn commands_that_can_pause() {
        for name in ["client", "CLIENT", "Failover", "SHUTDOWN", "exec"] {
            assert!(may_change_pause(name.as_bytes()), "{name}");
        }
        for name in ["", "get", "echo", "clientx", "AI.TENSORSET", "failovex"] {
            assert!(!may_change_pause(name.as_bytes()), "{name}");
        }
    }
}
