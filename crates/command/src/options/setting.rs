//! The names of options.

use crate::args::is;
use redisai_core::BackendKind;

/// The options by name, as `loadmodule` takes them and `AI.CONFIG GET` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `BACKENDSPATH`
    BackendsPath,
    /// `TF`, `TFLITE`, `TORCH`, `ONNX`: the path of a library to load at once.
    Backend(BackendKind),
    /// `THREADS_PER_QUEUE`
    ThreadsPerQueue,
    /// `INTRA_OP_PARALLELISM`
    IntraOpParallelism,
    /// `INTER_OP_PARALLELISM`
    InterOpParallelism,
    /// `MODEL_CHUNK_SIZE`
    ModelChunkSize,
    /// `MODEL_EXECUTION_TIMEOUT`
    ModelExecutionTimeout,
    /// `BACKEND_MEMORY_LIMIT`
    BackendMemoryLimit,
    /// `PYTHON`
    Python,
    /// `MAX_TENSOR_BYTES`
    MaxTensorBytes,
    /// `QUEUE_LIMIT`
    QueueLimit,
    /// `MAX_QUEUES`
    MaxQueues,
    /// `LOADER_THREADS`
    LoaderThreads,
    /// `BUILD_SESSIONS`
    BuildSessions,
    /// `INLINE_RUNS`
    InlineRuns,
    /// `BATCH_WAIT`
    BatchWait,
    /// `ALLOW_NATIVE_MODELS`
    AllowNativeModels,
    /// `LOADBACKEND`
    LoadBackend,
    /// `TEST_BACKENDS`
    TestBackends,
}

const NAMES: [(&str, Setting); 22] = [
    ("BACKENDSPATH", Setting::BackendsPath),
    ("TF", Setting::Backend(BackendKind::Tf)),
    ("TFLITE", Setting::Backend(BackendKind::TfLite)),
    ("TORCH", Setting::Backend(BackendKind::Torch)),
    ("ONNX", Setting::Backend(BackendKind::Onnx)),
    ("THREADS_PER_QUEUE", Setting::ThreadsPerQueue),
    ("INTRA_OP_PARALLELISM", Setting::IntraOpParallelism),
    ("INTER_OP_PARALLELISM", Setting::InterOpParallelism),
    ("MODEL_CHUNK_SIZE", Setting::ModelChunkSize),
    ("MODEL_EXECUTION_TIMEOUT", Setting::ModelExecutionTimeout),
    ("BACKEND_MEMORY_LIMIT", Setting::BackendMemoryLimit),
    ("PYTHON", Setting::Python),
    ("MAX_TENSOR_BYTES", Setting::MaxTensorBytes),
    ("QUEUE_LIMIT", Setting::QueueLimit),
    ("MAX_QUEUES", Setting::MaxQueues),
    ("LOADER_THREADS", Setting::LoaderThreads),
    ("BUILD_SESSIONS", Setting::BuildSessions),
    ("INLINE_RUNS", Setting::InlineRuns),
    ("BATCH_WAIT", Setting::BatchWait),
    ("ALLOW_NATIVE_MODELS", Setting::AllowNativeModels),
    ("LOADBACKEND", Setting::LoadBackend),
    ("TEST_BACKENDS", Setting::TestBackends),
];

impl Setting {
    /// The setting of a name, without regard to case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        NAMES
            .iter()
            .find(|(known, _)| is(name, known))
            .map(|&(_, setting)| setting)
    }

    /// All settings, with their names.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        NAMES.into_iter()
    }
}
