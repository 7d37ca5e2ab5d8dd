//! Payloads of every type and version to try things on, and the codec behind one door.

use super::{BACKENDS, DTYPES, SavedModel, SavedScript, SavedTensor};
use redisai_codec::{
    Error, Field, Fields, RdbRead, decode_model, decode_script, decode_tensor, encode_model,
    encode_script, encode_tensor,
};

/// The chunk size of what [`read`] writes.
pub(crate) const CHUNK: u64 = 64;

/// The three types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tensor,
    Model,
    Script,
}

/// All of them.
pub(crate) const KINDS: [Kind; 3] = [Kind::Tensor, Kind::Model, Kind::Script];

/// Reads a value and writes it again, as the current version does.
pub(crate) fn read(kind: Kind, version: i32, input: &mut impl RdbRead) -> Result<Fields, Error> {
    let mut written = Fields::default();
    match kind {
        Kind::Tensor => encode_tensor(&mut written, &decode_tensor(input, version)?),
        Kind::Model => encode_model(&mut written, &decode_model(input, version)?, CHUNK),
        Kind::Script => encode_script(&mut written, &decode_script(input, version)?),
    }
    Ok(written)
}

/// Payloads of this type and version, every feature of the format in some of them.
pub(crate) fn samples(kind: Kind, version: i32) -> Vec<Vec<Field>> {
    match kind {
        Kind::Tensor => tensors(version)
            .iter()
            .map(|saved| saved.fields(version))
            .collect(),
        Kind::Model => models().iter().map(|saved| saved.fields(version)).collect(),
        Kind::Script => scripts()
            .iter()
            .map(|saved| saved.fields(version))
            .collect(),
    }
}

/// Every dtype that the version can hold, in several shapes.
pub(crate) fn tensors(version: i32) -> Vec<SavedTensor> {
    let shapes: [&[i64]; 6] = [&[], &[1], &[2, 3], &[0, 4], &[4, 0, 0], &[2, 1, 3, 1, 2]];
    DTYPES
        .iter()
        .filter(|&&(_, code, _)| version == 4 || code != 7)
        .flat_map(|&(_, code, bits)| shapes.map(|dims| SavedTensor::counting(code, bits, dims)))
        .collect()
}

/// Every backend; with and without options; blobs around the length of a chunk.
pub(crate) fn models() -> Vec<SavedModel> {
    let mut models: Vec<_> = BACKENDS
        .iter()
        .map(|&(backend, _)| SavedModel::full(backend))
        .collect();
    models.push(SavedModel {
        // As RedisAI names the outputs of TorchScript.
        outputs: vec![b"".to_vec(), b"".to_vec()],
        ..SavedModel::full(2)
    });
    for length in [0, 1, 63, 64, 65, 128, 1000] {
        models.push(SavedModel {
            backend: 3,
            device: b"CPU".to_vec(),
            tag: Vec::new(),
            batch_size: 0,
            min_batch_size: 0,
            min_batch_timeout: 0,
            inputs: Vec::new(),
            outputs: Vec::new(),
            blob: (0..length).map(|at| at as u8).collect(),
            chunk_size: 64,
        });
    }
    models
}

/// With and without options.
pub(crate) fn scripts() -> Vec<SavedScript> {
    let full = SavedScript::full();
    let bare = SavedScript {
        tag: Vec::new(),
        entry_points: Vec::new(),
        ..full.clone()
    };
    let empty = SavedScript {
        source: Vec::new(),
        ..bare.clone()
    };
    vec![full, bare, empty]
}
