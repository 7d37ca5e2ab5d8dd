//! Errors of the engine itself.

use crate::{Completion, Inputs};
use redisai_core::{BackendError, BackendKind, Status};
use std::fmt;

/// Why the engine refuses. The text is what goes on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// The device's queue holds `QUEUE_LIMIT` jobs.
    QueueFull {
        /// The queue's name.
        device: String,
    },
    /// There are `MAX_QUEUES` queues, or a thread of a new one could not be started.
    TooManyQueues,
    /// [`Engine::load_backend`](crate::Engine::load_backend) of a backend that is loaded.
    BackendLoaded(BackendKind),
    /// A backend could not be loaded: the loader's own words.
    Backend(BackendError),
    /// No loader thread could be started.
    NoLoader,
    /// The engine has been shut down.
    ShutDown,
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull { device } => write!(f, "ERR Queue of device {device} is full"),
            Self::TooManyQueues => {
                f.write_str("ERR Could not initialize queue on requested device")
            }
            Self::BackendLoaded(kind) => {
                write!(
                    f,
                    "ERR Could not load {} backend: backend already loaded",
                    kind.name()
                )
            }
            Self::Backend(error) => error.fmt(f),
            Self::NoLoader => {
                f.write_str("ERR Could not start a thread to build the model, try again")
            }
            Self::ShutDown => f.write_str("ERR The server is shutting down"),
        }
    }
}

impl std::error::Error for EngineError {}

impl From<EngineError> for BackendError {
    /// The same text, for a place where only a run's or a build's error fits.
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Backend(error) => error,
            other => Self::new(Status::RunFailed, other.to_string()),
        }
    }
}

/// A request that was not taken, with all that came with it.
pub struct Refused {
    /// Why.
    pub error: EngineError,
    /// The inputs.
    pub inputs: Inputs,
    /// The completion, uncalled.
    pub completion: Completion,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}
