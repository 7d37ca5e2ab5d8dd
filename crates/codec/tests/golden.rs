//! Files of RedisAI 1.2: each is read as what RedisAI itself said of it, and written back field for
//! field.

mod dump;

use redisai_codec::{
    Arg, Args, Fields, MODELSTORE, TENSORSET, VERSION, decode_model, decode_script, decode_tensor,
    encode_model, encode_script, encode_tensor, model_args, script_args, tensor_args,
};
use redisai_core::{ModelDef, ScriptDef, Tensor};
use serde_json::Value;
use std::collections::HashMap;
use std::ffi::CStr;
use std::fs;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/");
/// `MODEL_CHUNK_SIZE` of the server when it made the files.
const CHUNK: u64 = 64;

/// Every key of this type: its name, what RedisAI said, its fields.
fn keys(kind: &str) -> Vec<(String, Value, Fields)> {
    let manifest = fs::read(format!("{DATA}manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let keys = manifest["keys"].as_object().unwrap().iter();
    keys.filter(|(_, said)| said["type"] == kind)
        .map(|(name, said)| {
            let file = said["payload"].as_str().unwrap();
            let (version, fields) = dump::fields(&fs::read(format!("{DATA}{file}")).unwrap());
            assert_eq!(version, VERSION, "{name}");
            (name.clone(), said.clone(), fields)
        })
        .collect()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

#[test]
fn tensors() {
    let keys = keys("tensor");
    assert_eq!(keys.len(), 28);
    for (name, said, fields) in keys {
        let mut reader = fields.reader();
        let tensor: Tensor = decode_tensor(&mut reader, 4).unwrap();
        assert!(reader.rest().is_empty(), "{name}");
        assert_eq!(tensor.dtype().name(), said["dtype"], "{name}");
        let shape: Vec<i64> = serde_json::from_value(said["shape"].clone()).unwrap();
        assert_eq!(tensor.shape().dims(), shape, "{name}");
        assert_eq!(
            tensor.bytes(),
            hex(said["blob_hex"].as_str().unwrap()),
            "{name}"
        );
        let mut written = Fields::default();
        encode_tensor(&mut written, &tensor);
        assert_eq!(written, fields, "{name}");
    }
}

fn text(value: &[u8]) -> Value {
    String::from_utf8(value.to_vec()).unwrap().into()
}

/// The reply of `AI.MODELGET key META`.
fn meta(model: &ModelDef) -> Value {
    let names = |names: &[Box<[u8]>]| names.iter().map(|name| text(name)).collect::<Value>();
    Value::Array(vec![
        "backend".into(),
        model.backend.name().into(),
        "device".into(),
        text(model.device.text()),
        "tag".into(),
        text(&model.tag),
        "batchsize".into(),
        model.batch.size.into(),
        "minbatchsize".into(),
        model.batch.min_size.into(),
        "inputs".into(),
        names(&model.inputs),
        "outputs".into(),
        names(&model.outputs),
        "minbatchtimeout".into(),
        model.batch.min_timeout_ms.into(),
    ])
}

#[test]
fn models() {
    let keys = keys("model");
    assert_eq!(keys.len(), 5);
    for (name, said, fields) in keys {
        let mut reader = fields.reader();
        let model = decode_model(&mut reader, 4).unwrap();
        assert!(reader.rest().is_empty(), "{name}");
        assert_eq!(meta(&model), said["meta"], "{name}");
        let stored = match model.backend.name() {
            "ONNX" => "affine.onnx",
            "TORCH" => "addmul.pt",
            _ => "mul.pb",
        };
        let stored = fs::read(format!("{DATA}{stored}")).unwrap();
        assert!(model.blob.bytes() == stored, "{name}");
        let mut written = Fields::default();
        encode_model(&mut written, &model, CHUNK);
        assert_eq!(written, fields, "{name}");
    }
}

/// The reply of `AI.SCRIPTGET key`.
fn script_reply(script: &ScriptDef) -> Value {
    let names = script.entry_points.iter().map(|name| text(name));
    Value::Array(vec![
        "device".into(),
        text(script.device.text()),
        "tag".into(),
        text(&script.tag),
        "Entry Points".into(),
        names.collect(),
        "source".into(),
        text(script.source.bytes()),
    ])
}

#[test]
fn scripts() {
    let keys = keys("script");
    assert_eq!(keys.len(), 2);
    for (name, said, fields) in keys {
        let mut reader = fields.reader();
        let script = decode_script(&mut reader, 4).unwrap();
        assert!(reader.rest().is_empty(), "{name}");
        assert_eq!(script_reply(&script), said["meta"], "{name}");
        let mut written = Fields::default();
        encode_script(&mut written, &script);
        assert_eq!(written, fields, "{name}");
    }
}

/// The RDB holds the same keys with the same fields as the payloads, which were checked above.
#[test]
fn the_whole_rdb() {
    let types = [
        ("tensor", "AI_TENSOR"),
        ("model", "AI__MODEL"),
        ("script", "AI_SCRIPT"),
    ];
    let mut expected = HashMap::new();
    for (kind, module) in types {
        for (name, _, fields) in keys(kind) {
            expected.insert(name, (module, fields));
        }
    }
    let found = dump::rdb(&fs::read(format!("{DATA}dump.rdb")).unwrap());
    assert_eq!(found.len(), expected.len());
    for (name, module, fields) in found {
        let (kind, payload) = expected.remove(&name).unwrap();
        assert_eq!(module.name, kind, "{name}");
        assert_eq!(module.version, VERSION, "{name}");
        assert_eq!(fields, payload, "{name}");
    }
}

/// The commands of RedisAI's rewritten AOF, by key.
fn rewritten() -> HashMap<Vec<u8>, Vec<Vec<u8>>> {
    let file = fs::read(format!("{DATA}appendonly.aof")).unwrap();
    let mut rest = &file[..];
    let number = |rest: &mut &[u8]| -> usize {
        let end = rest.iter().position(|&byte| byte == b'\r').unwrap();
        let text = std::str::from_utf8(&rest[1..end]).unwrap();
        *rest = &rest[end + 2..];
        text.parse().unwrap()
    };
    let mut commands = HashMap::new();
    while !rest.is_empty() {
        let argv: Vec<Vec<u8>> = (0..number(&mut rest))
            .map(|_| {
                let length = number(&mut rest);
                let arg = rest[..length].to_vec();
                rest = &rest[length + 2..];
                arg
            })
            .collect();
        commands.insert(argv[1].clone(), argv);
    }
    commands
}

fn argv(command: &CStr, key: &str, args: &Args<'_>) -> Vec<Vec<u8>> {
    let args = args.iter().map(|arg| match arg {
        Arg::Bytes(bytes) => bytes.to_vec(),
        Arg::Number(number) => number.to_string().into_bytes(),
        Arg::Blob(buffer) => buffer.bytes().to_vec(),
    });
    [command.to_bytes().to_vec(), key.as_bytes().to_vec()]
        .into_iter()
        .chain(args)
        .collect()
}

#[test]
fn aof_commands() {
    let rewritten = rewritten();
    // All 35 keys, and the SELECT before them.
    assert_eq!(rewritten.len(), 36);
    for (name, _, fields) in keys("tensor") {
        let tensor = decode_tensor(&mut fields.reader(), 4).unwrap();
        let ours = argv(TENSORSET, &name, &tensor_args(&tensor));
        assert_eq!(ours, rewritten[name.as_bytes()], "{name}");
    }
    for (name, _, fields) in keys("model") {
        let model = decode_model(&mut fields.reader(), 4).unwrap();
        let ours = argv(MODELSTORE, &name, &model_args(&model, CHUNK));
        assert_eq!(ours, rewritten[name.as_bytes()], "{name}");
    }
    for (name, said, fields) in keys("script") {
        let script = decode_script(&mut fields.reader(), 4).unwrap();
        let (command, args) = script_args(&script);
        let ours = argv(command, &name, &args);
        let mut theirs = rewritten[name.as_bytes()].clone();
        // RedisAI's own command for a script without entry points is one that it refuses.
        if said["meta"][5] == Value::Array(vec![]) {
            theirs[0] = b"AI.SCRIPTSET".to_vec();
        }
        assert_eq!(ours, theirs, "{name}");
    }
}
