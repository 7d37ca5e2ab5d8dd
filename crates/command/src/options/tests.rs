//! Every option, good and bad.

use super::*;
use crate::testing::argv;

#[test]
fn every_option_is_read_and_shown() {
    let bytes = |text: &'static str| SettingValue::Bytes(text.as_bytes());
    let rows = [
        ("BACKENDSPATH", "/b", SettingValue::Null, bytes("/b")),
        ("TF", "t.so", SettingValue::Null, bytes("t.so")),
        ("TFLITE", "l.so", SettingValue::Null, bytes("l.so")),
        ("TORCH", "p.so", SettingValue::Null, bytes("p.so")),
        ("ONNX", "o.so", SettingValue::Null, bytes("o.so")),
        (
            "THREADS_PER_QUEUE",
            "4",
            SettingValue::Integer(1),
            SettingValue::Integer(4),
        ),
        (
            "INTRA_OP_PARALLELISM",
            "4",
            SettingValue::Integer(0),
            SettingValue::Integer(4),
        ),
        (
            "INTER_OP_PARALLELISM",
            "4",
            SettingValue::Integer(0),
            SettingValue::Integer(4),
        ),
        (
            "MODEL_CHUNK_SIZE",
            "64",
            SettingValue::Integer(535_822_336),
            SettingValue::Integer(64),
        ),
        (
            "MODEL_EXECUTION_TIMEOUT",
            "1000",
            SettingValue::Integer(5000),
            SettingValue::Integer(1000),
        ),
        (
            "BACKEND_MEMORY_LIMIT",
            "9",
            SettingValue::Integer(0),
            SettingValue::Integer(9),
        ),
        ("PYTHON", "/usr", SettingValue::Null, bytes("/usr")),
        (
            "MAX_TENSOR_BYTES",
            "9",
            SettingValue::Integer(4_294_967_296),
            SettingValue::Integer(9),
        ),
        (
            "QUEUE_LIMIT",
            "9",
            SettingValue::Integer(65536),
            SettingValue::Integer(9),
        ),
        (
            "MAX_QUEUES",
            "9",
            SettingValue::Integer(64),
            SettingValue::Integer(9),
        ),
        (
            "LOADER_THREADS",
            "9",
            SettingValue::Integer(1),
            SettingValue::Integer(9),
        ),
        ("BUILD_SESSIONS", "LAZY", bytes("eager"), bytes("lazy")),
        ("INLINE_RUNS", "no", bytes("yes"), bytes("no")),
        ("BATCH_WAIT", "NO", bytes("auto"), bytes("no")),
        ("LOADBACKEND", "any", bytes("backendspath"), bytes("any")),
        ("ALLOW_NATIVE_MODELS", "yes", bytes("no"), bytes("yes")),
        ("TEST_BACKENDS", "yes", bytes("no"), bytes("yes")),
    ];
    assert_eq!(rows.len(), Setting::all().count());
    let defaults = LoadOptions::default();
    for (name, value, default, set) in rows {
        let setting = Setting::parse(name.to_ascii_lowercase().as_bytes()).unwrap();
        assert_eq!(defaults.get(setting), default, "{name}");
        let options = LoadOptions::parse(&[name.as_bytes(), value.as_bytes()]).unwrap();
        assert_eq!(options.get(setting), set, "{name}");
    }
}

#[test]
fn bad_options_are_named() {
    let error = |line: &str| LoadOptions::parse(&argv(line)).unwrap_err().to_string();
    assert_eq!(
        error("TF"),
        "Even number of arguments provided to module. \
         Please provide arguments as KEY VAL pairs"
    );
    for line in [
        "NOTHING x",
        "THREADS_PER_QUEUE 0",
        "THREADS_PER_QUEUE -1",
        "THREADS_PER_QUEUE 1.0",
        "INTRA_OP_PARALLELISM 0",
        "INTER_OP_PARALLELISM x",
        "MODEL_CHUNK_SIZE 0",
        "MODEL_EXECUTION_TIMEOUT 999",
        "BACKEND_MEMORY_LIMIT 0",
        "MAX_TENSOR_BYTES 0",
        "QUEUE_LIMIT 0",
        "MAX_QUEUES 0",
        "LOADER_THREADS 0",
        "BUILD_SESSIONS never",
        "LOADBACKEND maybe",
        "ALLOW_NATIVE_MODELS 1",
        "TEST_BACKENDS 1",
        "INLINE_RUNS maybe",
        "BATCH_WAIT yes",
    ] {
        assert_eq!(
            error(line),
            format!("ERR error processing argument: {line}")
        );
    }
    assert_eq!(
        error("TEST_BACKENDS no x y"),
        "ERR error processing argument: x y"
    );
}

#[test]
fn backends_keep_their_order() {
    let line = "TORCH a ONNX b TORCH c BACKENDSPATH p BACKENDSPATH q";
    let options = LoadOptions::parse(&argv(line)).unwrap();
    let order: Vec<_> = options
        .backends
        .iter()
        .map(|(kind, path)| (*kind, &**path))
        .collect();
    assert_eq!(
        order,
        [
            (BackendKind::Torch, b"a" as &[u8]),
            (BackendKind::Onnx, b"b"),
            (BackendKind::Torch, b"c")
        ]
    );
    assert_eq!(options.backends_path.as_deref(), Some(b"q" as &[u8]));
}
