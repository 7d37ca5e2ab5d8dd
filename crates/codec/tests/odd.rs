//! Data that RedisAI could write and that our own commands would refuse, or that it wrote wrong: all
//! of it loads.

mod saved;

use redisai_codec::{
    Field, Fields, SCRIPTSET, decode_model, decode_script, decode_tensor, encode_model, script_args,
};
use redisai_core::{DeviceKind, ModelDef, ScriptDef, Tensor};
use saved::{SavedModel, SavedScript, SavedTensor, VERSIONS};

fn tensor(saved: &SavedTensor, version: i32) -> Tensor {
    decode_tensor(&mut Fields(saved.fields(version)).reader(), version).unwrap()
}

fn model(saved: &SavedModel, version: i32) -> ModelDef {
    decode_model(&mut Fields(saved.fields(version)).reader(), version).unwrap()
}

fn script(saved: &SavedScript, version: i32) -> ScriptDef {
    decode_script(&mut Fields(saved.fields(version)).reader(), version).unwrap()
}

#[test]
fn bool_bytes_above_one_become_one() {
    let mut saved = SavedTensor::counting(6, 8, &[5]);
    saved.blob = vec![0, 1, 2, 128, 255];
    for version in VERSIONS {
        assert_eq!(tensor(&saved, version).bytes(), [0, 1, 1, 1, 1]);
    }
}

#[test]
fn odd_devices_are_kept_as_they_are() {
    let long = [b'C'; 1000];
    let texts: [(&[u8], _); 6] = [
        (b"CPU:", DeviceKind::Cpu),
        (b"cpuxyz", DeviceKind::Cpu),
        (b"GPU:", DeviceKind::Gpu(0)),
        (b"", DeviceKind::Unknown),
        (b"\xff\xfe", DeviceKind::Unknown),
        (&long, DeviceKind::Unknown),
    ];
    for (text, kind) in texts {
        for version in VERSIONS {
            let mut saved = SavedModel::full(3);
            saved.device = text.to_vec();
            let device = model(&saved, version).device;
            assert_eq!((device.text(), device.kind()), (text, kind));
            let mut saved = SavedScript::full();
            saved.device = text.to_vec();
            assert_eq!(script(&saved, version).device.text(), text);
        }
    }
}

#[test]
fn batch_numbers_may_be_anything() {
    let mut saved = SavedModel::full(0);
    (saved.batch_size, saved.min_batch_size) = (2, 1000);
    for version in VERSIONS {
        let batch = model(&saved, version).batch;
        assert_eq!((batch.size, batch.min_size), (2, 1000));
    }
    // No command could set what is no signed number; it becomes the largest that one could.
    saved.min_batch_size = u64::MAX;
    for version in VERSIONS {
        assert_eq!(model(&saved, version).batch.min_size, i64::MAX as u64);
    }
}

#[test]
fn scripts_without_entry_points() {
    let mut saved = SavedScript::full();
    saved.entry_points.clear();
    for version in VERSIONS {
        let script = script(&saved, version);
        assert!(script.entry_points.is_empty());
        let (command, args) = script_args(&script);
        assert_eq!(command, SCRIPTSET);
        // device TAG tag SOURCE source: with command and key the seven that it takes.
        assert_eq!(args.len(), 5);
    }
}

#[test]
fn scripts_end_at_their_first_nul() {
    for version in VERSIONS {
        let mut saved = SavedScript::full();
        saved.source = b"def f(): pass\0more\0".to_vec();
        saved.entry_points = vec![b"f\0g".to_vec()];
        let script = script(&saved, version);
        assert_eq!(script.source.bytes(), b"def f(): pass");
        let names: Vec<_> = script.entry_points.iter().map(|name| &name[..]).collect();
        let expected: &[&[u8]] = if version < 3 { &[] } else { &[b"f"] };
        assert_eq!(names, expected);
    }
}

/// The fields of a model of version 1 or later whose chunks are these.
fn chunked(version: i32, length: u64, chunks: &[&[u8]]) -> Fields {
    let mut saved = SavedModel::full(3);
    saved.blob.clear();
    let mut fields = saved.fields(version);
    fields.truncate(fields.len() - 3);
    fields.push(Field::Number(length));
    fields.push(Field::Number(chunks.len() as u64));
    fields.extend(chunks.iter().map(|chunk| Field::Bytes(chunk.to_vec())));
    Fields(fields)
}

