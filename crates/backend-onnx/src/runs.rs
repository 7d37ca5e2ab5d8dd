//! Runs that are going on, so that they can be stopped by number.

use crate::error::Doing;
use crate::handles::RunOptions;
use crate::sys::ort;
use ort_sys::{OrtApi, OrtRunOptions};
use redisai_core::BackendError;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shards, so that workers seldom meet at a lock.
const SHARDS: usize = 16;
/// Idle options that a shard keeps.
const IDLE: usize = 8;

/// Options of the runs that are going on, by the run's number, and of some that are over.
pub(crate) struct Runs {
    api: &'static OrtApi,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    active: Vec<Active>,
    idle: Vec<RunOptions>,
}

struct Active {
    id: u64,
    options: RunOptions,
    stopped: bool,
}

impl Runs {
    /// No run yet.
    pub(crate) fn new(api: &'static OrtApi) -> Self {
        Self {
            api,
            shards: Default::default(),
        }
    }

    /// Begins a run: until the guard is dropped, `cancel(id)` stops it.
    pub(crate) fn begin(&self, id: u64) -> Result<Running<'_>, BackendError> {
        let mut shard = self.shard(id);
        let options = match shard.idle.pop() {
            Some(options) => options,
            // SAFETY: the function writes options that the caller owns.
            None => unsafe {
                RunOptions::make(self.api, Doing::Run, |out| (self.api.CreateRunOptions)(out))
            }?,
        };
        let raw = options.as_ptr();
        shard.active.push(Active {
            id,
            options,
            stopped: false,
        });
        drop(shard);
        Ok(Running {
            runs: self,
            id,
            raw,
        })
    }

    /// Asks the run of this number to stop between two of its operators.
    pub(crate) fn cancel(&self, id: u64) {
        let mut shard = self.shard(id);
        for active in shard.active.iter_mut().filter(|active| active.id == id) {
            active.stopped = true;
            // SAFETY: the options are in `active`, so they live; the flag may be set during a run. It
            // cannot fail in a way that anybody could act on.
            let _ = unsafe {
                ort!(
                    self.api,
                    Doing::Run,
                    RunOptionsSetTerminate(active.options.as_ptr())
                )
            };
        }
    }

    fn shard(&self, id: u64) -> MutexGuard<'_, Shard> {
        let [first, ..] = &self.shards;
        let place = usize::try_from(id % SHARDS as u64).unwrap_or(0);
        self.shards
            .get(place)
            .unwrap_or(first)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that is going on.
pub(crate) struct Running<'a> {
    runs: &'a Runs,
    id: u64,
    raw: *mut OrtRunOptions,
}

impl Running<'_> {
    /// Its options, valid until the guard is dropped.
    pub(crate) fn options(&self) -> *const OrtRunOptions {
        self.raw
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut shard = self.runs.shard(self.id);
        let place = shard
            .active
            .iter()
            .position(|active| active.options.as_ptr() == self.raw);
        let Some(ended) = place.map(|place| shard.active.swap_remove(place)) else {
            return;
        };
        // Options whose flag was set are not used again.
        if !ended.stopped && shard.idle.len() < IDLE {
            shard.idle.push(ended.options);
        }
    }
}
