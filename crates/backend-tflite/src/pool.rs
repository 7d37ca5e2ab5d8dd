//! Compiled models of one model: each runs one at a time.

use crate::compiled::Compiled;
use redisai_core::BackendError;
use std::sync::{Condvar, Mutex, PoisonError};

/// Compiled models that wait for a run. There are as many as ever ran at once.
pub(crate) struct Pool {
    idle: Mutex<Idle>,
    freed: Condvar,
    /// Whether there may be only one, since it keeps variables from run to run.
    single: bool,
}

struct Idle {
    compiled: Vec<Compiled>,
    /// How many are in use.
    out: usize,
}

impl Pool {
    /// A pool that begins with one.
    pub(crate) fn new(first: Compiled, single: bool) -> Self {
        Self {
            idle: Mutex::new(Idle {
                compiled: vec![first],
                out: 0,
            }),
            freed: Condvar::new(),
            single,
        }
    }

    /// Runs `work` with a compiled model of its own; `compile` makes one where none waits. One that
    /// is broken afterwards is let go.
    pub(crate) fn with<T>(
        &self,
        compile: impl FnOnce() -> Result<Compiled, BackendError>,
        work: impl FnOnce(&mut Compiled) -> Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while self.single && idle.out > 0 {
            idle = self
                .freed
                .wait(idle)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let waiting = idle.compiled.pop();
        idle.out += 1;
        drop(idle);
        let mut place = Place {
            pool: self,
            compiled: waiting,
        };
        let compiled = match &mut place.compiled {
            Some(compiled) => compiled,
            none => none.insert(compile()?),
        };
        work(compiled)
    }
}

/// A compiled model that is in use; it goes back when dropped, also by a panic.
struct Place<'a> {
    pool: &'a Pool,
    compiled: Option<Compiled>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Of a panic nobody knows what it left behind.
        let usable = |compiled: &Compiled| !compiled.is_broken() && !std::thread::panicking();
        let back = self.compiled.take().filter(usable);
        let mut idle = self
            .pool
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        idle.out -= 1;
        idle.compiled.extend(back);
        drop(idle);
        self.pool.freed.notify_one();
    }
}
