//! A DAG of several operations while it runs.

use super::progress::{Progress, Step, Wires};
use super::{DagCompletion, DagOutcome, DagRequest, DagResult, ended_early, finish};
use crate::engine::place;
use crate::job::{Job, complete};
use crate::shared::Shared;
use crate::sync::{Mutex, MutexGuard, lock};
use crate::ticket::End;
use crate::{Call, Inputs, Model, Outcome, Request};
use redisai_core::Tensor;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

/// A DAG of several operations, or of none.
pub(super) struct Dag {
    shared: Arc<Shared>,
    /// What each operation runs.
    models: Vec<(Arc<Model>, Option<Arc<Call>>)>,
    /// Nanoseconds of the clock; 0: never.
    deadline: u64,
    state: Mutex<State>,
}

struct State {
    progress: Progress<Arc<Tensor>, Arc<Job>>,
    /// Whoever takes it ends the DAG.
    completion: Option<DagCompletion>,
}

impl Dag {
    /// Hands in what can start; ends at once where nothing can.
    pub(super) fn start(
        shared: Arc<Shared>,
        request: DagRequest,
        completion: DagCompletion,
    ) -> Arc<Self> {
        let (models, wiring): (Vec<_>, Vec<_>) = request
            .ops
            .into_iter()
            .map(|op| {
                let wires = Wires {
                    inputs: op.inputs,
                    outputs: op.outputs,
                    ordered: op.model.def().is_script(),
                };
                ((op.model, op.call), wires)
            })
            .unzip();
        let (progress, step) = Progress::new(request.slots, wiring.into_iter());
        let dag = Arc::new(Self {
            deadline: shared.deadline(request.timeout),
            shared,
            models,
            state: Mutex::new(State {
                progress,
                completion: Some(completion),
            }),
        });
        dag.go_on(lock(&dag.state), step);
        dag
    }

    /// Hands in an operation that is ready, unless it does not count any more.
    fn hand_in(self: &Arc<Self>, position: usize) {
        let Some((model, call)) = self.models.get(position) else {
            return;
        };
        let mut state = lock(&self.state);
        if state.completion.is_none() {
            return;
        }
        // Made under the lock, so that whoever ends the DAG finds it.
        let job = state.progress.start(position, |inputs, outputs| {
            let request = Request {
                model: Arc::clone(model),
                call: call.clone(),
                inputs,
                outputs,
                timeout: None,
            };
            let dag = Arc::clone(self);
            let completion =
                Box::new(move |outcome, inputs| dag.op_ended(position, outcome, inputs));
            Arc::new(Job::new(request, self.deadline, completion))
        });
        drop(state);
        let Some(job) = job else { return };
        if let Err(refused) = place(&self.shared, &job) {
            let outcome = Outcome::Done(Err(refused.error.into()));
            complete(refused.completion, outcome, refused.inputs);
        }
    }

    /// The completion of an operation's job. An operation that nobody waits for any more leaves no trace.
    fn op_ended(self: &Arc<Self>, position: usize, outcome: Outcome, inputs: Inputs) {
        let mut state = lock(&self.state);
        if state.completion.is_none() {
            drop(state);
            self.shared.reaper.push(Box::new((outcome, inputs)));
            return;
        }
        // The slots hold them too, as long as the DAG goes on.
        drop(inputs);
        match outcome {
            Outcome::Done(result) if state.progress.counts(position) => {
                let step = state.progress.end(position, result);
                self.go_on(state, step);
            }
            Outcome::Done(result) => {
                drop(state);
                self.shared.reaper.push(Box::new(result));
            }
            Outcome::TimedOut => {
                // The others have the same deadline. The timer would come to them one by one, and a
                // worker could start one meanwhile.
                let jobs = state.progress.running();
                self.end_early(state, true);
                self.shared.timer.expire(&self.shared, jobs);
            }
            // Dropped because an operation before it failed.
            Outcome::Gone => {}
        }
    }

    /// Does what a change asks for.
    fn go_on(self: &Arc<Self>, mut state: MutexGuard<'_, State>, step: Step<Arc<Job>>) {
        let over = step.over.then(|| state.completion.take()).flatten();
        let result = over.map(|completion| (completion, state.progress.result()));
        drop(state);
        for job in step.dropped {
            job.end(End::Gone, || Outcome::Gone);
        }
        match result {
            Some((completion, (slots, ops, unmade))) => {
                if !unmade.is_empty() {
                    self.shared.reaper.push(Box::new(unmade));
                }
                finish(completion, DagOutcome::Done(DagResult { slots, ops }));
            }
            None => hand_in_all(self, &step.ready),
        }
    }

    /// See [`super::DagHandle::gone`].
    pub(super) fn gone(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        let jobs = state.progress.running();
        self.end_early(state, false);
        for job in jobs {
            job.end(End::Gone, || Outcome::Gone);
        }
    }

    fn end_early(&self, mut state: MutexGuard<'_, State>, timed_out: bool) {
        let completion = state.completion.take();
        let slots = state.progress.take_slots();
        drop(state);
        if let Some(completion) = completion {
            self.shared.reaper.push(Box::new(slots));
            finish(completion, ended_early(timed_out));
        }
    }
}

impl Drop for Dag {
    fn drop(&mut self) {
        // It may be a worker that lets go last; destroying a model takes long.
        let models = self.models.drain(..).map(|(model, _)| model);
        for model in models.filter_map(Arc::into_inner) {
            self.shared.reaper.push(Box::new(model));
        }
    }
}

/// What a thread has to hand in, and whether it is at it.
struct Ready {
    busy: Cell<bool>,
    line: RefCell<VecDeque<(Arc<Dag>, usize)>>,
}

thread_local! {
    static READY: Ready = const { Ready { busy: Cell::new(false), line: RefCell::new(VecDeque::new()) } };
}

/// Hands in operations, one after the other. A job that ends while it is handed in may make more
/// ready: they wait for the loop that is at it further down the stack, so that a chain of any
/// length needs no more of the stack than one operation.
fn hand_in_all(dag: &Arc<Dag>, ready: &[usize]) {
    if ready.is_empty() {
        return;
    }
    READY.with(|Ready { busy, line }| {
        line.borrow_mut()
            .extend(ready.iter().map(|&position| (Arc::clone(dag), position)));
        if busy.replace(true) {
            return;
        }
        let _idle = Idle(busy);
        loop {
            // Not in the loop's head: the line would stay borrowed.
            let next = line.borrow_mut().pop_front();
            let Some((dag, position)) = next else { break };
            dag.hand_in(position);
        }
    });
}

struct Idle<'a>(&'a Cell<bool>);

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}
