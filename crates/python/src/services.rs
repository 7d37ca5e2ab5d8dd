//! What backends ask of this door: a place for log lines, and models by the name that an engine knows
//! them by.

use redisai_core::{BackendError, HostServices, LogLevel, RunOutput, Status, Tensor};
use redisai_engine::{Call, Engine, Model, Request};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// A model, and which of its functions runs if not the first.
pub(crate) type Named = (Arc<Model>, Option<Arc<Call>>);

/// Models that scripts of one engine can call.
pub(crate) struct Names {
    engine: Engine,
    models: Mutex<HashMap<Vec<u8>, Named>>,
}

impl Names {
    /// Of an engine; scripts find it by the number.
    pub(crate) fn of(engine: &Engine) -> (u64, Arc<Self>) {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let names = Arc::new(Self {
            engine: engine.clone(),
            models: Mutex::default(),
        });
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        engines().insert(number, Arc::downgrade(&names));
        (number, names)
    }

    /// Gives a model a name; whatever had it before has it no more.
    pub(crate) fn set(&self, name: &[u8], named: Named) {
        self.lock().insert(name.to_vec(), named);
    }

    /// Takes a name away.
    pub(crate) fn remove(&self, name: &[u8]) -> bool {
        self.lock().remove(name).is_some()
    }

    fn get(&self, name: &[u8]) -> Option<Named> {
        self.lock().get(name).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Named>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

static ENGINES: Mutex<Option<HashMap<u64, Weak<Names>>>> = Mutex::new(None);

struct Engines(MutexGuard<'static, Option<HashMap<u64, Weak<Names>>>>);

fn engines() -> Engines {
    Engines(ENGINES.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Engines {
    fn insert(&mut self, number: u64, names: Weak<Names>) {
        let all = self.0.get_or_insert_default();
        all.retain(|_, names| names.strong_count() > 0);
        all.insert(number, names);
    }

    fn get(&self, number: u64) -> Option<Arc<Names>> {
        self.0.as_ref()?.get(&number)?.upgrade()
    }
}

/// Of all engines of the process: a backend library is loaded once.
pub(crate) struct Services;

impl HostServices for Services {
    /// What backends say goes to stderr, if it matters.
    fn log(&self, level: LogLevel, text: &str) {
        if level >= LogLevel::Warning {
            eprintln!("{text}");
        }
    }

    fn call(&self, _: u64, _: &[&[u8]]) -> Result<Vec<u8>, BackendError> {
        Err(BackendError::new(
            Status::Unsupported,
            "ERR redis.execute needs a server, and the engine runs in a Python process",
        ))
    }

    fn run_model(
        &self,
        context: u64,
        key: &[u8],
        inputs: Vec<Arc<Tensor>>,
        outputs: usize,
    ) -> Result<RunOutput, BackendError> {
        let names = engines().get(context);
        let found = names.and_then(|names| Some((names.engine.clone(), names.get(key)?)));
        let Some((engine, (model, call))) = found else {
            let name = String::from_utf8_lossy(key);
            return Err(BackendError::new(
                Status::BadInput,
                format!(
                    "ERR the engine has no model of the name {name}: load it with name={name:?}"
                ),
            ));
        };
        engine.run_here(Request {
            model,
            call,
            inputs: inputs.into_iter().collect(),
            outputs,
            timeout: None,
        })
    }
}
