//! Decoding of any fields, and that what was decoded goes through the RDB and the AOF unchanged.
//!
//! Input: a byte of the version, then fields: an even byte is a number's length in bytes (half of
//! it, up to 8) and the number, an odd one a string's length (half of it) and the string.
#![no_main]

use libfuzzer_sys::fuzz_target;
use redisai_codec::*;
use redisai_command::{Limits, ModelStore, TensorSet, join};
use redisai_core::{ModelDef, ScriptDef, Tensor};
use std::sync::Arc;

fn fields(mut data: &[u8]) -> Fields {
    let mut fields = Fields::default();
    while let Some((&head, rest)) = data.split_first() {
        let length = usize::from(head / 2);
        let length = if head % 2 == 0 { length.min(8) } else { length };
        let (value, rest) = rest.split_at(length.min(rest.len()));
        data = rest;
        fields.0.push(if head % 2 == 0 {
            Field::Number(
                value
                    .iter()
                    .fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
            )
        } else {
            Field::Bytes(value.to_vec())
        });
    }
    fields
}

fn argv(command: &std::ffi::CStr, args: &Args<'_>) -> Vec<Vec<u8>> {
    let args = args.iter().map(|arg| match arg {
        Arg::Bytes(bytes) => bytes.to_vec(),
        Arg::Number(number) => number.to_string().into_bytes(),
        Arg::Blob(buffer) => buffer.bytes().to_vec(),
    });
    [command.to_bytes().to_vec(), b"key".to_vec()]
        .into_iter()
        .chain(args)
        .collect()
}

fn same_tensor(left: &Tensor, right: &Tensor) {
    assert_eq!(left.dtype(), right.dtype());
    assert_eq!(left.shape(), right.shape());
    assert_eq!(left.bytes(), right.bytes());
    assert_eq!(left.offsets(), right.offsets());
}

fn tensor(tensor: &Tensor) {
    let mut written = Fields::default();
    encode_tensor(&mut written, tensor);
    same_tensor(
        &decode_tensor(&mut written.reader(), VERSION).unwrap(),
        tensor,
    );
    let argv = argv(TENSORSET, &tensor_args(tensor));
    let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
    let limits = Limits::stream();
    let set = TensorSet::parse(&argv, &limits).unwrap();
    let replayed = set.into_tensor(&limits, |index| Box::new(argv[index].to_vec()));
    same_tensor(&replayed.unwrap(), tensor);
}

fn same_model(left: &ModelDef, right: &ModelDef) {
    assert_eq!(left.backend, right.backend);
    assert_eq!(left.device, right.device);
    assert_eq!(left.tag, right.tag);
    assert_eq!(left.batch, right.batch);
    assert_eq!(left.blob.bytes(), right.blob.bytes());
}

fn model(model: &ModelDef, chunk_size: u64) {
    let mut written = Fields::default();
    encode_model(&mut written, model, chunk_size);
    let read = decode_model(&mut written.reader(), VERSION).unwrap();
    same_model(&read, model);
    assert_eq!(read.inputs, model.inputs);
    assert_eq!(read.outputs, model.outputs);
    let argv = argv(MODELSTORE, &model_args(model, chunk_size));
    let argv: Vec<&[u8]> = argv.iter().map(Vec::as_slice).collect();
    let store = ModelStore::parse(&argv, true).unwrap();
    let blob = Arc::new(join(&argv, store.chunks.clone()));
    same_model(&store.definition(blob), model);
}

fn script(script: &ScriptDef) {
    let mut written = Fields::default();
    encode_script(&mut written, script);
    let read = decode_script(&mut written.reader(), VERSION).unwrap();
    assert_eq!(read.device, script.device);
    assert_eq!(read.tag, script.tag);
    assert_eq!(read.entry_points, script.entry_points);
    assert_eq!(read.source.bytes(), script.source.bytes());
    let (command, args) = script_args(script);
    let argv = argv(command, &args);
    let source = argv.last().unwrap();
    assert_eq!(source, read.source.bytes());
    // Behind the command, the key, the device and TAG with its value: SOURCE and the source.
    let names = match script.entry_points.len() {
        0 => 0,
        count => count + 2,
    };
    assert_eq!(argv.len(), 5 + names + 2);
}

fuzz_target!(|data: &[u8]| {
    let Some((&head, rest)) = data.split_first() else {
        return;
    };
    let fields = fields(rest);
    let version = i32::from(head % 8);
    if let Ok(decoded) = decode_tensor(&mut fields.reader(), version) {
        tensor(&decoded);
    }
    if let Ok(decoded) = decode_model(&mut fields.reader(), version) {
        model(&decoded, u64::from(head / 8) + 1);
    }
    if let Ok(decoded) = decode_script(&mut fields.reader(), version) {
        script(&decoded);
    }
});
