//! The context of a command or callback, and blocked clients.

use super::{Vector, raw, rm};
use std::ffi::CStr;
use std::marker::PhantomData;
use std::os::raw::c_void;
use std::ptr::{NonNull, null_mut};

/// A context of the server, valid for `'a`, on the main thread (or with the server's lock held).
#[derive(Clone, Copy)]
pub(crate) struct Ctx<'a> {
    ctx: *mut raw::RedisModuleCtx,
    _life: PhantomData<&'a ()>,
}

/// What the context says about its surroundings.
#[derive(Clone, Copy)]
pub(crate) struct Flags(u32);

impl Flags {
    fn any(self, mask: u32) -> bool {
        self.0 & mask != 0
    }

    /// In `MULTI`/`EXEC` or a script.
    pub(crate) fn transaction(self) -> bool {
        self.any(raw::REDISMODULE_CTX_FLAGS_MULTI | raw::REDISMODULE_CTX_FLAGS_LUA)
    }

    /// The client may not be blocked: a transaction, a script, or a context that says so.
    pub(crate) fn no_blocking(self) -> bool {
        self.transaction() || self.any(raw::REDISMODULE_CTX_FLAGS_DENY_BLOCKING)
    }

    /// The command comes from a primary or from the append-only file: it has been accepted once.
    pub(crate) fn replayed(self) -> bool {
        self.any(raw::REDISMODULE_CTX_FLAGS_REPLICATED | raw::REDISMODULE_CTX_FLAGS_LOADING)
    }

    /// The server is a primary.
    pub(crate) fn primary(self) -> bool {
        self.any(raw::REDISMODULE_CTX_FLAGS_MASTER)
    }

    /// Cluster mode.
    pub(crate) fn cluster(self) -> bool {
        self.any(raw::REDISMODULE_CTX_FLAGS_CLUSTER)
    }

    /// A memory limit is set.
    pub(crate) fn maxmemory(self) -> bool {
        self.any(raw::REDISMODULE_CTX_FLAGS_MAXMEMORY)
    }
}

/// The flags that say something of the server, where there is no context. Main thread.
pub(crate) fn flags_of_server() -> Flags {
    // SAFETY: every server leaves out what is of a client if the context is null.
    Flags(unsafe { rm!(RedisModule_GetContextFlags(null_mut())) }.cast_unsigned())
}

