//! The threads that build sessions.

use crate::model::Model;
use crate::shared::{Shared, lock, wait};
use crate::{EngineError, build};
use redisai_core::LogLevel;
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, Weak};

/// Models to build: those that somebody waits for first, then those of a load, each in the order
/// they came.
#[derive(Default)]
pub(crate) struct Loader {
    inner: Mutex<Inner>,
    arrived: Condvar,
}

#[derive(Default)]
struct Inner {
    urgent: VecDeque<Arc<Model>>,
    /// A key may be deleted before its turn: then its build is left out.
    later: VecDeque<Weak<Model>>,
    idle: usize,
    threads: usize,
    closed: bool,
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
        let inner = lock(&self.inner);
        inner.urgent.len() + inner.later.len()
    }

    fn work(&self, shared: &Shared) {
        while let Some(model) = self.next() {
            build::claimed(&model);
            if let Some(model) = Arc::into_inner(model) {
                shared.reaper.push(Box::new(model));
            }
        }
    }

    fn next(&self) -> Option<Arc<Model>> {
        let mut inner = lock(&self.inner);
        loop {
            if inner.closed {
                return None;
            }
            if let Some(model) = inner.urgent.pop_front() {
                return Some(model);
            }
            if let Some(model) = inner.later.pop_front() {
                if let Some(model) = model.upgrade() {
                    return Some(model);
                }
            } else {
                inner.idle += 1;
                inner = wait(&self.arrived, inner);
                inner.idle -= 1;
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
    let free = inner.idle > inner.urgent.len() + inner.later.len();
    if free || inner.threads >= most {
        return Ok(());
    }
    let own = Arc::clone(shared);
    let name = format!("ai-loader-{}", inner.threads);
    shared.threads.start(name, move || own.loader.work(&own))?;
    inner.threads += 1;
    Ok(())
}
