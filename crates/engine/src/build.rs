//! From a definition to a session: who builds, who waits.

use crate::EngineError;
use crate::model::{Building, Model, Stage};
use crate::session::Session;
use crate::shared::Shared;
use crate::sync::guarded;
use redisai_core::{BackendError, LoadRequest, LogLevel, Status};
use std::sync::{Arc, mpsc};

/// Called once when a build has ended, on any thread, under no lock of the engine.
pub type BuildDone = Box<dyn FnOnce(Result<(), BackendError>) + Send>;

/// Somebody who waits for a build.
pub(crate) type Waiter = BuildDone;

/// How much a caller wants a build.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    /// A client stores the model: build, even if it failed before.
    Store,
    /// A run needs it: build if nobody has tried.
    Use,
    /// After a load: build when there is nothing better to do.
    Later,
}

/// Builds a model because a client asks for it.
pub(crate) fn store(model: &Arc<Model>, done: Waiter) {
    request(model, Want::Store, Some(done));
}

/// Waits for the session, and builds it if nobody has tried.
pub(crate) fn when_built(model: &Arc<Model>, done: Waiter) {
    request(model, Want::Use, Some(done));
}

/// Builds a model some time, if sessions are built eagerly.
pub(crate) fn background(model: &Arc<Model>) {
    if model.shared.config.eager {
        request(model, Want::Later, None);
    }
}

/// Builds a model on the calling thread, or waits for the thread that is at it.
pub(crate) fn here(model: &Arc<Model>, again: bool) -> Result<(), BackendError> {
    enum Step {
        Build(bool),
        Wait(mpsc::Receiver<Result<(), BackendError>>),
        Over(Result<(), BackendError>),
    }
    let step = model.with_life(|life| match &mut life.stage {
        Stage::Ready(_) => Step::Over(Ok(())),
        Stage::Failed(error) if !again => Step::Over(Err(error.clone())),
        Stage::Building(building) if building.claimed => {
            let (send, receive) = mpsc::channel();
            building.waiters.push(Box::new(move |result| {
                // The receiver waits below; it cannot be gone.
                let _ = send.send(result);
            }));
            Step::Wait(receive)
        }
        Stage::Building(building) => {
            building.claimed = true;
            Step::Build(again || building.explicit)
        }
        Stage::Unbuilt | Stage::Failed(_) => {
            life.stage = Stage::Building(Building {
                claimed: true,
                ..Building::default()
            });
            Step::Build(again)
        }
    });
    match step {
        Step::Over(result) => result,
        Step::Build(explicit) => build(model, explicit),
        Step::Wait(receive) => receive
            .recv()
            .unwrap_or_else(|_| Err(EngineError::ShutDown.into())),
    }
}

fn request(model: &Arc<Model>, want: Want, mut waiter: Option<Waiter>) {
    let urgent = want != Want::Later;
    // Some(Ok): it is there; Some(Err): it failed; None: wait. And whether to tell the loader.
    let (over, tell) = model.with_life(|life| match &mut life.stage {
        Stage::Ready(_) => (Some(Ok(())), false),
        Stage::Failed(error) if want != Want::Store => (Some(Err(error.clone())), false),
        Stage::Building(building) => {
            building.waiters.extend(waiter.take());
            building.explicit |= want == Want::Store;
            let tell = urgent && !building.urgent && !building.claimed;
            building.urgent |= urgent;
            (None, tell)
        }
        Stage::Unbuilt | Stage::Failed(_) => {
            life.stage = Stage::Building(Building {
                claimed: false,
                urgent,
                explicit: want == Want::Store,
                waiters: waiter.take().into_iter().collect(),
            });
            (None, true)
        }
    });
    if let (Some(result), Some(waiter)) = (over, waiter) {
        guarded(|| waiter(result));
    }
    if tell {
        tell_loader(model, urgent);
    }
}

fn tell_loader(model: &Arc<Model>, urgent: bool) {
    let shared = &model.shared;
    if let Err(error) = shared.loader.push(shared, model, urgent) {
        abandon(model, error.into());
    }
}

/// Builds a model from the loader's line, unless somebody else is at it or was.
pub(crate) fn claimed(model: &Arc<Model>) {
    let explicit = model.with_life(|life| match &mut life.stage {
        Stage::Building(building) if !building.claimed => {
            building.claimed = true;
            Some(building.explicit)
        }
        _ => None,
    });
    if let Some(explicit) = explicit {
        // The waiters are told; here nobody waits.
        let _ = build(model, explicit);
    }
}