impl Ctx<'_> {
    /// # Safety
    /// `ctx` is valid for `'a`, and the calling thread holds the server's lock for as long.
    pub(crate) unsafe fn new(ctx: *mut raw::RedisModuleCtx) -> Self {
        Self {
            ctx,
            _life: PhantomData,
        }
    }

    /// The server's pointer.
    pub(crate) fn raw(self) -> *mut raw::RedisModuleCtx {
        self.ctx
    }

    /// Asks for the flags.
    pub(crate) fn flags(self) -> Flags {
        // SAFETY: the context is valid.
        Flags(unsafe { rm!(RedisModule_GetContextFlags(self.ctx)) }.cast_unsigned())
    }

    /// The selected database.
    pub(crate) fn db(self) -> i32 {
        // SAFETY: the context is valid.
        unsafe { rm!(RedisModule_GetSelectedDb(self.ctx)) }
    }

    /// Selects a database. False: there is none of this number.
    pub(crate) fn select(self, db: i32) -> bool {
        // SAFETY: the context is valid.
        unsafe { rm!(RedisModule_SelectDb(self.ctx, db)) == raw::REDISMODULE_OK as i32 }
    }

    /// Sends the running command to replicas and the append-only file as it came.
    pub(crate) fn replicate_verbatim(self) {
        // SAFETY: the context is one of a command.
        unsafe { rm!(RedisModule_ReplicateVerbatim(self.ctx)) };
    }

    /// Sends a command to replicas and the append-only file. The server takes references of its
    /// own to the arguments, which are alive for the call.
    pub(crate) fn replicate(self, command: &CStr, args: &mut Vector) {
        // SAFETY: "v" takes a vector and its length.
        unsafe {
            rm!(RedisModule_Replicate(
                self.ctx,
                command.as_ptr(),
                c"v".as_ptr(),
                args.as_mut_ptr(),
                args.len()
            ))
        };
    }

    /// Emits a keyspace notification of the module class, or another one.
    pub(crate) fn notify(self, class: i32, event: &CStr, key: *mut raw::RedisModuleString) {
        // SAFETY: the context is valid, the key alive for the call.
        unsafe {
            rm!(RedisModule_NotifyKeyspaceEvent(
                self.ctx,
                class,
                event.as_ptr(),
                key
            ))
        };
    }

    /// Whether the slot of this key is no longer ours. Only asked in cluster mode.
    pub(crate) fn slot_moved(self, key: *mut raw::RedisModuleString) -> bool {
        // SAFETY: the context is valid, "s" takes a string; the reply is freed below.
        let reply = unsafe {
            rm!(RedisModule_Call(
                self.ctx,
                c"EXISTS".as_ptr(),
                c"s".as_ptr(),
                key
            ))
        };
        if reply.is_null() {
            return true;
        }
        // SAFETY: the reply is ours.
        unsafe { rm!(RedisModule_FreeCallReply(reply)) };
        false
    }

    /// Runs `call` once on the main thread in a turn of its own, with a fresh context.
    pub(crate) fn run_soon(self, callback: raw::RedisModuleTimerProc, data: *mut c_void) {
        // SAFETY: the context is valid; the data passes to the callback.
        unsafe { rm!(RedisModule_CreateTimer(self.ctx, 0, callback, data)) };
    }

    /// Blocks the client. `None`: this one may not block (the server has replied, or will not).
    pub(crate) fn block(
        self,
        reply: raw::RedisModuleCmdFunc,
        disconnect: raw::RedisModuleDisconnectFunc,
        free: Option<unsafe extern "C" fn(*mut raw::RedisModuleCtx, *mut c_void)>,
    ) -> Option<Blocked> {
        // SAFETY: the context is one of a command; no timeout, so no timeout callback.
        let client = unsafe { rm!(RedisModule_BlockClient(self.ctx, reply, None, free, 0)) };
        let client = NonNull::new(client)?;
        // SAFETY: the handle is fresh.
        unsafe {
            rm!(RedisModule_SetDisconnectCallback(
                client.as_ptr(),
                disconnect
            ));
        };
        Some(Blocked(client))
    }

    /// In a reply callback: the private data that `unblock` gave.
    pub(crate) fn private_data(self) -> *mut c_void {
        // SAFETY: the context is one of a reply callback.
        unsafe { rm!(RedisModule_GetBlockedClientPrivateData(self.ctx)) }
    }
}

/// A blocked client's handle. Ends with exactly one [`Blocked::unblock`].
pub(crate) struct Blocked(NonNull<raw::RedisModuleBlockedClient>);

// SAFETY: the server allows measuring and unblocking from any thread.
unsafe impl Send for Blocked {}

impl Blocked {
    /// Identifies the client until it is unblocked.
    pub(crate) fn id(&self) -> usize {
        self.0.as_ptr() as usize
    }

    /// Starts the clock of the time in the background, shown by the slow log.
    pub(crate) fn measure_start(&self) {
        if super::features().measure_blocked {
            // SAFETY: the client is blocked.
            unsafe { rm!(RedisModule_BlockedClientMeasureTimeStart(self.0.as_ptr())) };
        }
    }

    /// Wakes the main thread to call the reply and free callbacks with `data`; any thread. The
    /// callbacks may run before this returns, so nothing of `data` may be touched afterwards.
    pub(crate) fn unblock(self, data: *mut c_void) {
        if super::features().measure_blocked {
            // SAFETY: the client is blocked until the call below.
            unsafe { rm!(RedisModule_BlockedClientMeasureTimeEnd(self.0.as_ptr())) };
        }
        // SAFETY: called once, since it takes the value; the data passes to the free callback.
        unsafe { rm!(RedisModule_UnblockClient(self.0.as_ptr(), data)) };
    }
}

/// A thread's way into the server: a context of no client, and the lock while a guard lives.
pub(crate) fn with_lock<R>(run: impl FnOnce(Ctx<'_>) -> R) -> R {
    // SAFETY: with a null argument a module that has been loaded gets a detached context from a
    // context only; this one is made for the call and freed below.
    let ctx = unsafe { rm!(RedisModule_GetThreadSafeContext(null_mut())) };
    // SAFETY: the context is fresh.
    unsafe { rm!(RedisModule_ThreadSafeContextLock(ctx)) };
    // SAFETY: valid until freed below, under the lock.
    let result = run(unsafe { Ctx::new(ctx) });
    // SAFETY: locked above.
    unsafe { rm!(RedisModule_ThreadSafeContextUnlock(ctx)) };
    // SAFETY: made above, freed once.
    unsafe { rm!(RedisModule_FreeThreadSafeContext(ctx)) };
    result
}
