//! Every text against the contract's tables.

use super::*;

/// Error texts of the contract (`redisai-behaviour.md` 1.1 to 1.18, without what the engine adds), copied from it.
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
ERR unsupported subcommand
ERR Insufficient arguments, missing script entry points
ERR Non numeric entry points number provided to AI.SCRIPTSTORE command
ERR Insufficient arguments, missing script SOURCE
ERR script key is empty
ERR function name not specified
ERR KEYS or INPUTS scope must be provided first for AI.SCRIPTEXECUTE command
ERR Missing arguments after KEYS keyword
ERR Invalid or negative value found in number of KEYS
ERR Number of pre declared KEYS to be used in the command does not match the number of given arguments
ERR Invalid argument for keys count in AI.SCRIPTEXECUTE
ERR Invalid argument for inputs count in AI.SCRIPTEXECUTE
ERR Invalid argument for outputs count in AI.SCRIPTEXECUTE
ERR number of keys to AI.SCRIPTEXECUTE command does not match the number of given arguments
ERR number of args to AI.SCRIPTEXECUTE command does not match the number of given arguments
ERR number of inputs to AI.SCRIPTEXECUTE command does not match the number of given arguments
ERR number of outputs to AI.SCRIPTEXECUTE command does not match the number of given arguments
ERR Already Encountered KEYS scope in AI.SCRIPTEXECUTE command
ERR Already Encountered ARGS scope in AI.SCRIPTEXECUTE command
ERR Already Encountered INPUTS scope in AI.SCRIPTEXECUTE command
ERR Already Encountered OUTPUTS scope in AI.SCRIPTEXECUTE command
ERR No value provided for TIMEOUT in AI.SCRIPTEXECUTE
ERR Encountered problem parsing AI.SCRIPTEXECUTE
ERR TIMEOUT not allowed within a DAG command
ERR Already encountered an TIMEOUT section in SCRIPTRUN
ERR Already encountered an INPUTS section in SCRIPTRUN
ERR Already encountered an INPUTS keyword in SCRIPTRUN
ERR Already encountered an OUTPUTS keyword in SCRIPTRUN
ERR Encountered a variable size list of tensors outside of input section
ERR Already encountered a variable size list of tensors
ERR Unrecongnized parameter to SCRIPTRUN
ERR missing arguments after LOAD keyword in DAG command
ERR invalid or negative value found in number of keys to LOAD
ERR number of keys to LOAD into DAG does not match the number of given arguments
ERR PERSIST cannot be specified in a read-only DAG
ERR missing arguments after PERSIST keyword in DAG command
ERR invalid or negative value found in number of keys to PERSIST
ERR PERSIST keys must be unique
ERR number of keys to PERSIST after DAG execution does not match the number of given arguments
ERR Missing ROUTING value
ERR AI.DAGEXECUTE and AI.DAGEXECUTE_RO commands must contain at least one out of ROUTING, LOAD, PERSIST keywords
ERR DAG is empty
ERR AI.SCRIPTEXECUTE command cannot be specified in a read-only DAG
Deprecated AI.MODELRUN cannot be used in AI.DAGEXECUTE command
Deprecated AI.SCRIPTRUN cannot be used in AI.DAGEXECUTE command
AI.MODELEXECUTE cannot be used in a deprecated AI.DAGRUN command
AI.SCRIPTEXECUTE cannot be used in a deprecated AI.DAGRUN command
Unsupported command within DAG
ERR INPUT key cannot be found in DAG
ERR PERSIST key cannot be found in DAG";

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
        (
            Error::ArityInDag("AI.TENSORGET"),
            b"wrong number of arguments for 'AI.TENSORGET' command",
        ),
        (
            Error::MissingArguments("AI.DAGEXECUTE_RO"),
            b"ERR missing arguments for 'AI.DAGEXECUTE_RO' command",
        ),
        (
            Error::UnexpectedInDag(echo()),
            b"ERR Invalid DAG command. Unexpected argument:  a  b \xff",
        ),
        (
            Error::UnexpectedInScript(echo()),
            b"ERR Invalid AI.SCRIPTEXECUTE command. Unexpected argument: a  b \xff",
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
