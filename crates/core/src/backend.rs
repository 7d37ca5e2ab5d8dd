//! The contract between the engine and whatever runs models.

use crate::{BackendError, Buffer, DType, Device, Status, Tensor};
use smallvec::SmallVec;
use std::sync::Arc;

/// The four frameworks, with RedisAI's numbers for saved files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BackendKind {
    /// TensorFlow.
    Tf,
    /// TensorFlow Lite (LiteRT).
    TfLite,
    /// PyTorch.
    Torch,
    /// ONNX Runtime.
    Onnx,
}

impl BackendKind {
    /// All of them, in the order of their saved numbers.
    pub const ALL: [Self; 4] = [Self::Tf, Self::TfLite, Self::Torch, Self::Onnx];

    /// The name on the wire, upper case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tf => "TF",
            Self::TfLite => "TFLITE",
            Self::Torch => "TORCH",
            Self::Onnx => "ONNX",
        }
    }

    /// The backend of a wire name, without regard to case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The number in saved files.
    pub fn code(self) -> u64 {
        match self {
            Self::Tf => 0,
            Self::TfLite => 1,
            Self::Torch => 2,
            Self::Onnx => 3,
        }
    }

    /// The backend of a saved number.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The stem of its library: `redisai_<stem>/redisai_<stem>.so`.
    pub fn library(self) -> &'static str {
        match self {
            Self::Tf => "tensorflow",
            Self::TfLite => "tflite",
            Self::Torch => "torch",
            Self::Onnx => "onnxruntime",
        }
    }
}

/// What a backend can do. The engine asks; it never tries and sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Rows of several requests may be joined along dimension 0.
    pub batching: bool,
    /// [`Backend::cancel`] can stop a run.
    pub cancellation: bool,
    /// Models have named functions (scripts).
    pub functions: bool,
    /// Dimensions may differ from run to run.
    pub dynamic_shapes: bool,
    /// How many runs of one model may go on at once; 0: any number.
    pub max_concurrent_runs: u32,
    /// Alignment that inputs must have, in bytes; 0 or 1: none. The loader makes an aligned copy on
    /// the worker where an input has less.
    pub min_align: u32,
    /// Readable bytes that inputs must have behind their end. Copied likewise.
    pub tail_bytes: u32,
    /// Devices that it can use now (`CPU`, `GPU:0`, …); empty: it does not say.
    pub devices: Vec<String>,
    /// Element types that it takes and gives; empty: it does not say.
    pub dtypes: Vec<DType>,
    /// Model formats that it reads (`onnx`, `saved_model`, …); empty: it does not say.
    pub formats: Vec<String>,
}

/// A loaded backend, in words.
#[derive(Clone, Debug, Default)]
pub struct BackendInfo {
    /// The backend's own name (`ONNX`, …).
    pub name: String,
    /// The framework's version.
    pub version: String,
    /// The backend library's path.
    pub library: String,
    /// The framework's path; empty where there is none.
    pub framework: String,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// What a value of a model is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ValueKind {
    /// A tensor, or an optional one.
    #[default]
    Tensor,
    /// A sequence of maps to float (scikit-learn's ZipMap): becomes FLOAT `[n, classes]`.
    ZipMap,
    /// Anything else: its key stays unwritten.
    Other,
}

/// One input or output of a function, as the model declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueInfo {
    /// Its name.
    pub name: Box<[u8]>,
    /// What it is.
    pub kind: ValueKind,
    /// Element type, where the model says one that we have.
    pub dtype: Option<DType>,
    /// Dimensions, where the rank is known; `None` for each that is not fixed.
    pub dims: Option<Vec<Option<i64>>>,
    /// For a ZipMap: the class of each column, where known.
    pub classes: Vec<Box<[u8]>>,
}

/// A function of a loaded model. A plain model has one, with an empty name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: Box<[u8]>,
    /// Its inputs, in order.
    pub inputs: Vec<ValueInfo>,
    /// Its outputs, in order.
    pub outputs: Vec<ValueInfo>,
    /// The last input takes all that is left.
    pub variadic_inputs: bool,
    /// The number of outputs shows only at the run.
    pub variadic_outputs: bool,
}