#[test]
fn chunks_of_any_length() {
    let layouts: [&[&[u8]]; 6] = [
        &[b"abcdef"],
        &[b"abcdef", b""],
        &[b"", b"abcdef", b""],
        &[b"abc", b"def"],
        &[b"abc", b"def", b""],
        &[b"a", b"", b"bcd", b"ef"],
    ];
    for chunks in layouts {
        for version in 1..=4 {
            let fields = chunked(version, 6, chunks);
            let mut reader = fields.reader();
            let model = decode_model(&mut reader, version).unwrap();
            assert!(reader.rest().is_empty());
            assert_eq!(model.blob.bytes(), b"abcdef");
        }
    }
}

#[test]
fn an_exact_multiple_is_written_with_its_empty_chunk() {
    let model = decode_model(&mut chunked(4, 6, &[b"abcdef"]).reader(), 4).unwrap();
    let tail = |chunk| {
        let mut written = Fields::default();
        encode_model(&mut written, &model, chunk);
        let head = written.0.len();
        written.0.split_off(head - 2 - 6 / chunk as usize - 1)
    };
    let bytes = |text: &[u8]| Field::Bytes(text.to_vec());
    let number = Field::Number;
    assert_eq!(
        tail(6),
        [number(6), number(2), bytes(b"abcdef"), bytes(b"")]
    );
    assert_eq!(
        tail(3),
        [
            number(6),
            number(3),
            bytes(b"abc"),
            bytes(b"def"),
            bytes(b"")
        ]
    );
    assert_eq!(
        tail(4),
        [number(6), number(2), bytes(b"abcd"), bytes(b"ef")]
    );
    assert_eq!(tail(7), [number(6), number(1), bytes(b"abcdef")]);
}

/// A STRING tensor of two elements.
fn strings(blob: &[u8], offsets: [u64; 2]) -> Vec<Vec<u8>> {
    let mut saved = SavedTensor::counting(7, 8, &[2]);
    (saved.blob, saved.offsets) = (blob.to_vec(), offsets.to_vec());
    let tensor = tensor(&saved, 4);
    tensor.strings().map(<[u8]>::to_vec).collect()
}

#[test]
fn wrong_offsets_are_found_again_from_the_nuls() {
    for wrong in [[7, 10], [0, 0], [0, 2], [1, 3], [3, 0], [0, u64::MAX]] {
        assert_eq!(strings(b"ab\0c\0", wrong), [&b"ab"[..], b"c"]);
    }
    // Right ones say more than the NULs do.
    assert_eq!(strings(b"a\0b\0\0", [0, 4]), [&b"a\0b"[..], b""]);
}

#[test]
fn dims_of_zero_and_scalars() {
    for version in VERSIONS {
        for (dims, bytes) in [(&[0, 5][..], 0), (&[5, 0], 0), (&[], 4)] {
            let tensor = tensor(&SavedTensor::counting(2, 32, dims), version);
            assert_eq!(tensor.shape().dims(), dims);
            assert_eq!(tensor.bytes().len(), bytes);
        }
    }
}

#[test]
fn what_old_tensors_say_of_their_place_is_of_no_matter() {
    let saved = SavedTensor::counting(2, 32, &[2, 1]);
    // Device id, lanes, both strides, byte offset.
    for place in [1, 4, 8, 9, 10] {
        for odd in [0, 1, 2, 7, u64::MAX] {
            let mut fields = saved.fields(3);
            fields[place] = Field::Number(odd);
            let tensor = decode_tensor(&mut Fields(fields).reader(), 3).unwrap();
            assert_eq!(tensor.bytes(), saved.blob);
        }
    }
}

#[test]
fn tags_and_names_hold_any_bytes() {
    for version in VERSIONS {
        let mut saved = SavedModel::full(0);
        saved.tag = b"t\0g\xff\0".to_vec();
        saved.inputs = vec![b"a\0".to_vec(), b"\xff".to_vec(), b"".to_vec()];
        let read = model(&saved, version);
        assert_eq!(&*read.tag, saved.tag);
        let names: Vec<_> = read.inputs.iter().map(|name| name.to_vec()).collect();
        assert_eq!(names, saved.inputs);
    }
    // A name that lost its NUL is still that name.
    let mut fields = SavedModel::full(0).fields(4);
    fields[7] = Field::Bytes(b"bare".to_vec());
    let read = decode_model(&mut Fields(fields).reader(), 4).unwrap();
    assert_eq!(&*read.inputs[0], b"bare");
}
