//! The options of `loadmodule`.

mod setting;
#[cfg(test)]
mod tests;

use crate::args::is;
use crate::config::{positive, yes_or_no};
use redisai_core::BackendKind;
use std::fmt;

pub use setting::Setting;

/// When sessions of loaded keys are built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuildSessions {
    /// In the background, as soon as the data is loaded.
    #[default]
    Eager,
    /// At their first use.
    Lazy,
}

/// From where `AI.CONFIG LOADBACKEND` may load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoadBackendRule {
    /// From nowhere.
    No,
    /// From below the path given at load, which is then fixed.
    #[default]
    BackendsPath,
    /// From anywhere, as in RedisAI.
    Any,
}

/// The options of `loadmodule`, with their defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// Folder of the backend libraries; `None`: `backends` beside the module.
    pub backends_path: Option<Box<[u8]>>,
    /// Libraries to load at once, in this order. A backend named twice stands here twice.
    pub backends: Vec<(BackendKind, Box<[u8]>)>,
    /// Workers of a device's queue. 1.
    pub threads_per_queue: u64,
    /// Threads inside an operation; 0: as many as the machine has cores. 0.
    pub intra_op_parallelism: u64,
    /// Threads across operations; 0: the framework's default. 0.
    pub inter_op_parallelism: u64,
    /// Bytes of one chunk of a model's blob in replies and files. 511 MiB.
    pub model_chunk_size: u64,
    /// The longest a run may take, in milliseconds, for every backend; `None`:
    /// [`DEFAULT_EXECUTION_TIMEOUT`](Self::DEFAULT_EXECUTION_TIMEOUT) for ONNX, none for others.
    pub model_execution_timeout: Option<u64>,
    /// Memory of a backend in units of 1,000,000 bytes; 0: no limit. 0.
    pub backend_memory_limit: u64,
    /// Prefix or interpreter whose site-packages hold the frameworks; `None`: found.
    pub python: Option<Box<[u8]>>,
    /// The most bytes of one tensor from a command. 4 GiB.
    pub max_tensor_bytes: u64,
    /// Jobs that wait in one queue at most. 65536.
    pub queue_limit: u64,
    /// Device queues at most. 64.
    pub max_queues: u64,
    /// Threads that build sessions. 1.
    pub loader_threads: u64,
    /// When sessions of loaded keys are built. At once.
    pub build_sessions: BuildSessions,
    /// Models whose runs are short run without a hand-off. Yes.
    pub inline_runs: bool,
    /// A worker may wait a moment for more rows where that pays. Yes (`auto`).
    pub batch_wait: bool,
    /// Models that are machine code (`.pt2`) are built and run. No.
    pub allow_native_models: bool,
    /// From where `AI.CONFIG LOADBACKEND` may load. From below the path given at load.
    pub load_backend: LoadBackendRule,
    /// A backend whose name is none of the four may stand in for one. No.
    pub test_backends: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            backends_path: None,
            backends: Vec::new(),
            threads_per_queue: 1,
            intra_op_parallelism: 0,
            inter_op_parallelism: 0,
            model_chunk_size: 511 * 1024 * 1024,
            model_execution_timeout: None,
            backend_memory_limit: 0,
            python: None,
            max_tensor_bytes: 4 << 30,
            queue_limit: 65536,
            max_queues: 64,
            loader_threads: 1,
            build_sessions: BuildSessions::Eager,
            inline_runs: true,
            batch_wait: true,
            allow_native_models: false,
            load_backend: LoadBackendRule::BackendsPath,
            test_backends: false,
        }
    }
}

