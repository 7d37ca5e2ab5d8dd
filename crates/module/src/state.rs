//! The module's one state: what commands and callbacks share.

use crate::index::Index;
use crate::server::raw;
use redisai_backend_loader::Loader;
use redisai_command::LoadOptions;
use redisai_engine::{Engine, JobHandle};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Everything that lives as long as the server.
pub(crate) struct State {
    /// Runs models.
    pub(crate) engine: Engine,
    /// Finds and loads backend libraries.
    pub(crate) loader: Arc<Loader>,
    /// The options the module was loaded with.
    pub(crate) options: LoadOptions,
    /// `MODEL_CHUNK_SIZE`, which `AI.CONFIG` may change. Atomic: a forked child reads it.
    pub(crate) chunk_size: AtomicU64,
    /// The registered type `AI_TENSOR`.
    pub(crate) tensor_type: AtomicPtr<raw::RedisModuleType>,
    /// The registered type `AI__MODEL`.
    pub(crate) model_type: AtomicPtr<raw::RedisModuleType>,
    /// `AI._MODELSCAN` has warned that it is experimental.
    pub(crate) scan_warned: AtomicBool,
    index: Mutex<Index>,
    jobs: Mutex<HashMap<usize, JobHandle>>,
}

static STATE: OnceLock<State> = OnceLock::new();

/// The state. Only called after [`install`]: commands and types are registered behind it.
#[allow(
    clippy::panic,
    reason = "reached only by a bug in OnLoad, and caught by the guard"
)]
pub(crate) fn state() -> &'static State {
    match STATE.get() {
        Some(state) => state,
        None => panic!("the module is not loaded"),
    }
}

/// The state, where a callback may come before the module is loaded.
pub(crate) fn state_if_loaded() -> Option<&'static State> {
    STATE.get()
}

/// Sets the state, once.
pub(crate) fn install(engine: Engine, loader: Arc<Loader>, options: LoadOptions) -> &'static State {
    STATE.get_or_init(|| State {
        engine,
        loader,
        chunk_size: AtomicU64::new(options.model_chunk_size),
        options,
        tensor_type: AtomicPtr::default(),
        model_type: AtomicPtr::default(),
        scan_warned: AtomicBool::new(false),
        index: Mutex::default(),
        jobs: Mutex::default(),
    })
}

impl State {
    /// Where models are.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Jobs of blocked clients, by client.
    pub(crate) fn jobs(&self) -> MutexGuard<'_, HashMap<usize, JobHandle>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
