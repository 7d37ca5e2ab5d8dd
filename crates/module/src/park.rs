//! Effects that have to wait: nothing may be stored while the server may not write.
//!
//! During `CLIENT PAUSE WRITE`, a failover or a shutdown that waits for a replica, a write from a
//! blocked client's callback aborts the server. So a finished job is delivered (its client
//! unblocked) only while writes flow; otherwise it is kept here and delivered when they flow again.
//!
//! Workers must not ask the server themselves: the question may end an expired pause, which only the
//! main thread may do. Where the server tells us of the end of each turn of its loop (7.0), the main
//! thread keeps the answer in an atomic. On 6.2 a worker takes the server's lock and asks.

use crate::server::{Blocked, Ctx, features, rm, with_lock};
use std::os::raw::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A client to unblock and its private data.
struct Parked {
    client: Blocked,
    data: *mut c_void,
}

// SAFETY: the data is a box that passes to whoever unblocks.
unsafe impl Send for Parked {}

static PAUSED: AtomicBool = AtomicBool::new(false);
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

/// Unblocks the client with `data`, at once or when the server may write again. Any thread.
pub(crate) fn deliver(client: Blocked, data: *mut c_void) {
    if !paused_now() {
        client.unblock(data);
        return;
    }
    let mut list = list();
    // The main thread clears the flag under this lock before it takes the list.
    if PAUSED.load(Ordering::Relaxed) {
        list.push(Parked { client, data });
        return;
    }
    drop(list);
    client.unblock(data);
}

fn paused_now() -> bool {
    if features().event_loop {
        return PAUSED.load(Ordering::Acquire);
    }
    let paused = crate::server::is_main_thread() && writes_paused()
        || !crate::server::is_main_thread() && with_lock(|_| writes_paused());
    if paused {
        let _list = list();
        PAUSED.store(true, Ordering::Release);
    }
    paused
}

/// Looks whether writes flow and delivers what waits if they do. Main thread: at the end of each
/// turn, or with the server's cron on 6.2.
pub(crate) fn refresh() {
    let paused = writes_paused();
    if paused == PAUSED.load(Ordering::Relaxed) {
        return;
    }
    let ready = {
        let mut list = list();
        PAUSED.store(paused, Ordering::Release);
        if paused {
            Vec::new()
        } else {
            std::mem::take(&mut *list)
        }
    };
    for parked in ready {
        parked.client.unblock(parked.data);
    }
}

/// What is to be done on the main thread when writes flow again.
type Later = Box<dyn FnOnce(Ctx<'_>) + Send>;

static LATER: Mutex<Vec<Later>> = Mutex::new(Vec::new());
static LATER_WAITS: AtomicBool = AtomicBool::new(false);

/// Runs `later` on the main thread, with a context of no client, when the server may write.
pub(crate) fn when_writable(later: Later) {
    LATER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(later);
    LATER_WAITS.store(true, Ordering::Relaxed);
}

/// Runs what waits for writes to flow. Main thread, after [`refresh`].
pub(crate) fn run_waiting(ctx: Ctx<'_>) {
    if !LATER_WAITS.load(Ordering::Relaxed) || PAUSED.load(Ordering::Relaxed) {
        return;
    }
    LATER_WAITS.store(false, Ordering::Relaxed);
    let waiting = std::mem::take(&mut *LATER.lock().unwrap_or_else(PoisonError::into_inner));
    for later in waiting {
        later(ctx);
    }
}
