//! A DAG of one operation is a plain request: it needs no lock and no plan.

use super::progress::no_tensor;
use super::{
    DagCompletion, DagOp, DagOutcome, DagRequest, DagResult, Inner, OpEnd, OutputSlots, Slots,
    ended_early, finish,
};
use crate::job::complete;
use crate::{Engine, Inputs, Outcome, Request};
use redisai_core::{BackendError, RunOutput};
use std::sync::Arc;
use std::time::Duration;

/// See [`Engine::submit_dag`].
pub(super) fn submit(
    engine: &Engine,
    op: DagOp,
    slots: Slots,
    timeout: Option<Duration>,
    completion: DagCompletion,
) -> Inner {
    let Some(request) = request(&op, &slots, timeout) else {
        let ops = vec![OpEnd::Failed(no_tensor())];
        finish(completion, DagOutcome::Done(DagResult { slots, ops }));
        return Inner::Over;
    };
    let (shared, outputs) = (Arc::clone(engine.shared()), op.outputs);
    let done = Box::new(move |outcome: Outcome, inputs: Inputs| {
        let outcome = match outcome {
            Outcome::Done(result) => {
                // The slots hold them too.
                drop(inputs);
                filled(&outputs, slots, result)
            }
            Outcome::TimedOut | Outcome::Gone => {
                shared.reaper.push(Box::new((slots, inputs)));
                ended_early(matches!(outcome, Outcome::TimedOut))
            }
        };
        finish(completion, outcome);
    });
    match engine.submit(request, done) {
        Ok(job) => Inner::One(job),
        Err(refused) => {
            let outcome = Outcome::Done(Err(refused.error.into()));
            complete(refused.completion, outcome, refused.inputs);
            Inner::Over
        }
    }
}

/// See [`Engine::run_dag_inline`].
pub(super) fn run_inline(engine: &Engine, dag: DagRequest) -> Result<DagOutcome, DagRequest> {
    let [op] = dag.ops.as_slice() else {
        return Err(dag);
    };
    let Some(request) = request(op, &dag.slots, dag.timeout) else {
        return Err(dag);
    };
    match engine.run_inline(request) {
        Err(_) => Err(dag),
        Ok(Outcome::TimedOut) => Ok(DagOutcome::TimedOut),
        Ok(Outcome::Gone) => Ok(DagOutcome::Gone),
        Ok(Outcome::Done(result)) => Ok(filled(&op.outputs, dag.slots, result)),
    }
}

/// `None`: an input holds no tensor.
fn request(op: &DagOp, slots: &Slots, timeout: Option<Duration>) -> Option<Request> {
    let read = |&slot: &usize| slots.get(slot)?.clone();
    Some(Request {
        model: Arc::clone(&op.model),
        call: op.call.clone(),
        inputs: op.inputs.iter().map(read).collect::<Option<Inputs>>()?,
        outputs: op.outputs.len(),
        timeout,
    })
}

/// The end of the operation, its outputs in their slots.
fn filled(
    outputs: &OutputSlots,
    mut slots: Slots,
    result: Result<RunOutput, BackendError>,
) -> DagOutcome {
    let end = match result {
        Ok(tensors) => {
            for (&slot, tensor) in outputs.iter().zip(tensors) {
                if let Some(place) = slots.get_mut(slot) {
                    *place = tensor;
                }
            }
            OpEnd::Done
        }
        Err(error) => OpEnd::Failed(error),
    };
    let ops = vec![end];
    DagOutcome::Done(DagResult { slots, ops })
}
