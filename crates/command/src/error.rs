//! Every error text that a command replies, once.
//!
//! The texts are the contract's, misspellings and missing `ERR ` prefixes included. A text of ours
//! begins with `ERR ` and says what to do. The engine has its own (a full queue, a backend that
//! cannot be loaded), and frameworks theirs: those go out as they are and have no row here.

use std::borrow::Cow;
use std::fmt;

/// Bytes of a client's argument that an error text repeats at most.
const ECHO_LIMIT: usize = 1024;

/// The texts without a variable part, one row each: the variant's doc is its text.
macro_rules! fixed_texts {
    ($($name:ident = $text:literal,)*) => {
        /// An error that a command replies. `Display` gives the text on the wire, without the `-`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error {
            $(#[doc = concat!("`", $text, "`")] $name,)*
            /// `ERR wrong number of arguments for '…' command`; the name is upper case.
            Arity(&'static str),
            /// `wrong number of arguments for '…' command` (bare): of an operation in a DAG.
            ArityInDag(&'static str),
            /// `ERR missing arguments for '…' command`: of `AI.DAGEXECUTE` and its read-only form.
            MissingArguments(&'static str),
            /// `ERR Invalid DAG command. Unexpected argument:  …` (two blanks).
            UnexpectedInDag(Echo),
            /// `ERR Invalid AI.SCRIPTEXECUTE command. Unexpected argument: …`
            UnexpectedInScript(Echo),
            /// `Invalid argument: …` (bare): what follows a complete run command.
            Trailing(Echo),
            /// `ERR Invalid argument: …`: an option that the command does not have.
            UnknownOption(Echo),
            /// The tensor is above `MAX_TENSOR_BYTES`, or its size does not fit any memory.
            TensorTooLarge {
                /// The limit in force, in bytes.
                limit: u64,
            },
            /// A text that comes from elsewhere (a framework), one line, as it is.
            Text(Cow<'static, str>),
        }

        impl Error {
            /// The text, for the variants that have a fixed one.
            fn fixed(&self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }

            /// Every variant with a fixed text: for tests that walk the table.
            pub const FIXED: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

fixed_texts! {
    // Keys.
    WrongType = "WRONGTYPE Operation against a key holding the wrong kind of value",
    TensorKeyEmpty = "ERR tensor key is empty or in a different shard",
    ModelKeyEmpty = "ERR model key is empty",
    NoRunInfo = "ERR cannot find run info for key",

    // AI.TENSORSET.
    InvalidDType = "ERR invalid data type",
    InvalidShape = "ERR invalid or negative value found in tensor shape",
    BlobCount = "ERR a single binary string should come after the BLOB argument in 'AI.TENSORSET' command",
    ValuesCount = "ERR wrong number of values was given in 'AI.TENSORSET' command",
    DataLength = "ERR data length does not match tensor shape and type",
    BoolElement = "ERR BOOL tensor elements must be 0 or 1",
    StringCount = "ERR Number of string elements in data blob does not match tensor length",
    InvalidValue = "ERR invalid value",
    InnerNul = "ERR C-string value contains null character",
    CouldNotSave = "ERR could not save tensor",

    // AI.TENSORGET.
    BlobAndValues = "ERR both BLOB and VALUES specified",
    UnsupportedFormat = "ERR unsupported data format",

    // AI.MODELSTORE and AI.MODELSET.
    UnsupportedBackend = "ERR unsupported backend",
    InvalidDevice = "ERR Invalid DEVICE",
    InvalidBatchSize = "ERR Invalid argument for BATCHSIZE",
    InvalidMinBatchSize = "ERR Invalid argument for MINBATCHSIZE",
    InvalidMinBatchTimeout = "ERR Invalid argument for MINBATCHTIMEOUT",
    MinBatchSizeAlone = "ERR MINBATCHSIZE specified without BATCHSIZE",
    MinBatchTimeoutAlone = "ERR MINBATCHTIMEOUT specified without MINBATCHSIZE",
    MissingBlob = "ERR Insufficient arguments, missing model BLOB",
    ExpectedBlob = "ERR Invalid argument, expected BLOB",
    NoInputsForTf = "ERR INPUTS not specified for TF",
    NoOutputsForTf = "ERR OUTPUTS not specified for TF",
    InvalidInputCount = "ERR Invalid argument for input_count",
    InvalidOutputCount = "ERR Invalid argument for output_count",
    ModelInputNames = "ERR number of model inputs does not match the number of given arguments",
    ModelOutputNames = "ERR number of model outputs does not match the number of given arguments",
    InputsForOther = "ERR INPUTS argument should not be specified for this backend",
    // AI.MODELSET only.
    NoBatchingOnTfLite = "ERR Auto-batching not supported by the TFLITE backend",
    MinBatchTimeoutWithoutBatchSize = "ERR MINBATCHTIMEOUT specified without BATCHSIZE",
    NoInputsAndOutputs = "ERR Insufficient arguments, INPUTS and OUTPUTS not specified",

    // AI.MODELEXECUTE and AI.MODELRUN.
    NotInTransaction = "ERR Cannot run RedisAI command within a transaction or a LUA script",
    NoInputs = "ERR INPUTS not specified",
    NoOutputs = "ERR OUTPUTS not specified",
    InputCountNotPositive = "ERR Input count must be a positive integer",
    OutputCountNotPositive = "ERR Output count must be a positive integer",
    InputsDoNotFitModel = "Number of keys given as INPUTS here does not match model definition",
    OutputsDoNotFitModel = "Number of keys given as OUTPUTS here does not match model definition",
    InputKeys = "ERR number of input keys to AI.MODELEXECUTE command does not match the number of given arguments",
    OutputKeys = "ERR number of output keys to AI.MODELEXECUTE command does not match the number of given arguments",
    NoTimeout = "ERR No value provided for TIMEOUT",
    InvalidTimeout = "ERR Invalid value for TIMEOUT",

    // AI.SCRIPTSTORE and AI.SCRIPTSET.
    MissingEntryPoints = "ERR Insufficient arguments, missing script entry points",
    InvalidEntryPointCount = "ERR Non numeric entry points number provided to AI.SCRIPTSTORE command",
    MissingSource = "ERR Insufficient arguments, missing script SOURCE",

    // AI.SCRIPTEXECUTE.
    ScriptKeyEmpty = "ERR script key is empty",
    NoFunction = "ERR function name not specified",
    NoFirstScope = "ERR KEYS or INPUTS scope must be provided first for AI.SCRIPTEXECUTE command",
    ScriptKeysArguments = "ERR Missing arguments after KEYS keyword",
    ScriptKeysCount = "ERR Invalid or negative value found in number of KEYS",
    ScriptKeysDeclared = "ERR Number of pre declared KEYS to be used in the command does not match the number of given arguments",
    InvalidScriptKeyCount = "ERR Invalid argument for keys count in AI.SCRIPTEXECUTE",
    InvalidScriptInputCount = "ERR Invalid argument for inputs count in AI.SCRIPTEXECUTE",
    InvalidScriptOutputCount = "ERR Invalid argument for outputs count in AI.SCRIPTEXECUTE",
    ScriptKeys = "ERR number of keys to AI.SCRIPTEXECUTE command does not match the number of given arguments",
    ScriptArgs = "ERR number of args to AI.SCRIPTEXECUTE command does not match the number of given arguments",
    ScriptInputs = "ERR number of inputs to AI.SCRIPTEXECUTE command does not match the number of given arguments",
    ScriptOutputs = "ERR number of outputs to AI.SCRIPTEXECUTE command does not match the number of given arguments",
    ScriptKeysTwice = "ERR Already Encountered KEYS scope in AI.SCRIPTEXECUTE command",
    ScriptArgsTwice = "ERR Already Encountered ARGS scope in AI.SCRIPTEXECUTE command",
    ScriptInputsTwice = "ERR Already Encountered INPUTS scope in AI.SCRIPTEXECUTE command",
    ScriptOutputsTwice = "ERR Already Encountered OUTPUTS scope in AI.SCRIPTEXECUTE command",
    NoScriptTimeout = "ERR No value provided for TIMEOUT in AI.SCRIPTEXECUTE",
    AfterScriptTimeout = "ERR Encountered problem parsing AI.SCRIPTEXECUTE",
    // AI.SCRIPTRUN.
    ScriptRunTimeoutTwice = "ERR Already encountered an TIMEOUT section in SCRIPTRUN",
    ScriptRunInputsAfter = "ERR Already encountered an INPUTS section in SCRIPTRUN",
    ScriptRunInputsTwice = "ERR Already encountered an INPUTS keyword in SCRIPTRUN",
    ScriptRunOutputsTwice = "ERR Already encountered an OUTPUTS keyword in SCRIPTRUN",
    ScriptRunListOutside = "ERR Encountered a variable size list of tensors outside of input section",
    ScriptRunListTwice = "ERR Already encountered a variable size list of tensors",
    ScriptRunUnknown = "ERR Unrecongnized parameter to SCRIPTRUN",

    // AI.DAGEXECUTE, AI.DAGRUN and their read-only forms.
    LoadArguments = "ERR missing arguments after LOAD keyword in DAG command",
    LoadCount = "ERR invalid or negative value found in number of keys to LOAD",
    LoadKeys = "ERR number of keys to LOAD into DAG does not match the number of given arguments",
    PersistInReadOnly = "ERR PERSIST cannot be specified in a read-only DAG",
    PersistArguments = "ERR missing arguments after PERSIST keyword in DAG command",
    PersistCount = "ERR invalid or negative value found in number of keys to PERSIST",
    PersistTwice = "ERR PERSIST keys must be unique",
    PersistKeys = "ERR number of keys to PERSIST after DAG execution does not match the number of given arguments",
    NoRouting = "ERR Missing ROUTING value",
    NoDagKeyword = "ERR AI.DAGEXECUTE and AI.DAGEXECUTE_RO commands must contain at least one out of ROUTING, LOAD, PERSIST keywords",
    EmptyDag = "ERR DAG is empty",
    TimeoutInDag = "ERR TIMEOUT not allowed within a DAG command",
    ScriptInReadOnlyDag = "ERR AI.SCRIPTEXECUTE command cannot be specified in a read-only DAG",
    ModelRunInDagExecute = "Deprecated AI.MODELRUN cannot be used in AI.DAGEXECUTE command",
    ScriptRunInDagExecute = "Deprecated AI.SCRIPTRUN cannot be used in AI.DAGEXECUTE command",
    ModelExecuteInDagRun = "AI.MODELEXECUTE cannot be used in a deprecated AI.DAGRUN command",
    ScriptExecuteInDagRun = "AI.SCRIPTEXECUTE cannot be used in a deprecated AI.DAGRUN command",
    UnsupportedInDag = "Unsupported command within DAG",
    NoDagInput = "ERR INPUT key cannot be found in DAG",
    NoDagPersist = "ERR PERSIST key cannot be found in DAG",

    // AI.CONFIG.
    UnsupportedSubcommand = "ERR unsupported subcommand",
    LoadingBackend = "ERR error loading backend",
    MissingPath = "ERR BACKENDSPATH: missing path argument",
    InvalidChunkSize = "ERR MODEL_CHUNK_SIZE: invalid chunk size",
    MissingChunkSize = "ERR MODEL_CHUNK_SIZE: missing chunk size",

    // Ours.
    CouldNotSaveScript = "ERR the server refused the script at this key: nothing was stored, send the command again",
    CouldNotSaveModel = "ERR the server refused the model at this key: nothing was stored, send the command again",
    LoadBackendOff = "ERR loading backends at run time is off: load the module with LOADBACKEND backendspath or LOADBACKEND any",
    LoadBackendOutside = "ERR this path is outside of BACKENDSPATH: put the library below it, or load the module with LOADBACKEND any",
    BackendsPathFixed = "ERR BACKENDSPATH cannot be changed at run time: load the module with LOADBACKEND any",
    OutOfMemory = "ERR not enough memory for this command: free memory or use a smaller tensor",
    ReadOnlyNow = "ERR the server could not be written to when the run ended: nothing was stored, send the command again",
    RoleChanged = "ERR the server became a replica or the key's slot moved while the command ran: nothing was stored, send it to the primary",
}

impl Error {
    /// The text as bytes for the wire: one line, no NUL, not always UTF-8 (it may repeat an
    /// argument).
    pub fn wire(&self) -> Cow<'static, [u8]> {
        let text = match self {
            Self::Trailing(echo) => return echo.after("Invalid argument: "),
            Self::UnknownOption(echo) => return echo.after("ERR Invalid argument: "),
            Self::UnexpectedInDag(echo) => {
                return echo.after("ERR Invalid DAG command. Unexpected argument:  ");
            }
            Self::UnexpectedInScript(echo) => {
                return echo.after("ERR Invalid AI.SCRIPTEXECUTE command. Unexpected argument: ");
            }
            Self::Arity(name) => format!("ERR wrong number of arguments for '{name}' command"),
            Self::ArityInDag(name) => format!("wrong number of arguments for '{name}' command"),
            Self::MissingArguments(name) => format!("ERR missing arguments for '{name}' command"),
            Self::TensorTooLarge { limit } => format!(
                "ERR tensor is larger than the limit of {limit} bytes: use a smaller shape \
                 or load the module with a larger MAX_TENSOR_BYTES"
            ),
            Self::Text(text) => return one_line(text.as_bytes()).into(),
            other => return other.fixed().unwrap_or_default().as_bytes().into(),
        };
        text.into_bytes().into()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.wire()))
    }
}

impl std::error::Error for Error {}

/// Bytes that an error repeats: cut at 1 KiB; line breaks and NULs are blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo(Box<[u8]>);

impl From<&[u8]> for Echo {
    fn from(bytes: &[u8]) -> Self {
        Self(one_line(bytes.get(..ECHO_LIMIT).unwrap_or(bytes)).into())
    }
}

impl Echo {
    /// The error: a text, then the argument.
    fn after(&self, text: &str) -> Cow<'static, [u8]> {
        [text.as_bytes(), &self.0].concat().into()
    }
}

fn one_line(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .map(|&byte| match byte {
            b'\r' | b'\n' | 0 => b' ',
            other => other,
        })
        .collect()
}

#[cfg(test)]
mod tests;
