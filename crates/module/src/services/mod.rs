//! What a running script asks of the server: commands and models.
//!
//! The script runs on a worker; the server may be asked on its main thread only (or under its lock, on
//! servers that let nobody post to that thread). So each request is posted there, and the worker waits
//! for the answer, until the deadline of its run at the latest.

mod call;
mod caller;
mod post;

pub(crate) use caller::{Caller, Registered};
pub(crate) use post::remember_context;

use crate::keyspace;
use crate::server::{Ctx, Held, features, log, log_line};
use crate::state::state;
use post::{Step, on_main_thread};
use redisai_command::Error;
use redisai_core::{BackendError, HostServices, LogLevel, RunOutput, Status, Tensor};
use redisai_engine::{Inputs, Model, Request};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The server as backends see it.
pub(crate) struct Services;

impl HostServices for Services {
    fn log(&self, level: LogLevel, text: &str) {
        log(level, text);
    }

    fn call(&self, context: u64, argv: &[&[u8]]) -> Result<Vec<u8>, BackendError> {
        let caller = caller(context)?;
        let argv: Vec<Vec<u8>> = argv.iter().map(|arg| arg.to_vec()).collect();
        let deadline = caller.deadline();
        let work = move |ctx: Ctx<'_>| call::step(ctx, &caller, &argv);
        on_main_thread(deadline, work).unwrap_or_else(|| Err(over()))
    }

    fn run_model(
        &self,
        context: u64,
        key: &[u8],
        inputs: Vec<Arc<Tensor>>,
        outputs: usize,
    ) -> Result<RunOutput, BackendError> {
        let caller = caller(context)?;
        let (deadline, key) = (caller.deadline(), key.to_vec());
        let timeout = caller.time_left();
        let work = move |ctx: Ctx<'_>| Step::Done(model(ctx, &caller, &key));
        let model = on_main_thread(deadline, work).unwrap_or_else(|| Err(over()))?;
        state().engine.run_here(Request {
            model,
            call: None,
            inputs: Inputs::from_vec(inputs),
            outputs,
            timeout,
        })
    }
}

/// For whom a run asks. A model's run has nobody, though its archive may name a script's operators.
fn caller(context: u64) -> Result<Arc<Caller>, BackendError> {
    if context == 0 {
        let text = "ERR only a script may ask the server, not a model";
        return Err(BackendError::new(Status::RunFailed, text));
    }
    Caller::find(context).ok_or_else(over)
}

/// The model of a key, if the caller's user may read it.
fn model(ctx: Ctx<'_>, caller: &Caller, key: &[u8]) -> Result<Arc<Model>, BackendError> {
    let name = Held::copy_of(key)
        .ok_or(Error::OutOfMemory)
        .map_err(failed)?;
    if !ctx.select(caller.db()) {
        return Err(over());
    }
    if !caller.may_read(&name) {
        let text = "NOPERM this user has no permissions to access the key of a model";
        return Err(BackendError::new(Status::RunFailed, text));
    }
    keyspace::model(ctx, name.raw()).map_err(failed)
}

/// Says once that this server cannot run commands as a user.
fn log_unprotected() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if !features().users && !SAID.swap(true, Ordering::Relaxed) {
        log_line!(
            Warning,
            "this server cannot check the rights of a script's user: commands of scripts may touch any key"
        );
    }
}

fn failed(error: Error) -> BackendError {
    let text = String::from_utf8_lossy(&error.wire()).into_owned();
    BackendError::new(Status::RunFailed, text)
}

/// Nobody waits for the run any more.
fn over() -> BackendError {
    BackendError::new(
        Status::Cancelled,
        "ERR the time of the script's run is over",
    )
}
