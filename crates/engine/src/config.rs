//! What a door sets once, when it makes the engine.

use redisai_core::{BackendKind, LogLevel};
use std::sync::Arc;

/// Where the engine's log lines go. Any thread may call it; the text is never a format.
pub type LogFn = Arc<dyn Fn(LogLevel, &str) + Send + Sync>;

/// Settings of an engine.
#[derive(Clone)]
pub struct Config {
    /// Worker threads of each device queue (`THREADS_PER_QUEUE`); 0 counts as 1.
    pub threads_per_queue: usize,
    /// Jobs that wait in one queue, those that wait for their session included (`QUEUE_LIMIT`).
    pub queue_limit: usize,
    /// Device queues (`MAX_QUEUES`).
    pub max_queues: usize,
    /// Threads that build sessions (`LOADER_THREADS`); 0 counts as 1.
    pub loader_threads: usize,
    /// The longest run in milliseconds (`MODEL_EXECUTION_TIMEOUT`). `None`: 5,000 for ONNX, no
    /// limit for the others. A value holds for every backend.
    pub model_execution_timeout_ms: Option<u64>,
    /// How long a run that was told to stop may go on, in milliseconds, before its client is
    /// answered without it and its worker is replaced. Framework runs stop between two of their
    /// operations, most of which take less than this.
    pub cancel_grace_ms: u64,
    /// Workers of one queue that may be stuck in such runs and be replaced at one time.
    pub max_replaced_workers: usize,
    /// Whether a worker may wait a moment for more rows where that pays (`BATCH_WAIT auto`), for
    /// models without a minimum.
    pub batch_wait: bool,
    /// Whether [`Engine::run_inline`](crate::Engine::run_inline) runs anything. The door says yes
    /// only where the option `INLINE_RUNS` does and a run uses one thread (`INTRA_OP_PARALLELISM`).
    pub inline_runs: bool,
    /// Whether [`Engine::build_background`](crate::Engine::build_background) builds
    /// (`BUILD_SESSIONS eager`) or leaves it to the first use (`lazy`).
    pub eager: bool,
    /// Values that may wait to be freed at one time, and
    pub reap_limit_values: usize,
    /// their bytes in all.
    pub reap_limit_bytes: usize,
    /// The longest that a shutdown waits for the engine's threads, in milliseconds.
    pub shutdown_ms: u64,
    /// Where log lines go.
    pub log: LogFn,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads_per_queue: 1,
            queue_limit: 65_536,
            max_queues: 64,
            loader_threads: 1,
            model_execution_timeout_ms: None,
            cancel_grace_ms: 100,
            max_replaced_workers: 4,
            batch_wait: true,
            inline_runs: false,
            eager: true,
            reap_limit_values: 1_024,
            reap_limit_bytes: 256 << 20,
            shutdown_ms: 1_000,
            log: Arc::new(|_, _| ()),
        }
    }
}

impl Config {
    /// The longest run of a backend's models, in nanoseconds.
    pub(crate) fn run_limit(&self, kind: BackendKind) -> Option<u64> {
        let ms = match (self.model_execution_timeout_ms, kind) {
            (Some(ms), _) => ms,
            (None, BackendKind::Onnx) => 5_000,
            (None, _) => return None,
        };
        Some(ms.saturating_mul(1_000_000))
    }
}
