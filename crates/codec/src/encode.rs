//! Values to the fields of an RDB payload: the current version only.
//!
//! This also runs in a forked child while the parent lives on, so it only reads the values.

use crate::RdbWrite;
use redisai_core::{DType, ModelDef, ScriptDef, Tensor};

/// The encoding version that is written: RedisAI's last, so that its files can go back.
pub const VERSION: i32 = 4;

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
    let chunk_size = usize::try_from(chunk_size).unwrap_or(usize::MAX).max(1);
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
