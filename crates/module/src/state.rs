//! The module's one state: what commands and callbacks share.

use crate::blocked::InFlight;
use crate::index::Index;
use crate::loading::Aside;
use crate::server::raw;
use redisai_backend_loader::Loader;
use redisai_command::LoadOptions;
use redisai_engine::Engine;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Everything that lives as long as the server.
pub(crate) struct State {
    /// Runs models and scripts.
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
    /// The registered type `AI_SCRIPT`.
    pub(crate) script_type: AtomicPtr<raw::RedisModuleType>,
    /// A scan has warned that it is experimental.
    pub(crate) scan_warned: AtomicBool,
    index: Mutex<Index>,
    aside: Mutex<Aside>,
    jobs: Mutex<Jobs>,
}

/// Jobs by the address of their blocked client.
pub(crate) type Jobs = HashMap<usize, InFlight, BuildHasherDefault<AddressHasher>>;

/// Spreads an address by one multiplication: the server chooses it, no client does.
#[derive(Default)]
pub(crate) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_usize(byte.into());
        }
    }

    fn write_usize(&mut self, address: usize) {
        let mixed = (self.0 ^ address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // The table looks at the highest and at the lowest bits.
        self.0 = mixed ^ (mixed >> 32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Null, or a state that is never freed: the library stays in memory after a load that failed, and
/// the next load of the same process makes another one.
static STATE: AtomicPtr<State> = AtomicPtr::new(null_mut());

/// The state. Only called after [`install`]: commands and types are registered behind it.
#[allow(
    clippy::panic,
    reason = "reached only by a bug in OnLoad, and caught by the guard"
)]
pub(crate) fn state() -> &'static State {
    match state_if_loaded() {
        Some(state) => state,
        None => panic!("the module is not loaded"),
    }
}

/// The state, where a callback may come before the module is loaded.
pub(crate) fn state_if_loaded() -> Option<&'static State> {
    // SAFETY: null, or a state that `install` leaked.
    unsafe { STATE.load(Ordering::Acquire).as_ref() }
}

/// Sets the state. Once a load: what an earlier one left behind is shut down.
pub(crate) fn install(engine: Engine, loader: Arc<Loader>, options: LoadOptions) -> &'static State {
    let state: &'static State = Box::leak(Box::new(State {
        engine,
        loader,
        chunk_size: AtomicU64::new(options.model_chunk_size),
        options,
        tensor_type: AtomicPtr::default(),
        model_type: AtomicPtr::default(),
        script_type: AtomicPtr::default(),
        scan_warned: AtomicBool::new(false),
        index: Mutex::default(),
        aside: Mutex::default(),
        jobs: Mutex::default(),
    }));
    STATE.store(std::ptr::from_ref(state).cast_mut(), Ordering::Release);
    state
}

impl State {
    /// Where models and scripts are.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where models are in a data set that is not served. Taken before [`State::index`].
    pub(crate) fn aside(&self) -> MutexGuard<'_, Aside> {
        self.aside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Jobs of blocked clients, by client.
    pub(crate) fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