/// Why the options of `loadmodule` are refused: what goes into the server's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// An option without a value.
    OddCount,
    /// An unknown option, or a value that it does not take.
    Argument {
        /// The option as it was given.
        key: String,
        /// The value as it was given.
        value: String,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OddCount => f.write_str(
                "Even number of arguments provided to module. \
                 Please provide arguments as KEY VAL pairs",
            ),
            Self::Argument { key, value } => {
                write!(f, "ERR error processing argument: {key} {value}")
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// A setting's value, as `AI.CONFIG GET` replies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingValue<'a> {
    /// A bulk string.
    Bytes(&'a [u8]),
    /// An integer.
    Integer(u64),
    /// Not set, and there is no default to show.
    Null,
}

impl LoadOptions {
    /// The most threads that an option may ask for.
    pub const MOST_THREADS: u64 = 1024;

    /// Limit of an ONNX run where `MODEL_EXECUTION_TIMEOUT` is not given, in milliseconds.
    pub const DEFAULT_EXECUTION_TIMEOUT: u64 = 5000;

    /// Reads the arguments of `loadmodule`: pairs of a name and a value. A name given twice has
    /// the later value, but for backends, which are all loaded.
    pub fn parse(args: &[&[u8]]) -> Result<Self, LoadError> {
        let (pairs, []) = args.as_chunks::<2>() else {
            return Err(LoadError::OddCount);
        };
        let mut options = Self::default();
        for &[key, value] in pairs {
            Setting::parse(key)
                .and_then(|setting| options.set(setting, value))
                .ok_or_else(|| LoadError::Argument {
                    key: String::from_utf8_lossy(key).into_owned(),
                    value: String::from_utf8_lossy(value).into_owned(),
                })?;
        }
        Ok(options)
    }

    /// Sets one option; `None` where it does not take the value.
    fn set(&mut self, setting: Setting, value: &[u8]) -> Option<()> {
        match setting {
            Setting::BackendsPath => self.backends_path = Some(value.into()),
            Setting::Backend(kind) => self.backends.push((kind, value.into())),
            Setting::ThreadsPerQueue => self.threads_per_queue = threads(value)?,
            Setting::IntraOpParallelism => self.intra_op_parallelism = threads(value)?,
            Setting::InterOpParallelism => self.inter_op_parallelism = threads(value)?,
            Setting::ModelChunkSize => self.model_chunk_size = positive(value)?,
            Setting::ModelExecutionTimeout => {
                let limit = positive(value).filter(|&limit| limit >= 1000)?;
                self.model_execution_timeout = Some(limit);
            }
            Setting::BackendMemoryLimit => self.backend_memory_limit = positive(value)?,
            Setting::Python => self.python = Some(value.into()),
            Setting::MaxTensorBytes => self.max_tensor_bytes = positive(value)?,
            Setting::QueueLimit => self.queue_limit = positive(value)?,
            Setting::MaxQueues => self.max_queues = positive(value)?,
            Setting::LoaderThreads => self.loader_threads = threads(value)?,
            Setting::BuildSessions => self.build_sessions = build_sessions(value)?,
            Setting::InlineRuns => self.inline_runs = yes_or_no(value)?,
            Setting::BatchWait => self.batch_wait = auto_or_no(value)?,
            Setting::AllowNativeModels => self.allow_native_models = yes_or_no(value)?,
            Setting::LoadBackend => self.load_backend = load_backend(value)?,
            Setting::TestBackends => self.test_backends = yes_or_no(value)?,
        }
        Some(())
    }

    /// A setting's value, for `AI.CONFIG GET`. `BACKENDSPATH` in force is the caller's to know
    /// where it was not given: it is then null here.
    pub fn get(&self, setting: Setting) -> SettingValue<'_> {
        use SettingValue::{Bytes, Integer};
        match setting {
            Setting::BackendsPath => given(self.backends_path.as_deref()),
            Setting::Backend(kind) => given(
                self.backends
                    .iter()
                    .rfind(|(given, _)| *given == kind)
                    .map(|(_, path)| &**path),
            ),
            Setting::ThreadsPerQueue => Integer(self.threads_per_queue),
            Setting::IntraOpParallelism => Integer(self.intra_op_parallelism),
            Setting::InterOpParallelism => Integer(self.inter_op_parallelism),
            Setting::ModelChunkSize => Integer(self.model_chunk_size),
            Setting::ModelExecutionTimeout => Integer(
                self.model_execution_timeout
                    .unwrap_or(Self::DEFAULT_EXECUTION_TIMEOUT),
            ),
            Setting::BackendMemoryLimit => Integer(self.backend_memory_limit),
            Setting::Python => given(self.python.as_deref()),
            Setting::MaxTensorBytes => Integer(self.max_tensor_bytes),
            Setting::QueueLimit => Integer(self.queue_limit),
            Setting::MaxQueues => Integer(self.max_queues),
            Setting::LoaderThreads => Integer(self.loader_threads),
            Setting::BuildSessions => Bytes(match self.build_sessions {
                BuildSessions::Eager => b"eager",
                BuildSessions::Lazy => b"lazy",
            }),
            Setting::InlineRuns => Bytes(said(self.inline_runs)),
            Setting::BatchWait => Bytes(if self.batch_wait { b"auto" } else { b"no" }),
            Setting::AllowNativeModels => Bytes(said(self.allow_native_models)),
            Setting::LoadBackend => Bytes(match self.load_backend {
                LoadBackendRule::No => b"no",
                LoadBackendRule::BackendsPath => b"backendspath",
                LoadBackendRule::Any => b"any",
            }),
            Setting::TestBackends => Bytes(said(self.test_backends)),
        }
    }
}

/// A number of threads. RedisAI has no upper bound; what no machine has would hold up the start.
fn threads(value: &[u8]) -> Option<u64> {
    positive(value).filter(|&threads| threads <= LoadOptions::MOST_THREADS)
}

fn said(yes: bool) -> &'static [u8] {
    if yes { b"yes" } else { b"no" }
}

fn given(value: Option<&[u8]>) -> SettingValue<'_> {
    value.map_or(SettingValue::Null, SettingValue::Bytes)
}

fn auto_or_no(value: &[u8]) -> Option<bool> {
    if is(value, "auto") {
        Some(true)
    } else if is(value, "no") {
        Some(false)
    } else {
        None
    }
}

fn build_sessions(value: &[u8]) -> Option<BuildSessions> {
    if is(value, "eager") {
        Some(BuildSessions::Eager)
    } else if is(value, "lazy") {
        Some(BuildSessions::Lazy)
    } else {
        None
    }
}

fn load_backend(value: &[u8]) -> Option<LoadBackendRule> {
    if is(value, "no") {
        Some(LoadBackendRule::No)
    } else if is(value, "backendspath") {
        Some(LoadBackendRule::BackendsPath)
    } else if is(value, "any") {
        Some(LoadBackendRule::Any)
    } else {
        None
    }
}
