//! `AI.DAGEXECUTE`, `AI.DAGEXECUTE_RO`, `AI.DAGRUN`, `AI.DAGRUN_RO`.

use super::run::{Keys, into_server_memory, may_block};
use super::script;
use super::tensor;
use crate::blocked::{self, Finish, Waiting};
use crate::effects;
use crate::keyspace;
use crate::park;
use crate::server::{Arg, Args, Ctx, Flags};
use crate::services::{Caller, Registered};
use crate::state::state;
use redisai_command::{Dag, DagKeys, DagKind, DagOp, Error, Limits};
use redisai_core::{BackendError, Buffer, RunOutput, Tensor};
use redisai_engine::{self as engine, DagOutcome, DagRequest, DagResult, Model, OpEnd};
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn execute(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    dag(ctx, args, DagKind::Execute)
}

pub(super) fn execute_ro(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    dag(ctx, args, DagKind::ExecuteRo)
}

pub(super) fn run(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    dag(ctx, args, DagKind::Run)
}

pub(super) fn run_ro(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    dag(ctx, args, DagKind::RunRo)
}

fn dag(ctx: Ctx<'_>, args: &Args<'_>, kind: DagKind) -> Result<(), Error> {
    let flags = may_block(ctx)?;
    let limits = Limits::client(state().options.max_tensor_bytes);
    let mut keyspace = Keyspace {
        ctx,
        args,
        models: SmallVec::new(),
    };
    let dag = Dag::parse(&args.bytes(), kind, &limits, &mut keyspace)?;
    let keys = dag
        .persist
        .iter()
        .filter_map(|persist| args.get(persist.key));
    for key in keys.clone() {
        keyspace::accepts_tensor(ctx, key.raw())?;
    }
    let timeout = dag.timeout_ms.map(Duration::from_millis);
    let scripts = dag.ops.iter().any(|op| matches!(op, DagOp::ScriptRun(_)));
    let writes = matches!(kind, DagKind::Execute | DagKind::Run);
    let plan = Plan {
        ops: dag.ops,
        keys: keys.map(Arg::hold).collect(),
        slots: dag.persist.iter().map(|persist| persist.slot).collect(),
        caller: scripts.then(|| Caller::register(ctx, writes, timeout)),
    };
    let ops = runs(args, &plan, keyspace.models);
    if ops.is_empty() {
        // Nothing to wait for.
        let slots = dag.slots;
        return plan.apply(
            ctx,
            &DagResult {
                slots,
                ops: Vec::new(),
            },
        );
    }
    let request = DagRequest {
        slots: dag.slots,
        ops,
        timeout,
    };
    begin(ctx, flags, request, plan)
}

/// Runs it in this turn, or blocks the client and queues it.
fn begin(ctx: Ctx<'_>, flags: Flags, request: DagRequest, plan: Plan) -> Result<(), Error> {
    // What may not be stored now has to wait with its client.
    let may_end = plan.keys.is_empty() || !park::writes_paused();
    let tried = if may_end {
        state().engine.run_dag_inline(request)
    } else {
        Err(request)
    };
    let request = match tried {
        Err(request) => request,
        Ok(outcome) => {
            let result = plan.in_server_memory(outcome);
            DagEnd { plan, result }.reply(ctx);
            return Ok(());
        }
    };
    let waiting = blocked::block::<DagEnd>(ctx, flags).ok_or(Error::NotInTransaction)?;
    submit(request, plan, waiting);
    Ok(())
}

/// What the parser asks, and the models and scripts that it asked for, in order.
struct Keyspace<'k, 'a, 'c> {
    ctx: Ctx<'c>,
    args: &'k Args<'a>,
    models: SmallVec<[Arc<Model>; 2]>,
}

impl DagKeys for Keyspace<'_, '_, '_> {
    fn tensor(&mut self, at: usize) -> Result<Arc<Tensor>, Error> {
        let key = self.args.get(at).ok_or(Error::TensorKeyEmpty)?;
        keyspace::tensor(self.ctx, key.raw())
    }

    fn model(&mut self, at: usize) -> Result<Option<(usize, usize)>, Error> {
        let key = self.args.get(at).ok_or(Error::ModelKeyEmpty)?;
        let model = keyspace::model(self.ctx, key.raw())?;
        let counts = model.arity();
        self.models.push(model);
        Ok(counts)
    }

    fn script(&mut self, at: usize) -> Result<(), Error> {
        let key = self.args.get(at).ok_or(Error::ScriptKeyEmpty)?;
        self.models.push(keyspace::script(self.ctx, key.raw())?);
        Ok(())
    }

    fn hold(&mut self, at: usize) -> Box<dyn Buffer> {
        tensor::hold(self.args, at)
    }
}

