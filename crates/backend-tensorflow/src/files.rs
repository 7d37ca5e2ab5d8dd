//! Operations on files: which they are, and which of them a SavedModel may have.

use crate::error::unsupported;
use crate::proto::NodeDef;
use redisai_core::BackendError;

/// Operations that read or write files or sockets, run a graph that is a tensor's value, or end the
/// process; by their names without `V2` and `Experimental`.
const FILES: [&str; 56] = [
    "Abort",
    "AssertCardinalityDataset",
    "CacheDataset",
    "CalibrationStatisticsSaver",
    "CSVDataset",
    "CreateSummaryDbWriter",
    "CreateSummaryFileWriter",
    "DataServiceDataset",
    "DatasetFromGraph",
    "DatasetToTFRecord",
    "DebugGradientIdentity",
    "DebugIdentity",
    "DebugNanCount",
    "DebugNumericSummary",
    "DeserializeIterator",
    "DistributedSave",
    "DTensorRestore",
    "DumpTensor",
    "FileSystemSetConfiguration",
    "FixedLengthRecordDataset",
    "FixedLengthRecordReader",
    "GenerateVocabRemapping",
    "ImmutableConst",
    "InitializeTableFromTextFile",
    "LMDBDataset",
    "LMDBReader",
    "ListSnapshotChunksDataset",
    "LoadAndRemapMatrix",
    "LoadDataset",
    "MatchingFiles",
    "MatchingFilesDataset",
    "MergeV2Checkpoints",
    "ReadFile",
    "RecordInput",
    "RegisterDataset",
    "Restore",
    "RestoreSlice",
    "RpcClient",
    "RpcServer",
    "Save",
    "SaveDataset",
    "SaveSlices",
    "Skipgram",
    "SnapshotChunkDataset",
    "SnapshotDataset",
    "SnapshotDatasetReader",
    "SnapshotNestedDatasetReader",
    "SqlDataset",
    "TextLineDataset",
    "TextLineReader",
    "TFRecordDataset",
    "TFRecordReader",
    "WholeFileReader",
    "WorkerHeartbeat",
    "WriteFile",
    "WriteRawProtoSummaryFile",
];
/// What a SavedModel's loading may consist of, and which input of it names the file.
const LOADS: [(&str, usize); 2] = [("Restore", 0), ("InitializeTableFromTextFile", 1)];
/// What a SavedModel's own saving consists of: nothing runs it.
const SAVES: [&str; 3] = ["Save", "MergeV2Checkpoints", "SaveSlices"];

/// Whether a node reads or writes files.
pub(crate) fn is_file(node: &NodeDef) -> bool {
    FILES.contains(&plain(&node.op)) || by_attribute(node)
}

/// Operations that do so by an attribute.
fn by_attribute(node: &NodeDef) -> bool {
    match plain(&node.op) {
        "FixedUnigramCandidateSampler" => !node.text("vocab_file").is_empty(),
        "DecodeProto" | "EncodeProto" => {
            let source = node.text("descriptor_source");
            !(source.is_empty() || source == b"local://" || source.starts_with(b"bytes://"))
        }
        _ => node.text("output_stream").starts_with(b"file:"),
    }
}

/// The input that names the file, of an operation that loading may run.
pub(crate) fn file_input(node: &NodeDef) -> Option<usize> {
    let name = plain(&node.op);
    LOADS.iter().find(|row| row.0 == name).map(|row| row.1)
}

/// Whether it is of a SavedModel's own loading or saving.
pub(crate) fn is_own(node: &NodeDef) -> bool {
    file_input(node).is_some() || SAVES.contains(&plain(&node.op))
}

/// The error for a node that is not allowed.
pub(crate) fn refused(node: &NodeDef) -> BackendError {
    unsupported(format!(
        "ERR the model has an operation that reads or writes files, or ends the process: {}",
        node.op
    ))
}

/// An operation's name without the marks of its age.
pub(crate) fn plain(op: &str) -> &str {
    let name = op.strip_prefix("Experimental").unwrap_or(op);
    let bare = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if bare.len() < name.len() {
        bare.strip_suffix('V').unwrap_or(name)
    } else {
        name
    }
}
