//! A built model and the permits to run it.

use crate::EngineError;
use crate::job::Job;
use crate::scheduler::{Entry, Reaper};
use crate::shared::{lock, wait};
use redisai_core::{Backend, BackendError, LoadedModel, Run, RunOutput, Status};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

/// A built model. When the last user lets go of it, the freeing thread destroys it.
pub(crate) struct Session {
    /// Always there until the drop, which passes it on.
    loaded: Option<Arc<dyn LoadedModel>>,
    backend: Arc<dyn Backend>,
    reaper: Arc<Reaper>,
    /// Runs at one time; 0: any number.
    most: usize,
    permits: Mutex<Permits>,
    freed: Condvar,
}

#[derive(Default)]
struct Permits {
    used: usize,
    /// Jobs that a worker took from the queue and found no permit for, oldest first.
    parked: VecDeque<Arc<Job>>,
    /// Threads that wait for a permit,
    callers: usize,
    /// and permits that are theirs already.
    granted: usize,
    /// Whether the last permit that came free went to a job: callers and jobs take turns.
    job_had_it: bool,
}

/// Where a permit that came free went.
enum Next {
    Job(Arc<Job>),
    Caller,
    Nobody,
}

impl Permits {
    fn release(&mut self) -> Next {
        let caller_waits = self.callers > self.granted;
        if caller_waits && (self.job_had_it || self.parked.is_empty()) {
            self.job_had_it = false;
            self.granted += 1;
            return Next::Caller;
        }
        if let Some(job) = self.parked.pop_front() {
            self.job_had_it = true;
            return Next::Job(job);
        }
        self.used -= 1;
        Next::Nobody
    }
}

impl Session {
    pub(crate) fn new(
        loaded: Arc<dyn LoadedModel>,
        backend: Arc<dyn Backend>,
        reaper: Arc<Reaper>,
    ) -> Self {
        let most = backend.info().capabilities.max_concurrent_runs as usize;
        Self {
            loaded: Some(loaded),
            backend,
            reaper,
            most,
            permits: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    /// Runs it on the calling thread.
    pub(crate) fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        match &self.loaded {
            Some(loaded) => loaded.run(run),
            None => Err(BackendError::new(Status::Lost, "ERR the session is gone")),
        }
    }

    /// The framework that it lives in.
    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    pub(crate) fn figures(&self) -> Vec<(String, String)> {
        self.loaded
            .as_ref()
            .map(|loaded| loaded.figures())
            .unwrap_or_default()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(loaded) = self.loaded.take() {
            self.reaper.push(Box::new(loaded));
        }
    }
}

/// The right to run a session once; nothing to count where runs are not limited.
pub(crate) struct Permit(Option<Arc<Session>>);

impl Permit {
    /// A permit for `job`, or `None`: then the session keeps the job and puts it back at the head
    /// of its queue, with the permit, as soon as one is free.
    pub(crate) fn or_park(session: &Arc<Session>, job: &Arc<Job>) -> Option<Self> {
        if session.most == 0 {
            return Some(Self(None));
        }
        let mut permits = lock(&session.permits);
        if permits.used < session.most {
            permits.used += 1;
            return Some(Self(Some(Arc::clone(session))));
        }
        if let Some(queue) = job.model.queue() {
            queue.add_outside();
        }
        permits.parked.push_back(Arc::clone(job));
        None
    }

    /// A permit for the calling thread, which waits for it.
    pub(crate) fn wait(session: &Arc<Session>) -> Self {
        if session.most == 0 {
            return Self(None);
        }
        let mut permits = lock(&session.permits);
        if permits.used < session.most {
            permits.used += 1;
        } else {
            permits.callers += 1;
            while permits.granted == 0 {
                permits = wait(&session.freed, permits);
            }
            permits.granted -= 1;
            permits.callers -= 1;
        }
        Self(Some(Arc::clone(session)))
    }

    /// Whether it counts for this session and not for one from before it was built anew.
    pub(crate) fn is_for(&self, session: &Arc<Session>) -> bool {
        match &self.0 {
            Some(own) => Arc::ptr_eq(own, session),
            None => session.most == 0,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut free = self.0.take();
        // A loop and no recursion: where a queue is closed, all parked jobs end here in a row.
        while let Some(session) = free.take() {
            let next = lock(&session.permits).release();
            match next {
                Next::Job(job) => free = hand_on(job, session),
                Next::Caller => session.freed.notify_one(),
                Next::Nobody => {}
            }
        }
    }
}

/// Puts a parked job back at the head of its queue, with the permit. A job that has ended
/// meanwhile is dropped by the worker that takes it, and the permit comes free again. Gives the
/// session back if the queue is closed.
fn hand_on(job: Arc<Job>, session: Arc<Session>) -> Option<Arc<Session>> {
    let queue = job.model.queue().cloned()?;
    let refused = queue.put_back(Entry {
        job,
        permit: Some(Permit(Some(session))),
    });
    let Entry { job, permit } = refused.err()?;
    job.fail(EngineError::ShutDown.into());
    permit.and_then(|mut permit| permit.0.take())
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::tests::{Rig, request};

    #[test]
    fn jobs_and_callers_take_turns() {
        let rig = Rig::new();
        let model = rig.unbuilt("echo");
        let job = || Arc::new(Job::new(request(&model), 0, Box::new(|_, _| ())));
        let parked: VecDeque<_> = (0..3).map(|_| job()).collect();
        let mut permits = Permits {
            used: 1,
            callers: 2,
            parked,
            ..Permits::default()
        };
        let turns: Vec<_> = (0..6)
            .map(|_| match permits.release() {
                Next::Job(_) => "job",
                Next::Caller => "caller",
                Next::Nobody => "nobody",
            })
            .collect();
        assert_eq!(turns, ["job", "caller", "job", "caller", "job", "nobody"]);
        assert_eq!((permits.used, permits.granted), (0, 2));
    }
}
