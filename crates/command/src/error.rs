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

    // AI.CONFIG.
    UnsupportedSubcommand = "ERR unsupported subcommand",
    LoadingBackend = "ERR error loading backend",
    MissingPath = "ERR BACKENDSPATH: missing path argument",
    InvalidChunkSize = "ERR MODEL_CHUNK_SIZE: invalid chunk size",
    MissingChunkSize = "ERR MODEL_CHUNK_SIZE: missing chunk size",

    // Ours.
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
        let (before, echo) = match self {
            Self::Trailing(echo) => ("Invalid argument: ", echo),
            Self::UnknownOption(echo) => ("ERR Invalid argument: ", echo),
            Self::Arity(name) => {
                return format!("ERR wrong number of arguments for '{name}' command")
                    .into_bytes()
                    .into();
            }
            Self::TensorTooLarge { limit } => {
                return format!(
                    "ERR tensor is larger than the limit of {limit} bytes: use a smaller shape \
                     or load the module with a larger MAX_TENSOR_BYTES"
                )
                .into_bytes()
                .into();
            }
            Self::Text(text) => return one_line(text.as_bytes()).into(),
            other => return other.fixed().unwrap_or_default().as_bytes().into(),
        };
        [before.as_bytes(), &echo.0].concat().into()
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
mod tests {
    use super::*;

    /// Error texts of the contract (`redisai-behaviour.md` 1.1 to 1.18, without what DAGs, scripts
    /// and the engine add), copied from it.
    const CONTRACT: &str = "\
WRONGTYPE Operation against a key holding the wrong kind of value
ERR invalid data type
ERR invalid or negative value found in tensor shape
ERR a single binary string should come after the BLOB argument in 'AI.TENSORSET' command
ERR wrong number of values was given in 'AI.TENSORSET' command
ERR data length does not match tensor shape and type
ERR BOOL tensor elements must be 0 or 1
ERR Number of string elements in data blob does not match tensor length
ERR invalid value
ERR C-string value contains null character
ERR could not save tensor
ERR tensor key is empty or in a different shard
ERR both BLOB and VALUES specified
ERR unsupported data format
ERR unsupported backend
ERR Invalid DEVICE
ERR Invalid argument for BATCHSIZE
ERR Invalid argument for MINBATCHSIZE
ERR Invalid argument for MINBATCHTIMEOUT
ERR MINBATCHSIZE specified without BATCHSIZE
ERR MINBATCHTIMEOUT specified without MINBATCHSIZE
ERR Insufficient arguments, missing model BLOB
ERR Invalid argument, expected BLOB
ERR INPUTS not specified for TF
ERR Invalid argument for input_count
ERR number of model inputs does not match the number of given arguments
ERR OUTPUTS not specified for TF
ERR Invalid argument for output_count
ERR number of model outputs does not match the number of given arguments
ERR INPUTS argument should not be specified for this backend
ERR Auto-batching not supported by the TFLITE backend
ERR MINBATCHTIMEOUT specified without BATCHSIZE
ERR Insufficient arguments, INPUTS and OUTPUTS not specified
ERR INPUTS not specified
ERR OUTPUTS not specified
ERR model key is empty
ERR Cannot run RedisAI command within a transaction or a LUA script
ERR Input count must be a positive integer
Number of keys given as INPUTS here does not match model definition
ERR number of input keys to AI.MODELEXECUTE command does not match the number of given arguments
ERR Output count must be a positive integer
Number of keys given as OUTPUTS here does not match model definition
ERR number of output keys to AI.MODELEXECUTE command does not match the number of given arguments
ERR No value provided for TIMEOUT
ERR Invalid value for TIMEOUT
ERR cannot find run info for key
ERR error loading backend
ERR BACKENDSPATH: missing path argument
ERR MODEL_CHUNK_SIZE: invalid chunk size
ERR MODEL_CHUNK_SIZE: missing chunk size
ERR unsupported subcommand";

    #[test]
    fn every_text_is_the_contracts_or_tells_what_to_do() {
        let texts: Vec<String> = Error::FIXED.iter().map(ToString::to_string).collect();
        for text in CONTRACT.lines() {
            let rows = texts.iter().filter(|row| *row == text).count();
            assert_eq!(rows, 1, "{text}");
        }
        for text in texts
            .iter()
            .filter(|text| !CONTRACT.lines().any(|row| row == *text))
        {
            // Ours: prefixed, and after the colon what to do.
            assert!(text.starts_with("ERR ") && text.contains(": "), "{text}");
        }
    }

    #[test]
    fn variable_texts_are_one_line() {
        let echo = || Echo::from(b"a\r\nb\0\xff" as &[u8]);
        for (error, wire) in [
            (
                Error::Arity("AI.INFO"),
                b"ERR wrong number of arguments for 'AI.INFO' command" as &[u8],
            ),
            (Error::Trailing(echo()), b"Invalid argument: a  b \xff"),
            (
                Error::UnknownOption(echo()),
                b"ERR Invalid argument: a  b \xff",
            ),
            (Error::Text("a\nb".into()), b"a b"),
        ] {
            assert_eq!(*error.wire(), *wire);
        }
        let long = vec![b'x'; 1 << 20];
        let wire = Error::Trailing(Echo::from(&*long)).wire().len();
        assert_eq!(wire, "Invalid argument: ".len() + ECHO_LIMIT);
        let large = Error::TensorTooLarge { limit: 7 }.to_string();
        assert!(
            large.starts_with("ERR ") && large.contains("7 bytes"),
            "{large}"
        );
    }
}
