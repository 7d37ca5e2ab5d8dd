//! The threads that build sessions.

use super::NEVER;
use crate::model::Model;
use crate::shared::{Shared, lock, wait};
use crate::{EngineError, build};
use redisai_core::LogLevel;
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};

/// A build that takes longer, in nanoseconds, has another thread started for the models behind it:
/// an endless loop in what a model does while it is loaded must hold up nobody else.
const PATIENCE: u64 = 30_000_000_000;

/// Models to build: those that somebody waits for first, then those of a load, each in the order
/// they came.
pub(crate) struct Loader {
    inner: Mutex<Inner>,
    arrived: Condvar,
    /// When the timer has to call [`Loader::relieve`].
    first: AtomicU64,
}

#[derive(Default)]
struct Inner {
    urgent: VecDeque<Arc<Model>>,
    /// A key may be deleted before its turn: then its build is left out.
    later: VecDeque<Weak<Model>>,
    idle: usize,
    /// Threads that come back for more, and
    threads: usize,
    /// those that others were started in the place of, which end after the build they are at.
    relieved: usize,
    /// Threads that were ever started: their numbers.
    started: usize,
    /// Builds that go on: the thread, and when it began.
    builds: Vec<(usize, u64)>,
    closed: bool,
}

impl Inner {
    fn waiting(&self) -> usize {
        self.urgent.len() + self.later.len()
    }

    /// The next one, unless its key is gone.
    fn take(&mut self) -> Option<Arc<Model>> {
        let urgent = self.urgent.pop_front();
        urgent.or_else(|| self.later.pop_front()?.upgrade())
    }
}

impl Default for Loader {
    fn default() -> Self {
        Self {
            inner: Mutex::default(),
            arrived: Condvar::new(),
            first: AtomicU64::new(NEVER),
        }
    }
}

impl Loader {
    /// Puts a model in line; an error if no thread will build it.
    pub(crate) fn push(
        &self,
        shared: &Arc<Shared>,
        model: &Arc<Model>,
        urgent: bool,
    ) -> Result<(), EngineError> {
        let mut inner = lock(&self.inner);
        if inner.closed {
            return Err(EngineError::ShutDown);
        }
        let started = ensure_thread(&mut inner, shared);
        let served = inner.threads > 0;
        if served && urgent {
            inner.urgent.push_back(Arc::clone(model));
        } else if served {
            inner.later.push_back(Arc::downgrade(model));
        }
        self.watch(&inner, shared);
        drop(inner);
        self.arrived.notify_one();
        if let Err(error) = started {
            let text = format!("Could not start a loader thread: {error}");
            shared.log(LogLevel::Warning, &text);
        }
        if served {
            Ok(())
        } else {
            Err(EngineError::NoLoader)
        }
    }

    /// Places taken in both lines.
    pub(crate) fn len(&self) -> usize {
        lock(&self.inner).waiting()
    }

    /// When a build will have taken so long that another thread is due for what waits behind it;
    /// [`NEVER`] if nothing does.
    pub(crate) fn first(&self) -> u64 {
        self.first.load(Ordering::SeqCst)
    }

    /// Tells the timer when to look at the builds that go on.
    fn watch(&self, inner: &Inner, shared: &Arc<Shared>) {
        let more = inner.relieved < shared.config.max_replaced_workers;
        let first = inner.builds.iter().map(|&(_, began)| began).min();
        let at = match first {
            Some(began) if more && inner.waiting() > 0 => began.saturating_add(PATIENCE),
            _ => NEVER,
        };
        self.first.store(at, Ordering::SeqCst);
        if at == NEVER {
            return;
        }
        if let Err(error) = shared.timer.start(shared) {
            let text = format!("Could not start the timer's thread: {error}");
            shared.log(LogLevel::Warning, &text);
        }
        shared.timer.arm(at);
    }

    /// Starts a thread in the place of each whose build takes too long, while models wait.
    pub(crate) fn relieve(&self, shared: &Arc<Shared>, now: u64) {
        let mut inner = lock(&self.inner);
        let late = |&(_, began): &(usize, u64)| began.saturating_add(PATIENCE) <= now;
        while inner.relieved < shared.config.max_replaced_workers
            && inner.waiting() > 0
            && let Some(at) = inner.builds.iter().position(late)
        {
            let (thread, _) = inner.builds.swap_remove(at);
            inner.threads -= 1;
            inner.relieved += 1;
            let what = match ensure_thread(&mut inner, shared) {
                Ok(()) => "others go on without it".to_owned(),
                Err(error) => format!("no other could be started: {error}"),
            };
            let text = format!("Loader thread {thread} builds one model for very long; {what}");
            shared.log(LogLevel::Warning, &text);
        }
        self.watch(&inner, shared);
    }

    fn work(&self, shared: &Arc<Shared>, thread: usize) {
        while let Some(model) = self.next(shared, thread) {
            build::claimed(&model);
            if let Some(model) = Arc::into_inner(model) {
                shared.reaper.push(Box::new(model));
            }
            if self.lost_place(shared, thread) {
                return;
            }
        }
    }

    /// A build has ended; whether another thread has this one's place by now.
    fn lost_place(&self, shared: &Arc<Shared>, thread: usize) -> bool {
        let mut inner = lock(&self.inner);
        let own = inner.builds.iter().position(|&(one, _)| one == thread);
        if let Some(at) = own {
            inner.builds.swap_remove(at);
        } else {
            inner.relieved -= 1;
        }
        self.watch(&inner, shared);
        own.is_none()
    }

    fn next(&self, shared: &Arc<Shared>, thread: usize) -> Option<Arc<Model>> {
        let mut inner = lock(&self.inner);
        loop {
            if inner.closed {
                return None;
            }
            if inner.waiting() == 0 {
                inner.idle += 1;
                inner = wait(&self.arrived, inner);
                inner.idle -= 1;
            } else if let Some(model) = inner.take() {
                inner.builds.push((thread, shared.clock.now()));
                self.watch(&inner, shared);
                return Some(model);
            }
        }
    }

    /// Ends the threads after the builds they are at; what waits fails.
    pub(crate) fn close(&self) {
        let mut inner = lock(&self.inner);
        inner.closed = true;
        let urgent = std::mem::take(&mut inner.urgent);
        let later = std::mem::take(&mut inner.later);
        drop(inner);
        self.arrived.notify_all();
        let later = later.iter().filter_map(Weak::upgrade);
        for model in urgent.into_iter().chain(later) {
            build::abandon(&model, EngineError::ShutDown.into());
        }
    }
}

/// Starts a thread if those there are have enough to do and there may be more.
fn ensure_thread(inner: &mut Inner, shared: &Arc<Shared>) -> io::Result<()> {
    let most = shared.config.loader_threads.max(1);
    // Idle threads that an earlier model has not called already.
    let free = inner.idle > inner.waiting();
    if free || inner.threads >= most {
        return Ok(());
    }
    let own = Arc::clone(shared);
    let thread = inner.started;
    let name = format!("ai-loader-{thread}");
    shared
        .threads
        .start(name, move || own.loader.work(&own, thread))?;
    inner.threads += 1;
    inner.started += 1;
    Ok(())
}
