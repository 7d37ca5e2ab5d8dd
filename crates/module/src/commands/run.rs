//! `AI.MODELEXECUTE`, `AI.MODELRUN`.

use crate::blocked::{self, Finish};
use crate::effects;
use crate::keyspace;
use crate::park;
use crate::server::{Args, Ctx, Flags, Held};
use crate::services::Registered;
use crate::state::state;
use redisai_command::{Error, ModelRun};
use redisai_core::{BackendError, Status, Tensor};
use redisai_engine::{Inputs, Outcome, Refused, Request};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn execute(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let flags = may_block(ctx)?;
    ModelRun::arity(&args.bytes())?;
    run(ctx, flags, args, ModelRun::parse)
}

pub(super) fn run_deprecated(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let flags = may_block(ctx)?;
    ModelRun::run_arity(args.all().len())?;
    run(ctx, flags, args, ModelRun::parse_run)
}

/// A client that may not be blocked cannot wait for a run.
pub(super) fn may_block(ctx: Ctx<'_>) -> Result<Flags, Error> {
    let flags = ctx.flags();
    if flags.no_blocking() {
        return Err(Error::NotInTransaction);
    }
    Ok(flags)
}

type Parse = fn(&[&[u8]], Option<(usize, usize)>) -> Result<ModelRun, Error>;

fn run(ctx: Ctx<'_>, flags: Flags, args: &Args<'_>, parse: Parse) -> Result<(), Error> {
    let key = args.get(ModelRun::KEY).ok_or(Error::ModelKeyEmpty)?;
    let model = keyspace::model(ctx, key.raw())?;
    let parsed = parse(&args.bytes(), model.arity())?;
    let (inputs, mut keys) = tensors(ctx, args, parsed.inputs, parsed.outputs)?;
    let request = Request {
        model,
        call: None,
        inputs,
        outputs: keys.len(),
        timeout: parsed.timeout_ms.map(Duration::from_millis),
    };
    let request = match at_once(ctx, request, &mut keys) {
        Ok(()) => return Ok(()),
        Err(request) => request,
    };
    submit(ctx, flags, request, keys, None)
}

/// The tensors that a run reads, and the keys that it writes, each of a type that lets it; both by
/// their indices.
pub(super) fn tensors(
    ctx: Ctx<'_>,
    args: &Args<'_>,
    inputs: impl IntoIterator<Item = usize>,
    outputs: impl IntoIterator<Item = usize>,
) -> Result<(Inputs, Keys), Error> {
    let inputs = inputs.into_iter().filter_map(|at| args.get(at));
    let inputs = inputs
        .map(|key| keyspace::tensor(ctx, key.raw()))
        .collect::<Result<_, _>>()?;
    let outputs = outputs.into_iter().filter_map(|at| args.get(at));
    let keys = outputs.map(|key| keyspace::accepts_tensor(ctx, key.raw()).map(|()| key.hold()));
    Ok((inputs, keys.collect::<Result<_, _>>()?))
}

/// Keys that get a tensor.
pub(super) type Keys = SmallVec<[Held; 2]>;

/// Runs, stores and replies in this turn if the engine knows the run to be short, and takes the keys
/// then; else gives the request back.
fn at_once(ctx: Ctx<'_>, request: Request, keys: &mut Keys) -> Result<(), Request> {
    // What may not be stored now has to wait with its client.
    if park::writes_paused() {
        return Err(request);
    }
    let outcome = state().engine.run_inline(request)?;
    let mut end = RunEnd {
        keys: std::mem::take(keys),
        inputs: Inputs::new(),
        outcome: Some(in_server_memory(outcome)),
    };
    end.reply(ctx);
    Ok(())
}

/// Blocks the client and queues the run. `caller`: of a script, for as long as somebody waits for it.
pub(super) fn submit(
    ctx: Ctx<'_>,
    flags: Flags,
    request: Request,
    keys: Keys,
    caller: Option<Registered>,
) -> Result<(), Error> {
    let waiting = blocked::block::<RunEnd>(ctx, flags).ok_or(Error::NotInTransaction)?;
    // A script may write: it is carried out even if its client goes before it begins.
    let may_write = request.model.def().is_script();
    let client = waiting.id();
    let completion = Box::new(move |outcome: Outcome, inputs: Inputs| {
        drop(caller);
        waiting.finish(RunEnd {
            keys,
            inputs,
            outcome: Some(in_server_memory(outcome)),
        });
    });
    match state().engine.submit(request, completion) {
        Ok(_) if may_write => {}
        Ok(job) => blocked::attach(client, job),
        Err(Refused {
            error,
            inputs,
            completion,
        }) => {
            completion(Outcome::Done(Err(error.into())), inputs);
        }
    }
    Ok(())
}

/// Copies outputs that lie in memory of a framework, on the worker: a key holds only memory that the
/// server counts.
fn in_server_memory(outcome: Outcome) -> Outcome {
    let Outcome::Done(Ok(mut outputs)) = outcome else {
        return outcome;
    };
    let copied = outputs
        .iter_mut()
        .flatten()
        .try_for_each(into_server_memory);
    Outcome::Done(copied.map(|()| outputs))
}

pub(super) fn into_server_memory(tensor: &mut Arc<Tensor>) -> Result<(), BackendError> {
    if tensor.buffer().is_foreign() {
        *tensor = Arc::new(tensor.copied().ok_or_else(no_memory)?);
    }
    Ok(())
}

fn no_memory() -> BackendError {
    BackendError::new(Status::NoMemory, Error::OutOfMemory.to_string())
}

/// A run on its way back to the main thread, which drops the inputs and the names.
struct RunEnd {
    keys: Keys,
    inputs: Inputs,
    outcome: Option<Outcome>,
}

impl Finish for RunEnd {
    fn stores(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Done(Ok(_)))) && !self.keys.is_empty()
    }

    fn reply(&mut self, ctx: Ctx<'_>) {
        self.inputs.clear();
        match self.outcome.take() {
            Some(Outcome::Done(Ok(outputs))) => {
                match effects::store_outputs(ctx, &self.keys, outputs) {
                    Ok(()) => ctx.reply_simple(c"OK"),
                    Err(error) => ctx.reply_error(&error.wire()),
                }
            }
            Some(Outcome::Done(Err(error))) => ctx.reply_error(error.text.as_bytes()),
            Some(Outcome::TimedOut) => ctx.reply_simple(c"TIMEDOUT"),
            // The client is gone, so nobody reads this.
            Some(Outcome::Gone) | None => ctx.reply_error(b"ERR the client went away"),
        }
    }
}