/// The operations that run; each takes the next model or script.
fn runs(args: &Args<'_>, plan: &Plan, models: SmallVec<[Arc<Model>; 2]>) -> Vec<engine::DagOp> {
    let slots = plan.ops.iter().filter_map(|op| match op {
        DagOp::ModelRun { inputs, outputs } => Some((None, inputs, outputs)),
        DagOp::ScriptRun(op) => {
            let (keys, words, caller) = (op.keys.clone(), op.args.clone(), plan.caller.as_ref()?);
            let call = script::call(args, op.function, keys, words, caller);
            Some((Some(call), &op.inputs, &op.outputs))
        }
        DagOp::TensorSet | DagOp::TensorGet { .. } => None,
    });
    slots
        .zip(models)
        .map(|((call, inputs, outputs), model)| engine::DagOp {
            model,
            call,
            inputs: inputs.clone(),
            outputs: outputs.clone().collect(),
        })
        .collect()
}

fn submit(request: DagRequest, mut plan: Plan, waiting: Waiting<DagEnd>) {
    let client = waiting.id();
    // A script may write: it is carried out even if its client goes before it begins.
    let may_write = plan.caller.is_some();
    let completion = Box::new(move |outcome: DagOutcome| {
        drop(plan.caller.take());
        let result = plan.in_server_memory(outcome);
        waiting.finish(DagEnd { plan, result });
    });
    let handle = state().engine.submit_dag(request, completion);
    if !may_write {
        blocked::attach(client, handle);
    }
}

/// What is left to do when all has run.
struct Plan {
    ops: SmallVec<[DagOp; 4]>,
    /// The keys to persist, in the order of the arguments.
    keys: Keys,
    /// Their tensors.
    slots: SmallVec<[usize; 2]>,
    /// For scripts, as long as somebody waits for them.
    caller: Option<Registered>,
}

/// How a DAG ended, for the reply.
enum End {
    Done(DagResult),
    /// What becomes a key could not be copied.
    Failed(BackendError),
    TimedOut,
    /// Nobody reads the reply.
    Gone,
}

impl Plan {
    /// Copies what becomes a key and lies in memory of a framework, on the worker. What is only
    /// replied stays where it is.
    fn in_server_memory(&self, outcome: DagOutcome) -> End {
        let mut result = match outcome {
            DagOutcome::Done(result) => result,
            DagOutcome::TimedOut => return End::TimedOut,
            DagOutcome::Gone => return End::Gone,
        };
        if succeeded(&result) {
            for &slot in &self.slots {
                if let Some(Some(tensor)) = result.slots.get_mut(slot)
                    && let Err(error) = into_server_memory(tensor)
                {
                    return End::Failed(error);
                }
            }
        }
        End::Done(result)
    }

    /// Whether there is something to persist.
    fn stores(&self, result: &DagResult) -> bool {
        succeeded(result) && !self.keys.is_empty()
    }

    /// Persists if nothing failed, then replies. An error is the reply, and nothing is stored then.
    fn apply(&self, ctx: Ctx<'_>, result: &DagResult) -> Result<(), Error> {
        let tensor = |slot: usize| result.slots.get(slot).and_then(Option::as_ref);
        if self.stores(result) {
            let outputs: RunOutput = self
                .slots
                .iter()
                .map(|&slot| tensor(slot).cloned())
                .collect();
            effects::store_outputs(ctx, &self.keys, outputs)?;
        }
        let mut ends = result.ops.iter();
        let mut over = false;
        ctx.reply_array(self.ops.len());
        for op in &self.ops {
            match op {
                _ if over => ctx.reply_simple(c"NA"),
                DagOp::TensorSet => ctx.reply_simple(c"OK"),
                DagOp::TensorGet { get, slot } => match tensor(*slot) {
                    Some(tensor) => tensor::reply(ctx, *get, tensor),
                    None => ctx.reply_simple(c"NA"),
                },
                DagOp::ModelRun { .. } | DagOp::ScriptRun(_) => match ends.next() {
                    Some(OpEnd::Done) => ctx.reply_simple(c"OK"),
                    Some(OpEnd::Failed(error)) => {
                        over = true;
                        ctx.reply_error(error.text.as_bytes());
                    }
                    Some(OpEnd::NotRun) | None => ctx.reply_simple(c"NA"),
                },
            }
        }
        Ok(())
    }
}

fn succeeded(result: &DagResult) -> bool {
    result.ops.iter().all(|end| *end == OpEnd::Done)
}

/// A DAG on its way back to the main thread, which drops its tensors and names.
struct DagEnd {
    plan: Plan,
    result: End,
}

impl Finish for DagEnd {
    fn stores(&self) -> bool {
        matches!(&self.result, End::Done(result) if self.plan.stores(result))
    }

    fn reply(&mut self, ctx: Ctx<'_>) {
        match &self.result {
            End::Done(result) => {
                if let Err(error) = self.plan.apply(ctx, result) {
                    ctx.reply_error(&error.wire());
                }
            }
            End::Failed(error) => ctx.reply_error(error.text.as_bytes()),
            End::TimedOut => ctx.reply_simple(c"TIMEDOUT"),
            End::Gone => ctx.reply_error(b"ERR the client went away"),
        }
    }
}
