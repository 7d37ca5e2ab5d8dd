//! The public face of the engine.

use crate::job::{Job, JobHandle, Request};
use crate::model::Model;
use crate::registry::{BackendSource, Registry};
use crate::scheduler::{Loader, Queues, Reaper, Threads, Timer};
use crate::shared::Shared;
use crate::{
    BuildDone, Clock, Completion, Config, EngineError, Info, Outcome, Refused, build, info, inline,
    run,
};
use redisai_core::{Backend, BackendError, BackendKind, Definition, Device, RunOutput};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Everything that runs models. Cheap to clone; the last clone to go shuts the engine down.
///
/// No thread is started before it is needed: the timer and a queue's workers with the first queue,
/// a loader thread with the first build, the freeing thread with the first value.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// Models and threads keep `shared`; only doors keep this.
    guard: Arc<Guard>,
}

struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

impl Engine {
    /// An engine. Starts no thread.
    pub fn new(config: Config, source: Arc<dyn BackendSource>, clock: Arc<dyn Clock>) -> Self {
        let threads = Arc::new(Threads::default());
        let shared = Arc::new(Shared {
            registry: Registry::new(source),
            queues: Queues::default(),
            loader: Loader::default(),
            timer: Timer::new(),
            reaper: Reaper::new(
                config.reap_limit_values,
                config.reap_limit_bytes,
                Arc::clone(&threads),
            ),
            threads,
            waiting: AtomicUsize::new(0),
            config,
            clock,
        });
        let guard = Arc::new(Guard(Arc::clone(&shared)));
        Self { shared, guard }
    }

    /// Ends all threads: what waits is answered with an error, runs in progress are told to stop,
    /// and threads that end within `shutdown_ms` are joined. Later calls are refused.
    ///
    /// Gives the number of threads that have not ended: they are in a framework, which nobody may
    /// unload or destroy under them.
    pub fn shutdown(&self) -> usize {
        self.guard.0.shut_down()
    }

    /// Loads a backend from `path`, or from where the source finds it. Waits for the library.
    ///
    /// Models that failed because it was missing are built in the background then.
    pub fn load_backend(
        &self,
        kind: BackendKind,
        path: Option<&[u8]>,
    ) -> Result<Arc<dyn Backend>, EngineError> {
        self.shared.registry.load(kind, path)
    }

    /// The backend, if it is loaded.
    pub fn backend(&self, kind: BackendKind) -> Option<Arc<dyn Backend>> {
        self.shared.registry.get(kind).cloned()
    }

    /// The loaded backends, in the order of [`BackendKind::ALL`].
    pub fn backends(&self) -> Vec<(BackendKind, Arc<dyn Backend>)> {
        BackendKind::ALL
            .into_iter()
            .filter_map(|kind| Some((kind, self.backend(kind)?)))
            .collect()
    }

    /// Makes the device's queue and starts its workers, unless they are there. Builds do it by
    /// themselves, once the backend has accepted the device.
    pub fn open_queue(&self, device: &Device) -> Result<(), EngineError> {
        self.shared.queues.open(&self.shared, device).map(drop)
    }

    /// A model or a script from its definition: what a key stores. Touches no backend and starts
    /// nothing.
    pub fn model(&self, def: impl Into<Definition>) -> Arc<Model> {
        Arc::new(Model::new(Arc::clone(&self.shared), def.into()))
    }

    /// Builds the model's session on a loader thread, its backend loaded first if need be, even
    /// if an earlier try failed. Builds of one model at one time share one build.
    pub fn build(&self, model: &Arc<Model>, done: BuildDone) {
        build::store(model, done);
    }

    /// The same on the calling thread, which waits if another thread is at it.
    pub fn build_here(&self, model: &Arc<Model>) -> Result<(), BackendError> {
        build::here(model, true)
    }

    /// Builds the model's session when no client waits for another, in the order of these calls;
    /// does nothing if sessions are built lazily. A failure is kept in the model's state. A model
    /// that nobody holds any more when its turn comes is left out.
    pub fn build_background(&self, model: &Arc<Model>) {
        build::background(model);
    }

    /// Calls `done` when the session is there or has failed; at once if that is known. Builds it
    /// if nobody has tried.
    pub fn when_built(&self, model: &Arc<Model>, done: BuildDone) {
        build::when_built(model, done);
    }

