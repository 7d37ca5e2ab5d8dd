//! What the tests share: where LiteRT is, fixtures, short ways to load and run.
//!
//! The library comes from `REDISAI_TEST_LITERT` (a path of `libLiteRt.so`), else from the
//! `ai_edge_litert` package of a Python: `VIRTUAL_ENV`, the repository's `.venv`, `python3` on `PATH`.
//! Where there is none the tests fail: a test that skips itself checks nothing.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

pub mod fixture;

#[allow(unused_imports, reason = "each test binary uses its own part")]
pub use redisai_testkit::short::{floats, ints, request, run, run_id, tensor, values};

use redisai_backend_abi::{Host, InitOptions};
use redisai_core::{BackendError, LoadedModel};
use redisai_tflite::TfLiteBackend;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// Path of `libLiteRt.so`.
pub fn library() -> PathBuf {
    if let Some(path) = std::env::var_os("REDISAI_TEST_LITERT") {
        return path.into();
    }
    let script = "import importlib.util, pathlib, sys
spec = importlib.util.find_spec('ai_edge_litert')
found = sorted(pathlib.Path(spec.origin).parent.glob('libLiteRt.so')) if spec else []
sys.stdout.write(str(found[0]) if found else '')";
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv");
    let environments = std::env::var_os("VIRTUAL_ENV")
        .map(PathBuf::from)
        .into_iter()
        .chain([root]);
    let pythons = environments
        .map(|prefix| prefix.join("bin/python"))
        .chain(["python3".into()]);
    pythons
        .filter_map(|python| Command::new(python).args(["-c", script]).output().ok())
        .filter(|output| output.status.success() && !output.stdout.is_empty())
        .map(|output| PathBuf::from(String::from_utf8(output.stdout).expect("a path in UTF-8")))
        .next()
        .expect(
            "LiteRT is needed: `pip install ai-edge-litert` into .venv, or set \
             REDISAI_TEST_LITERT to the path of libLiteRt.so",
        )
}

/// The options of `init`: the library and these pairs.
pub fn options(pairs: &[(&str, &str)]) -> InitOptions {
    let library = library().to_str().expect("a path in UTF-8").to_owned();
    let mut all = vec![("framework".to_owned(), library.into_bytes())];
    let pairs = pairs.iter();
    all.extend(pairs.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())));
    InitOptions::new(all)
}

/// The process's backend, with the options of the first call.
pub fn backend_with(host: Host, pairs: &[(&str, &str)]) -> &'static TfLiteBackend {
    static BACKEND: OnceLock<TfLiteBackend> = OnceLock::new();
    BACKEND.get_or_init(|| TfLiteBackend::new(host, &options(pairs)).expect("LiteRT loads"))
}

/// The process's backend; its log goes to [`logged`].
pub fn backend() -> &'static TfLiteBackend {
    backend_with(logging_host(), &[])
}

redisai_testkit::logging_host!();

/// Bytes of a fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Loads a model of these bytes on a device.
pub fn load_on(device: &str, blob: Vec<u8>) -> Result<Arc<dyn LoadedModel>, BackendError> {
    redisai_testkit::short::load_on(backend(), device, blob)
}

/// Loads a model of these bytes.
pub fn load(blob: Vec<u8>) -> Result<Arc<dyn LoadedModel>, BackendError> {
    load_on("CPU", blob)
}

/// Loads a fixture that is a good model.
pub fn model(name: &str) -> Arc<dyn LoadedModel> {
    load(fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}
