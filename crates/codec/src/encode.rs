//! Values to the fields of an RDB payload: the current version only.
//!
//! This also runs in a forked child while the parent lives on, so it only reads the values.

use crate::RdbWrite;
use redisai_core::{DType, ModelDef, ScriptDef, Tensor};

/// The encoding version that is written: RedisAI's last, so that its files can go back.
pub const VERSION: i32 = 4;

/// The most chunks in which a model goes, about. Each costs a string of its own, so that a tiny
/// `MODEL_CHUNK_SIZE`, which any client may set, would hold up the server and fill its memory.
const MOST_CHUNKS: usize = 1 << 16;

/// How many bytes a chunk of a model of `len` bytes has, where `wanted` is `MODEL_CHUNK_SIZE`, in bytes:
/// so many, or more where they would be too many chunks. Never 0.
pub fn chunk_len(len: usize, wanted: u64) -> usize {
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).max(1);
    wanted.max(len.div_ceil(MOST_CHUNKS))
}

/// Writes a tensor.
pub fn encode_tensor(out: &mut impl RdbWrite, tensor: &Tensor) {
    let (code, bits) = tensor.dtype().code();
    out.unsigned(code.into());
    out.unsigned(bits.into());
    out.signed(tensor.shape().rank() as i64);
    for &dim in tensor.shape().dims() {
        out.signed(dim);
    }
    out.bytes(tensor.bytes());
    if tensor.dtype() == DType::String {
        // One offset an element; the end, which we keep as well, is the blob's length.
        let offsets = tensor.offsets().unwrap_or_default();
        for &offset in offsets.iter().take(tensor.shape().elements()) {
            out.unsigned(offset);
        }
    }
}

/// Writes a model; `chunk_size` is `MODEL_CHUNK_SIZE`, in bytes.
pub fn encode_model(out: &mut impl RdbWrite, model: &ModelDef, chunk_size: u64) {
    out.unsigned(model.backend.code());
    with_nul(out, model.device.text());
    out.bytes(&model.tag);
    out.unsigned(model.batch.size);
    out.unsigned(model.batch.min_size);
    out.unsigned(model.batch.min_timeout_ms);
    names(out, &model.inputs);
    names(out, &model.outputs);
    let blob = model.blob.bytes();
    let chunk_size = chunk_len(blob.len(), chunk_size);
    out.unsigned(blob.len() as u64);
    // RedisAI's count, with its empty chunk at the end where the length is a multiple.
    out.unsigned((blob.len() / chunk_size) as u64 + 1);
    let (whole, last) = blob.split_at(blob.len() - blob.len() % chunk_size);
    for chunk in whole.chunks_exact(chunk_size) {
        out.bytes(chunk);
    }
    out.bytes(last);
}

/// Writes a script.
pub fn encode_script(out: &mut impl RdbWrite, script: &ScriptDef) {
    with_nul(out, script.device.text());
    out.bytes(&script.tag);
    with_nul(out, script.source.bytes());
    names(out, &script.entry_points);
}

/// Writes a count, and as many C strings.
fn names(out: &mut impl RdbWrite, names: &[Box<[u8]>]) {
    out.unsigned(names.len() as u64);
    for name in names {
        with_nul(out, name);
    }
}

/// Writes a C string with its NUL.
fn with_nul(out: &mut impl RdbWrite, text: &[u8]) {
    out.bytes(&[text, b"\0"].concat());
}

#[cfg(test)]
mod tests {
    use super::chunk_len;

    #[test]
    fn chunks_are_as_long_as_asked_for_unless_they_would_be_too_many() {
        let gib = 1 << 30;
        for (len, wanted, chunk) in [
            (0, 0, 1),
            (9, 4, 4),
            (65_536, 1, 1),
            (65_537, 1, 2),
            (gib, 1, gib / 65_536),
            (gib, 511 << 20, 511 << 20),
            (gib, u64::MAX, usize::MAX),
        ] {
            assert_eq!(chunk_len(len, wanted), chunk, "{len} {wanted}");
        }
    }
}