    /// Takes a request; its completion is called exactly once, perhaps before this returns.
    ///
    /// A model without a session is built, or its build waited for, under the request's own
    /// deadline. The numbers of inputs and outputs are checked as soon as the model's are known;
    /// [`Model::arity`] lets a door do it first.
    pub fn submit(&self, request: Request, completion: Completion) -> Result<JobHandle, Refused> {
        let deadline = self.shared.deadline(request.timeout);
        let job = Arc::new(Job::new(request, deadline, completion));
        place(&self.shared, &job)?;
        Ok(JobHandle(job))
    }

    /// Runs a request on the calling thread, which builds the session first if there is none.
    /// Where the backend limits the runs of one model at one time, it waits for its turn. The
    /// timeout is given to the run as its deadline; it does not end this call.
    pub fn run_here(&self, request: Request) -> Result<RunOutput, BackendError> {
        run::here(&self.shared, &request)
    }

    /// Runs a request on the calling thread if its run is known to be shorter than the way to a
    /// worker and back; else gives it back, to be submitted. It never waits for anything else.
    ///
    /// All of this must hold: [`Config::inline_runs`]; a session; no `MINBATCHSIZE`; where there is
    /// a `BATCHSIZE`, requests that come one at a time; no operations with sub-graphs; nobody in the device's queue; a permit at once, where runs are limited; and
    /// of this model's last runs with inputs of these types and shapes 99 % used no more than 50 µs of CPU time and took no more than 1 ms
    /// (of 128 at least; four kinds of inputs are remembered). One run here that uses more than 10
    /// ms of CPU time, or takes more than 100 ms, or breaks the session, is the last of its
    /// model. It counts as any other, with a waiting time of 0, and the run's limit
    /// and the deadline hold: what the deadline has stopped is [`Outcome::TimedOut`].
    pub fn run_inline(&self, request: Request) -> Result<Outcome, Request> {
        inline::run(&self.shared, request)
    }

    /// Drops a value of about `bytes` bytes on the freeing thread; gives it back if too much waits
    /// there already.
    pub fn reap(&self, value: Box<dyn Send>, bytes: usize) -> Result<(), Box<dyn Send>> {
        self.shared.reaper.offer(value, bytes)
    }

    /// Figures for `INFO`.
    pub fn info(&self) -> Info {
        info::info(&self.shared)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// Puts a new job where it waits, and has its deadline watched.
pub(crate) fn place(shared: &Arc<Shared>, job: &Arc<Job>) -> Result<(), Refused> {
    line_up(shared, Arc::clone(job))?;
    if job.deadline != 0 && job.ticket.pending() {
        shared.timer.watch(job);
    }
    Ok(())
}

fn line_up(shared: &Arc<Shared>, job: Arc<Job>) -> Result<(), Refused> {
    let queue = job.model.queue().filter(|_| job.model.is_ready()).cloned();
    let refusal = match queue {
        Some(queue) => {
            if let Err(error) = job.check_counts() {
                job.fail(error);
                return Ok(());
            }
            match queue.push(job) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            }
        }
        None if shared.waiting.load(Ordering::Relaxed) >= shared.config.queue_limit => {
            let device = job.model.def().device().queue();
            (job, EngineError::QueueFull { device })
        }
        None => {
            // The timer runs only once there is a queue, and this deadline may come before.
            if job.deadline != 0 && shared.timer.start(shared).is_err() {
                (job, EngineError::TooManyQueues)
            } else {
                run::wait_for_session(job);
                return Ok(());
            }
        }
    };
    let (job, error) = refusal;
    match job.refuse(error) {
        Some(refused) => Err(refused),
        // Nobody else has the job yet; a DAG that has ended may have ended it.
        None => Ok(()),
    }
}

impl Shared {
    fn shut_down(&self) -> usize {
        self.loader.close();
        self.queues.close();
        for slot in self.timer.slots() {
            if let Some((backend, run)) = slot.current() {
                crate::sync::guarded(|| backend.cancel(run));
            }
        }
        self.timer.close();
        self.reaper.close();
        self.threads
            .join(Duration::from_millis(self.config.shutdown_ms))
    }
}