/// Ends a build that nobody has begun with an error.
pub(crate) fn abandon(model: &Arc<Model>, error: BackendError) {
    let waiting = model
        .with_life(|life| matches!(&life.stage, Stage::Building(building) if !building.claimed));
    if waiting {
        finish(model, Err(error));
    }
}

/// A run has found the session unusable after a panic: it is built anew, once.
pub(crate) fn poisoned(model: &Arc<Model>, broken: &Arc<Session>, error: &BackendError) {
    let (old, again) = model.with_life(|life| {
        if !matches!(&life.stage, Stage::Ready(session) if Arc::ptr_eq(session, broken)) {
            return (None, false);
        }
        life.poisoned += 1;
        let again = life.poisoned == 1;
        let stage = if again {
            Stage::Building(Building {
                urgent: true,
                ..Building::default()
            })
        } else {
            Stage::Failed(error.clone())
        };
        (Some(std::mem::replace(&mut life.stage, stage)), again)
    });
    let Some(_old) = old else {
        return;
    };
    let what = if again {
        "is built anew"
    } else {
        "is given up"
    };
    let text = format!(
        "A session of the {} backend {what}: {error}",
        model.def().backend().name()
    );
    model.shared.log(LogLevel::Warning, &text);
    if again {
        tell_loader(model, true);
    }
}

fn build(model: &Arc<Model>, explicit: bool) -> Result<(), BackendError> {
    let shared = &model.shared;
    let kind = model.def().backend();
    let log = |level, text: &str| shared.log(level, text);
    let found = shared.registry.need(kind, explicit, &log);
    let orphan = found.is_err();
    let session = found.and_then(|backend| {
        guarded(|| load(shared, model, backend)).unwrap_or_else(|| {
            Err(BackendError::new(
                Status::Poisoned,
                "ERR building the session panicked",
            ))
        })
    });
    let result = session.as_ref().map(|_| ()).map_err(Clone::clone);
    finish(model, session);
    if orphan {
        shared.registry.adopt(model);
    }
    result
}

fn load(
    shared: &Arc<Shared>,
    model: &Arc<Model>,
    backend: Arc<dyn redisai_core::Backend>,
) -> Result<Arc<Session>, BackendError> {
    let def = model.def();
    let loaded = backend.load(&LoadRequest {
        kind: def.kind(),
        blob: def.blob(),
        device: def.device(),
        options: def.load_options(),
    })?;
    let signature = loaded.signature().clone();
    let capabilities = backend.info().capabilities.clone();
    let session = Session::new(loaded, backend, Arc::clone(&shared.reaper));
    // A queue only for a device that the backend accepted.
    let queue = shared.queues.open(shared, def.device())?;
    model.learn(signature, queue, &capabilities);
    Ok(Arc::new(session))
}

fn finish(model: &Arc<Model>, session: Result<Arc<Session>, BackendError>) {
    let stage = match session {
        Ok(session) => Stage::Ready(session),
        Err(error) => Stage::Failed(error),
    };
    // Whoever unloaded the model meanwhile has told those that waited; the session goes.
    settle(model, stage, |now| matches!(now, Stage::Building(_)));
}

/// Gives the session back and refuses every later run.
pub(crate) fn unload(model: &Arc<Model>) {
    let error = BackendError::new(Status::RunFailed, "ERR the model was unloaded");
    settle(model, Stage::Failed(error), |_| true);
}

/// Puts a stage in the place of one that it `replaces`, and tells those that waited for it.
fn settle(model: &Arc<Model>, stage: Stage, replaces: impl FnOnce(&Stage) -> bool) {
    let result = match &stage {
        Stage::Failed(error) => Err(error.clone()),
        _ => Ok(()),
    };
    // What is left of the two is dropped without the lock.
    let left = model.with_life(|life| {
        if replaces(&life.stage) {
            std::mem::replace(&mut life.stage, stage)
        } else {
            stage
        }
    });
    if let Stage::Building(building) = left {
        for waiter in building.waiters {
            let result = result.clone();
            guarded(|| waiter(result));
        }
    }
}
