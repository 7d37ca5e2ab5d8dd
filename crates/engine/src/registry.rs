//! Which backends are loaded.

use crate::model::{Model, Stage};
use crate::shared::lock;
use crate::sync::guarded;
use crate::{EngineError, build};
use redisai_core::{Backend, BackendError, BackendKind, LogLevel, Status};
use std::sync::{Arc, Mutex, OnceLock, Weak};

/// Where backends come from; the door wires it to the loader.
pub trait BackendSource: Send + Sync {
    /// Loads a backend library: the one at `path`, or where it is found by rule. The engine calls
    /// it once at a time for each kind, and not again after a success.
    fn open(
        &self,
        kind: BackendKind,
        path: Option<&[u8]>,
    ) -> Result<Arc<dyn Backend>, BackendError>;
}

/// The loaded backends.
pub(crate) struct Registry {
    source: Arc<dyn BackendSource>,
    tf: Slot,
    tflite: Slot,
    torch: Slot,
    onnx: Slot,
}

#[derive(Default)]
struct Slot {
    loaded: OnceLock<Arc<dyn Backend>>,
    /// Held while the library loads. Runs never take it.
    opening: Mutex<Opening>,
    /// Models that failed for want of the backend.
    orphans: Mutex<Vec<Weak<Model>>>,
}

#[derive(Default)]
struct Opening {
    failed: bool,
}

impl Registry {
    pub(crate) fn new(source: Arc<dyn BackendSource>) -> Self {
        Self {
            source,
            tf: Slot::default(),
            tflite: Slot::default(),
            torch: Slot::default(),
            onnx: Slot::default(),
        }
    }

    fn slot(&self, kind: BackendKind) -> &Slot {
        match kind {
            BackendKind::Tf => &self.tf,
            BackendKind::TfLite => &self.tflite,
            BackendKind::Torch => &self.torch,
            BackendKind::Onnx => &self.onnx,
        }
    }

    /// The backend, if it is loaded. Takes no lock.
    pub(crate) fn get(&self, kind: BackendKind) -> Option<&Arc<dyn Backend>> {
        self.slot(kind).loaded.get()
    }

    /// Loads a backend because a client says so.
    pub(crate) fn load(
        &self,
        kind: BackendKind,
        path: Option<&[u8]>,
    ) -> Result<Arc<dyn Backend>, EngineError> {
        let slot = self.slot(kind);
        let mut opening = lock(&slot.opening);
        if slot.loaded.get().is_some() {
            return Err(EngineError::BackendLoaded(kind));
        }
        let opened = self.open(kind, path, &mut opening);
        drop(opening);
        let backend = opened.map_err(EngineError::Backend)?;
        self.retry_orphans(kind);
        Ok(backend)
    }

    /// The backend for a build, loaded if need be. Where that failed before, only a build that a
    /// client asked for (`again`) tries once more: a thousand keys of a missing backend do not
    /// search for it a thousand times.
    pub(crate) fn need(
        &self,
        kind: BackendKind,
        again: bool,
        log: &dyn Fn(LogLevel, &str),
    ) -> Result<Arc<dyn Backend>, BackendError> {
        let missing = || BackendError::new(Status::Unsupported, "ERR Could not load backend");
        let slot = self.slot(kind);
        if let Some(backend) = slot.loaded.get() {
            return Ok(Arc::clone(backend));
        }
        let mut opening = lock(&slot.opening);
        if let Some(backend) = slot.loaded.get() {
            return Ok(Arc::clone(backend));
        }
        if opening.failed && !again {
            return Err(missing());
        }
        let opened = self.open(kind, None, &mut opening);
        drop(opening);
        match opened {
            Ok(backend) => {
                self.retry_orphans(kind);
                Ok(backend)
            }
            Err(error) => {
                let text = format!("Could not load {} backend: {error}", kind.name());
                log(LogLevel::Warning, &text);
                Err(missing())
            }
        }
    }

    fn open(
        &self,
        kind: BackendKind,
        path: Option<&[u8]>,
        opening: &mut Opening,
    ) -> Result<Arc<dyn Backend>, BackendError> {
        let opened = guarded(|| self.source.open(kind, path)).unwrap_or_else(|| {
            Err(BackendError::new(
                Status::Poisoned,
                "ERR loading the backend panicked",
            ))
        });
        opening.failed = opened.is_err();
        let backend = opened?;
        Ok(Arc::clone(self.slot(kind).loaded.get_or_init(|| backend)))
    }

    /// Keeps a model that failed for want of its backend, to be built when that is loaded.
    pub(crate) fn adopt(&self, model: &Arc<Model>) {
        let kind = model.def().backend();
        let mut orphans = lock(&self.slot(kind).orphans);
        if orphans.len() == orphans.capacity() {
            orphans.retain(|orphan| orphan.strong_count() > 0);
        }
        orphans.push(Arc::downgrade(model));
        drop(orphans);
        // It may have been loaded between the failure and now.
        if self.get(kind).is_some() {
            self.retry_orphans(kind);
        }
    }

    fn retry_orphans(&self, kind: BackendKind) {
        let orphans = std::mem::take(&mut *lock(&self.slot(kind).orphans));
        for model in orphans.iter().filter_map(Weak::upgrade) {
            let failed = model.with_life(|life| {
                let failed = matches!(life.stage, Stage::Failed(_));
                if failed {
                    life.stage = Stage::Unbuilt;
                }
                failed
            });
            if failed {
                build::background(&model);
            }
        }
    }
}
