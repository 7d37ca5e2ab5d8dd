//! Payloads of every version, from a generator that knows only the contract's tables: each is read
//! as what it is, and written again as the generator writes version 4.

mod saved;

use redisai_codec::{
    Field, Fields, decode_model, decode_script, decode_tensor, encode_model, encode_script,
    encode_tensor,
};
use redisai_core::{ModelDef, ScriptDef, Tensor};
use saved::samples::{CHUNK, models, scripts, tensors};
use saved::{BACKENDS, DTYPES, SavedModel, SavedScript, SavedTensor, VERSIONS};

/// What was read, checked to have been read to the end.
fn whole<T, E: std::fmt::Debug>(
    fields: Vec<Field>,
    decode: impl Fn(&mut redisai_codec::FieldReader<'_>) -> Result<T, E>,
) -> T {
    let fields = Fields(fields);
    let mut reader = fields.reader();
    let value = decode(&mut reader).unwrap();
    assert!(reader.rest().is_empty(), "fields were left");
    value
}

fn written(encode: impl Fn(&mut Fields)) -> Vec<Field> {
    let mut fields = Fields::default();
    encode(&mut fields);
    fields.0
}

fn check_tensor(tensor: &Tensor, saved: &SavedTensor) {
    let named = DTYPES
        .iter()
        .find(|row| row.0 == tensor.dtype().name())
        .unwrap();
    assert_eq!((named.1, named.2), (saved.code, saved.bits));
    assert_eq!(tensor.shape().dims(), saved.dims);
    assert_eq!(tensor.bytes(), saved.blob);
    let starts = tensor
        .offsets()
        .map(|offsets| &offsets[..saved.offsets.len()]);
    assert_eq!(starts.unwrap_or_default(), saved.offsets);
}

#[test]
fn tensors_of_every_version() {
    let mut seen = 0;
    for version in VERSIONS {
        for saved in tensors(version) {
            let tensor = whole(saved.fields(version), |input| decode_tensor(input, version));
            check_tensor(&tensor, &saved);
            let again = written(|out| encode_tensor(out, &tensor));
            assert_eq!(again, saved.fields(4), "{version} {saved:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, (4 * 9 + 10) * 6);
}

fn check_model(model: &ModelDef, saved: &SavedModel, timeout: u64) {
    let name = BACKENDS[saved.backend as usize].1;
    assert_eq!(model.backend.name(), name);
    assert_eq!(model.device.text(), saved.device);
    assert_eq!(&*model.tag, saved.tag);
    let batch = (model.batch.size, model.batch.min_size);
    assert_eq!(batch, (saved.batch_size, saved.min_batch_size));
    assert_eq!(model.batch.min_timeout_ms, timeout);
    let texts = |names: &[Box<[u8]>]| names.iter().map(|name| name.to_vec()).collect::<Vec<_>>();
    assert_eq!(texts(&model.inputs), saved.inputs);
    assert_eq!(texts(&model.outputs), saved.outputs);
    assert_eq!(model.blob.bytes(), saved.blob);
}

#[test]
fn models_of_every_version() {
    let mut seen = 0;
    for version in VERSIONS {
        for mut saved in models() {
            let model = whole(saved.fields(version), |input| decode_model(input, version));
            if version < 2 {
                saved.min_batch_timeout = 0;
            }
            check_model(&model, &saved, saved.min_batch_timeout);
            let again = written(|out| encode_model(out, &model, CHUNK));
            assert_eq!(again, saved.fields(4), "{version} {saved:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 5 * 12);
}

fn check_script(script: &ScriptDef, saved: &SavedScript) {
    assert_eq!(script.device.text(), saved.device);
    assert_eq!(&*script.tag, saved.tag);
    assert_eq!(script.source.bytes(), saved.source);
    let names: Vec<_> = script
        .entry_points
        .iter()
        .map(|name| name.to_vec())
        .collect();
    assert_eq!(names, saved.entry_points);
}

#[test]
fn scripts_of_every_version() {
    let mut seen = 0;
    for version in VERSIONS {
        for mut saved in scripts() {
            let script = whole(saved.fields(version), |input| decode_script(input, version));
            if version < 3 {
                saved.entry_points.clear();
            }
            check_script(&script, &saved);
            let again = written(|out| encode_script(out, &script));
            assert_eq!(again, saved.fields(4), "{version} {saved:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 5 * 3);
}

/// One of each version, typed out: the generator itself could have a slip that the decoder shares.
#[test]
fn a_payload_by_hand() {
    use Field::Number;
    let bytes = |text: &[u8]| Field::Bytes(text.to_vec());
    // Device type, device id, bits, code, lanes, ndim, shape, strides, byte offset, blob.
    let numbers = [1, u64::MAX, 16, 0, 1, 2, 1, 2, 2, 1, 0].map(Number);
    let tensor = [&numbers[..], &[bytes(b"\x01\x00\xff\xff")]].concat();
    for version in 0..=3 {
        let tensor = whole(tensor.clone(), |input| decode_tensor(input, version));
        assert_eq!(format!("{tensor:?}"), "Tensor(INT16 [1, 2], 4 bytes)");
        assert_eq!(tensor.bytes(), [1, 0, 255, 255]);
    }
    let old = vec![
        Number(1),
        bytes(b"GPU:1\0"),
        bytes(b"tag\0"),
        Number(4),
        Number(2),
        Number(1),
        bytes(b"in\0"),
        Number(1),
        bytes(b"out\0"),
        bytes(b"blob"),
    ];
    let model = whole(old, |input| decode_model(input, 0));
    assert_eq!(model.backend.name(), "TFLITE");
    assert_eq!(model.device.text(), b"GPU:1");
    assert_eq!(&*model.tag, b"tag");
    assert_eq!((model.batch.size, model.batch.min_size), (4, 2));
    assert_eq!(
        (&*model.inputs[0], &*model.outputs[0]),
        (&b"in"[..], &b"out"[..])
    );
    assert_eq!(model.blob.bytes(), b"blob");
    let script = vec![bytes(b"CPU\0"), bytes(b"t\0"), bytes(b"source\0")];
    let script = whole(script, |input| decode_script(input, 0));
    assert_eq!(
        (&*script.tag, script.source.bytes()),
        (&b"t"[..], &b"source"[..])
    );
}