/// What a loaded model says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// Its functions; never empty for a model.
    pub functions: Vec<Function>,
    /// Whether the model holds operations with sub-graphs (`If`, `Loop`), whose time depends on
    /// values.
    pub control_flow: bool,
}

/// What a blob is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadKind {
    /// A model.
    Model,
    /// A script's source.
    Script,
}

/// A request to build a session.
pub struct LoadRequest<'a> {
    /// Model or script.
    pub kind: LoadKind,
    /// Its bytes. A backend may keep the `Arc` and read from it for as long as the session lives.
    pub blob: &'a Arc<dyn Buffer>,
    /// Where it is to run.
    pub device: &'a Device,
    /// Name and value pairs, in order; names may repeat (`input`, `output`, `entry_point`, …).
    pub options: Vec<(String, Vec<u8>)>,
}

/// One run.
pub struct Run<'a> {
    /// Number of the run, unique in the process: what [`Backend::cancel`] takes.
    pub id: u64,
    /// When it must be over: nanoseconds of `CLOCK_MONOTONIC`, 0: never.
    pub deadline: u64,
    /// Where callbacks of a script go (database, user); 0 for models.
    pub call_context: u64,
    /// Function to run; empty for a model's only one.
    pub function: &'a [u8],
    /// Inputs, in order.
    pub inputs: &'a [Arc<Tensor>],
    /// Number of outputs asked for.
    pub outputs: usize,
    /// Key names, for scripts.
    pub keys: &'a [Vec<u8>],
    /// Arguments, for scripts.
    pub args: &'a [Vec<u8>],
}

/// Outputs of a run, in order; `None` where the model produced no tensor.
pub type RunOutput = SmallVec<[Option<Arc<Tensor>>; 2]>;

/// A framework that can load and run models. Every method may be called from any thread.
pub trait Backend: Send + Sync {
    /// Name, version, paths, capabilities.
    fn info(&self) -> &BackendInfo;

    /// Builds a session.
    fn load(&self, request: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError>;

    /// Asks the run of this number to stop; a number that is not running is ignored.
    fn cancel(&self, run: u64);

    /// Figures for `INFO`: name and value pairs such as bytes held.
    fn figures(&self) -> Vec<(String, String)>;
}

/// A session: a model in a framework's memory. Dropping it releases that memory.
pub trait LoadedModel: Send + Sync {
    /// What the model says of its inputs and outputs.
    fn signature(&self) -> &Signature;

    /// Runs it on the calling thread. The outputs are `run.outputs` many, or an error.
    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError>;

    /// Figures of this session: name and value pairs such as bytes held.
    fn figures(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// How loud a log line is; the server's own levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For developers.
    Debug,
    /// Details.
    Verbose,
    /// What an operator wants to see once.
    Notice,
    /// What an operator must see.
    Warning,
}

/// What the door (Redis module, Python) does for backends. Any thread may call it.
pub trait HostServices: Send + Sync {
    /// Writes a line to the door's log. The text is never a format.
    fn log(&self, level: LogLevel, text: &str);

    /// Runs a server command for a script and gives the reply as RESP2 bytes. `context` is the
    /// run's [`Run::call_context`].
    fn call(&self, context: u64, argv: &[&[u8]]) -> Result<Vec<u8>, BackendError> {
        let _ = (context, argv);
        Err(BackendError::new(
            Status::Unsupported,
            "ERR commands cannot be run from here",
        ))
    }

    /// Runs the model of a key for a script, on the calling thread.
    fn run_model(
        &self,
        context: u64,
        key: &[u8],
        inputs: Vec<Arc<Tensor>>,
        outputs: usize,
    ) -> Result<RunOutput, BackendError> {
        let _ = (context, key, inputs, outputs);
        Err(BackendError::new(
            Status::Unsupported,
            "ERR models cannot be run from here",
        ))
    }
}
