//! The command that makes a value again: for AOF rewrite and for replication.

use crate::encode::chunk_len;
use redisai_core::{BackendKind, Buffer, DType, ModelDef, ScriptDef, Tensor};
use smallvec::{SmallVec, smallvec};
use std::ffi::CStr;

/// The command of [`tensor_args`].
pub const TENSORSET: &CStr = c"AI.TENSORSET";

/// The command of [`model_args`].
pub const MODELSTORE: &CStr = c"AI.MODELSTORE";

/// The command of [`script_args`] for a script with entry points.
pub const SCRIPTSTORE: &CStr = c"AI.SCRIPTSTORE";

/// The command of [`script_args`] for one without: `AI.SCRIPTSTORE` refuses it.
pub const SCRIPTSET: &CStr = c"AI.SCRIPTSET";

/// One argument.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// This number in decimal digits.
    Number(u64),
    /// All bytes of this memory: where it is a string of the server, that string itself serves.
    Blob(&'a dyn Buffer),
}

/// The arguments behind the command's name and the key.
pub type Args<'a> = SmallVec<[Arg<'a>; 12]>;

fn word(text: &str) -> Arg<'_> {
    Arg::Bytes(text.as_bytes())
}

/// `dtype dim… BLOB data`, or `STRING dim… BYTES element…` where an element holds a NUL.
pub fn tensor_args(tensor: &Tensor) -> Args<'_> {
    let mut args: Args<'_> = smallvec![word(tensor.dtype().name())];
    // A dimension is never negative.
    args.extend(
        tensor
            .shape()
            .dims()
            .iter()
            .map(|dim| Arg::Number(dim.unsigned_abs())),
    );
    if tensor.dtype() == DType::String && tensor.has_inner_nul() {
        args.push(word("BYTES"));
        args.extend(tensor.strings().map(Arg::Bytes));
    } else {
        args.push(word("BLOB"));
        args.push(Arg::Blob(tensor.buffer()));
    }
    args
}

/// `backend device TAG tag BATCHSIZE n MINBATCHSIZE m MINBATCHTIMEOUT t [INPUTS n name… OUTPUTS n
/// name…] BLOB chunk…`; names for TF only. `chunk_size` is `MODEL_CHUNK_SIZE`, in bytes.
pub fn model_args(model: &ModelDef, chunk_size: u64) -> Args<'_> {
    let mut args: Args<'_> = smallvec![
        word(model.backend.name()),
        Arg::Bytes(model.device.text()),
        word("TAG"),
        Arg::Bytes(&model.tag),
        word("BATCHSIZE"),
        Arg::Number(model.batch.size),
        word("MINBATCHSIZE"),
        Arg::Number(model.batch.min_size),
        word("MINBATCHTIMEOUT"),
        Arg::Number(model.batch.min_timeout_ms),
    ];
    if model.backend == BackendKind::Tf {
        for (keyword, names) in [("INPUTS", &model.inputs), ("OUTPUTS", &model.outputs)] {
            args.push(word(keyword));
            args.push(Arg::Number(names.len() as u64));
            args.extend(names.iter().map(|name| Arg::Bytes(name)));
        }
    }
    args.push(word("BLOB"));
    let blob = model.blob.bytes();
    let chunk_size = chunk_len(blob.len(), chunk_size);
    if blob.len() <= chunk_size {
        args.push(Arg::Blob(model.blob.as_ref()));
    } else {
        args.extend(blob.chunks(chunk_size).map(Arg::Bytes));
    }
    args
}

/// The command that makes a script again, and its arguments: `device TAG tag [ENTRY_POINTS n name…]
/// SOURCE source`.
pub fn script_args(script: &ScriptDef) -> (&'static CStr, Args<'_>) {
    let mut args: Args<'_> = smallvec![
        Arg::Bytes(script.device.text()),
        word("TAG"),
        Arg::Bytes(&script.tag),
    ];
    let command = if script.entry_points.is_empty() {
        SCRIPTSET
    } else {
        args.push(word("ENTRY_POINTS"));
        args.push(Arg::Number(script.entry_points.len() as u64));
        args.extend(script.entry_points.iter().map(|name| Arg::Bytes(name)));
        SCRIPTSTORE
    };
    args.push(word("SOURCE"));
    args.push(Arg::Blob(script.source.as_ref()));
    (command, args)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redisai_core::{Batch, Device, Shape};
    use std::sync::Arc;

    fn words(args: &Args<'_>) -> Vec<String> {
        args.iter()
            .map(|arg| match arg {
                Arg::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Arg::Number(number) => number.to_string(),
                Arg::Blob(buffer) => format!("<{}>", String::from_utf8_lossy(buffer.bytes())),
            })
            .collect()
    }

    #[test]
    fn strings_with_a_nul_go_one_by_one() {
        let strings = |elements: &[&[u8]]| {
            let shape = Shape::new(&[elements.len() as i64]).unwrap();
            let tensor = Tensor::from_strings(shape, elements).unwrap();
            words(&tensor_args(&tensor))
        };
        assert_eq!(
            strings(&[b"a\0b", b""]),
            ["STRING", "2", "BYTES", "a\0b", ""]
        );
        assert_eq!(strings(&[b"a", b""]), ["STRING", "2", "BLOB", "<a\0\0>"]);
        assert_eq!(strings(&[]), ["STRING", "0", "BLOB", "<>"]);
    }

    #[test]
    fn a_script_goes_by_the_command_that_takes_it() {
        let script = |entry_points: &[&[u8]]| {
            let script = ScriptDef {
                device: Device::lenient(b"cpu:1"),
                tag: b"t\0g".as_slice().into(),
                entry_points: entry_points.iter().map(|&name| name.into()).collect(),
                source: Arc::new(b"def f(): pass".to_vec()),
            };
            let (command, args) = script_args(&script);
            (command.to_str().unwrap(), words(&args))
        };
        let (command, args) = script(&[b"f", b"g"]);
        assert_eq!(command, "AI.SCRIPTSTORE");
        let words = "cpu:1 TAG t\0g ENTRY_POINTS 2 f g SOURCE <def f(): pass>";
        assert_eq!(args.join(" "), words);
        let (command, args) = script(&[]);
        assert_eq!(command, "AI.SCRIPTSET");
        assert_eq!(args.join(" "), "cpu:1 TAG t\0g SOURCE <def f(): pass>");
    }

    #[test]
    fn no_chunk_is_empty_unless_the_blob_is() {
        let chunked = |blob: &[u8], chunk_size| {
            let model = ModelDef {
                backend: BackendKind::Onnx,
                device: Device::cpu(),
                tag: Box::default(),
                batch: Batch::default(),
                inputs: vec![b"x".as_slice().into()],
                outputs: vec![],
                blob: Arc::new(blob.to_vec()),
            };
            words(&model_args(&model, chunk_size)).split_off(10)
        };
        let tail = |blob| chunked(blob, 2);
        assert_eq!(tail(b"abcd"), ["BLOB", "ab", "cd"]);
        assert_eq!(tail(b"abc"), ["BLOB", "ab", "c"]);
        assert_eq!(tail(b"ab"), ["BLOB", "<ab>"]);
        assert_eq!(tail(b""), ["BLOB", "<>"]);
        assert_eq!(chunked(b"ab", 0), ["BLOB", "a", "b"]);
    }
}
