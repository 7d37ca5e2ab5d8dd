//! Blocked clients: from a job's completion on any thread to a reply on the main thread.
//!
//! Private data is one box, made by the completion and freed by the free callback, which comes once
//! in every case. The disconnect callback finds the job by the client's handle, since servers before
//! 7.2 give no way to attach data before the end.

use crate::guard;
use crate::park;
use crate::server::{Blocked, Ctx, Flags, raw};
use crate::state::state;
use redisai_engine::{DagHandle, JobHandle};
use std::os::raw::{c_int, c_void};

/// What is done on the main thread when a blocked command has finished.
pub(crate) trait Finish: Send + 'static {
    /// Whether there are effects: those wait until the server may write, anything else is told at
    /// once.
    fn stores(&self) -> bool;

    /// Applies the effects and replies, in one turn.
    fn reply(&mut self, ctx: Ctx<'_>);

    /// The client went away before it was replied to. The context has no client: keys may not be
    /// opened through it.
    fn gone(&mut self, ctx: Ctx<'_>) {
        let _ = ctx;
    }
}

/// What runs for a blocked client.
pub(crate) enum InFlight {
    Job(JobHandle),
    Dag(DagHandle),
}

impl From<JobHandle> for InFlight {
    fn from(job: JobHandle) -> Self {
        Self::Job(job)
    }
}

impl From<DagHandle> for InFlight {
    fn from(dag: DagHandle) -> Self {
        Self::Dag(dag)
    }
}

impl InFlight {
    fn gone(&self) {
        match self {
            Self::Job(job) => job.gone(),
            Self::Dag(dag) => dag.gone(),
        }
    }
}

/// The private data of a blocked client.
struct Delivery<F> {
    finish: F,
    client: usize,
    replied: bool,
}

/// A blocked client whose command ends in an `F`.
pub(crate) struct Waiting<F> {
    client: Blocked,
    _finish: std::marker::PhantomData<fn(F)>,
}

/// Blocks the client of the running command. `None` where `flags`, the context's, forbid it. They are
/// the caller's, since asking for them costs the server as much as the rest of this.
pub(crate) fn block<F: Finish>(ctx: Ctx<'_>, flags: Flags) -> Option<Waiting<F>> {
    if flags.no_blocking() {
        return None;
    }
    let client = ctx.block(Some(reply::<F>), Some(disconnected), Some(free::<F>))?;
    client.measure_start();
    Some(Waiting {
        client,
        _finish: std::marker::PhantomData,
    })
}

impl<F: Finish> Waiting<F> {
    /// Identifies the client, to attach its job.
    pub(crate) fn id(&self) -> usize {
        self.client.id()
    }

    /// Ends the wait; any thread. The main thread then calls [`Finish::reply`], or
    /// [`Finish::gone`], and drops `finish`.
    pub(crate) fn finish(self, finish: F) {
        let stores = finish.stores();
        let data = self.delivery(finish);
        if stores {
            park::deliver(self.client, data);
        } else {
            self.client.unblock(data);
        }
    }

    fn delivery(&self, finish: F) -> *mut c_void {
        let delivery = Delivery {
            finish,
            client: self.client.id(),
            replied: false,
        };
        Box::into_raw(Box::new(delivery)).cast()
    }
}

/// Tells the job of a blocked client when the client goes away. Main thread, in the command.
pub(crate) fn attach(client: usize, job: impl Into<InFlight>) {
    state().jobs().insert(client, job.into());
}

extern "C" fn reply<F: Finish>(
    ctx: *mut raw::RedisModuleCtx,
    _argv: *mut *mut raw::RedisModuleString,
    _argc: c_int,
) -> c_int {
    guard::replying("reply", ctx, |ctx| {
        // SAFETY: the private data is the box that `finish` made; the free callback comes later.
        let delivery = unsafe { ctx.private_data().cast::<Delivery<F>>().as_mut() };
        if let Some(delivery) = delivery {
            delivery.replied = true;
            delivery.finish.reply(ctx);
        }
    })
}

extern "C" fn free<F: Finish>(ctx: *mut raw::RedisModuleCtx, data: *mut c_void) {
    guard::run("free private data", (), || {
        if data.is_null() {
            return;
        }
        // SAFETY: the server hands back the box that `finish` made, once.
        let mut delivery = unsafe { Box::from_raw(data.cast::<Delivery<F>>()) };
        state().jobs().remove(&delivery.client);
        if !delivery.replied {
            // SAFETY: the context is valid during the callback.
            delivery.finish.gone(unsafe { Ctx::new(ctx) });
        }
    });
}

extern "C" fn disconnected(
    _ctx: *mut raw::RedisModuleCtx,
    client: *mut raw::RedisModuleBlockedClient,
) {
    guard::run("disconnect", (), || {
        let job = state().jobs().remove(&(client as usize));
        if let Some(job) = job {
            job.gone();
        }
    });
}
