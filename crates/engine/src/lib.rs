//! Registry, model lifecycle, device queues, deadlines, statistics.
//!
//! A door (the Redis module, Python) makes one [`Engine`], turns definitions of models and of scripts into [`Model`]s and
//! hands in [`Request`]s; each ends in exactly one call of its [`Completion`]. The engine knows no
//! Redis and no framework: backends come from a [`BackendSource`], time from a [`Clock`].
//!
//! Where to look: `engine` is the public face; `model`, `build` and `session` are the life of a
//! model; `job` and `ticket` are one request and the one atomic change that decides its end; `dag` is
//! several models in one request;
//! `scheduler` holds everything that starts a thread or waits.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod batching;
mod build;
mod clock;
mod config;
mod dag;
mod engine;
mod error;
mod info;
mod inline;
mod job;
mod model;
mod place;
mod registry;
mod run;
mod scheduler;
mod session;
mod shared;
mod stats;
mod sync;
#[cfg(any(test, feature = "testing"))]
#[allow(clippy::panic, clippy::indexing_slicing, reason = "for tests alone")]
pub mod testing;
mod ticket;

pub use batching::BatchInfo;
pub use build::BuildDone;
pub use clock::{Clock, SystemClock};
pub use config::{Config, LogFn};
pub use dag::{
    DagCompletion, DagHandle, DagOp, DagOutcome, DagRequest, DagResult, InputSlots, OpEnd,
    OutputSlots, Slots,
};
pub use engine::Engine;
pub use error::{EngineError, Refused};
pub use info::{Info, QueueInfo, WorkerInfo};
pub use job::{Call, Completion, Inputs, JobHandle, Outcome, Request};
pub use model::{Model, ModelState, NameList};
pub use registry::BackendSource;
pub use stats::{Percentiles, RunStats, Stats, StatsView};

#[cfg(all(test, not(loom)))]
mod tests;
