//! Runs without a hand-off: on the thread of the door itself.
//!
//! To pass a request to a worker and its result back costs more than a tiny model's run. So a model whose
//! runs with inputs of these shapes were short, nearly always, runs where its request comes
//! in. The risk that is left: whoever waits for that thread waits for the run. It is bounded by
//! what is known of the model, and one run that is far too long ends it.

mod crowd;

pub(crate) use crowd::Crowd;

use crate::job::{Outcome, Request};
use crate::run::{attempt_here, outcome};
use crate::scheduler::rows_of;
use crate::session::{Permit, Session};
use crate::shared::{Shared, lock};
use crate::{Inputs, Model};
use redisai_core::Status;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The most CPU time of a short run, in nanoseconds: less than what two hand-offs between threads
/// can cost. CPU time, since a busy system puts a run of any length aside;
const SHORT: u64 = 50_000;
/// One run in so many may be longer than that. On a virtual machine the kernel's interrupts, which
/// count as the thread's CPU time, can make one run in fifty take 100 microseconds.
const SHORT_BUT_ONE_IN: u32 = 10;
/// The bound on the 99th percentile: so many nanoseconds of CPU time,
const LONG: u64 = 250_000;
/// and so many of any kind of time, since a run may wait for something.
const LONG_IN_ALL: u64 = 1_000_000;
/// One run in so many may be longer than that.
const LONG_ONE_IN: u32 = 100;
/// Runs with inputs of one kind before their times are believed.
const ENOUGH: u32 = 128;
/// Counts are halved here: what was long ago fades.
const FULL: u32 = 4_096;
/// Kinds of inputs that are known of a model at one time.
const KINDS: usize = 4;
/// A run on the door's thread that used so many nanoseconds of CPU time was the last one there:
/// what the server's slow log calls slow. A virtual machine that is stopped for a few milliseconds
/// counts them as CPU time of whatever ran.
const OVERRUN: u64 = 10_000_000;
/// and so was one that took so many of any time: more than other processes take from a thread.
const STALL: u64 = 100_000_000;

/// What is known of how long a model's runs take.
#[derive(Debug, Default)]
pub(crate) struct Short {
    /// It has run for too long on a door's thread.
    ended: AtomicBool,
    kinds: Mutex<Kinds>,
    crowd: Crowd,
}

#[derive(Debug, Default)]
struct Kinds {
    list: [Kind; KINDS],
    /// The one that makes room next.
    next: usize,
}

/// Runs with inputs of the same types and shapes.
#[derive(Clone, Copy, Debug, Default)]
struct Kind {
    key: u64,
    runs: u32,
    /// Those that were not short, the long ones among them.
    slow: u32,
    long: u32,
}

impl Kinds {
    fn allow(&self, key: u64) -> bool {
        let kind = self.list.iter().find(|kind| kind.key == key);
        kind.is_some_and(|kind| {
            kind.runs >= ENOUGH
                && kind.slow * SHORT_BUT_ONE_IN <= kind.runs
                && kind.long * LONG_ONE_IN <= kind.runs
        })
    }

    fn saw(&mut self, key: u64, took: Took) {
        let at = self.list.iter().position(|kind| kind.key == key);
        let at = at.unwrap_or_else(|| {
            self.next = (self.next + 1) % KINDS;
            self.next
        });
        let Some(kind) = self.list.get_mut(at) else {
            return;
        };
        if kind.key != key {
            *kind = Kind {
                key,
                ..Kind::default()
            };
        }
        kind.runs += 1;
        let long = took.cpu > LONG || took.nanos > LONG_IN_ALL;
        kind.slow += u32::from(long || took.cpu > SHORT);
        kind.long += u32::from(long);
        if kind.runs >= FULL {
            kind.runs /= 2;
            kind.slow /= 2;
            kind.long /= 2;
        }
    }
}

impl Short {
    fn saw(&self, inputs: &Inputs, took: Took) {
        lock(&self.kinds).saw(key(inputs), took);
    }

    fn allow(&self, inputs: &Inputs) -> bool {
        !self.ended.load(Ordering::Relaxed) && lock(&self.kinds).allow(key(inputs))
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// How requests come, of a model whose requests share runs.
    pub(crate) fn crowd(&self) -> &Crowd {
        &self.crowd
    }
}

/// Element types and shapes of inputs, in a number that is not 0.
fn key(inputs: &Inputs) -> u64 {
    let mut key = inputs.len() as u64;
    let mut mix = |value: u64| {
        key = (key ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        key ^= key >> 29;
    };
    for input in inputs {
        mix(input.dtype() as u64);
        let dims = input.shape().dims();
        mix(dims.len() as u64);
        dims.iter().for_each(|&dim| mix(dim as u64));
    }
    key | 1
}

/// Nanoseconds of a run.
#[derive(Clone, Copy)]
struct Took {
    cpu: u64,
    nanos: u64,
}

/// Measures a run on a worker, for one request alone, if it matters: it costs two calls of the
/// system, a third of a microsecond.
pub(crate) struct Watch(Option<u64>);

impl Watch {
    /// Before the run.
    pub(crate) fn begin(model: &Model) -> Self {
        let matters = may(model) && !model.short().ended.load(Ordering::Relaxed);
        Self(matters.then(cpu_time))
    }

    /// After one that ended well and took `nanos` nanoseconds in all.
    pub(crate) fn end(self, model: &Model, inputs: &Inputs, nanos: u64) {
        if let Some(begun) = self.0 {
            let cpu = cpu_time().saturating_sub(begun);
            model.short().saw(inputs, Took { cpu, nanos });
        }
    }
}

/// Whether runs of a model may ever go without a hand-off.
///
/// Not where a minimum makes a request wait for others. Not where sub-graphs make the time depend
/// on values. Never scripts: they may call the server.
fn may(model: &Model) -> bool {
    let config = &model.shared.config;
    config.inline_runs && !model.def().is_script() && model.def().batch().min_size <= 1
}

/// Whether requests of a model may share runs.
fn shares(model: &Model) -> bool {
    model.def().batch().size > 1
}

/// See [`crate::Engine::run_inline`].
pub(crate) fn run(shared: &Arc<Shared>, request: Request) -> Result<Outcome, Request> {
    let Some((session, permit)) = ready(&request) else {
        return Err(request);
    };
    let model = &request.model;
    let deadline = shared.deadline(request.timeout);
    let cpu = cpu_time();
    let attempted = attempt_here(shared, &request, &session, deadline);
    let cpu = cpu_time().saturating_sub(cpu);
    drop(permit);
    let poisoned = matches!(&attempted.result, Err(error) if error.status == Status::Poisoned);
    if poisoned || cpu > OVERRUN || attempted.nanos > STALL {
        model.short().end();
    }
    if attempted.result.is_ok() {
        let nanos = attempted.nanos;
        model.short().saw(&request.inputs, Took { cpu, nanos });
    }
    let times = Some((0, attempted.nanos));
    model.stats().record(&attempted.result, times);
    let now = attempted.began.saturating_add(attempted.nanos);
    if shares(model) {
        model.stats().record_rows(rows_of(&request.inputs), 1);
        model.short().crowd.ran_here(attempted.began, now);
    }
    Ok(outcome(attempted.result, deadline, now).1)
}

/// The session and a permit, if the request can run now and nothing speaks against it.
fn ready(request: &Request) -> Option<(Arc<Session>, Permit)> {
    let model = &request.model;
    if !may(model) || !model.is_ready() || !model.short().allow(&request.inputs) {
        return None;
    }
    // A row costs less in a run with others, and while this thread is in runs no batch forms.
    if shares(model) && model.short().crowd.together() {
        return None;
    }
    let steady = model.signature().is_some_and(|said| !said.control_flow);
    // Those that wait came first.
    let idle = model.queue().is_some_and(|queue| queue.is_empty());
    let fits = request.check_counts();
    if !steady || !idle || fits.is_err() {
        return None;
    }
    let session = model.session()?;
    Some((session, Permit::try_now(model)?))
}

/// CPU time of this thread, in nanoseconds.
fn cpu_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

#[cfg(all(test, not(loom)))]
mod tests;
