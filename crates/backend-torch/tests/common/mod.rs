//! What the tests share: where torch and its shim are, models, short ways to load and run.
//!
//! Torch comes from `REDISAI_TEST_TORCH` (a folder `torch` of a site-packages), else from the package of
//! a Python: `VIRTUAL_ENV`, the repository's `.venv`, `python3` on `PATH`. Where there is none the tests
//! fail: a test that skips itself checks nothing. The shim is built into the target directory.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

pub mod archive;
pub mod fixture;

#[allow(unused_imports, reason = "each test binary uses its own part")]
pub use redisai_testkit::short::{floats, request, run, run_id, tensor, values};

use redisai_backend_abi::{Host, InitOptions};
use redisai_core::{
    Backend, BackendError, Buffer, Device, LoadKind, LoadRequest, LoadedModel, RunOutput, Tensor,
};
use redisai_torch::TorchBackend;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

/// The folder `torch`.
pub fn torch() -> PathBuf {
    if let Some(path) = std::env::var_os("REDISAI_TEST_TORCH") {
        return path.into();
    }
    let script = "import importlib.util, pathlib, sys
spec = importlib.util.find_spec('torch')
sys.stdout.write(str(pathlib.Path(spec.origin).parent) if spec else '')";
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
            "PyTorch is needed: `pip install torch` into .venv, or set REDISAI_TEST_TORCH to the \
             folder `torch` of a site-packages",
        )
}

/// Builds the shim into the cache of this process, unless it is there. A cache in the target directory:
/// tests leave the user's alone.
pub fn shim() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let own = Path::new(env!("CARGO_MANIFEST_DIR"));
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let output = Command::new("python3")
            .arg(own.join("../../python/redisai_rs/torch_shim.py"))
            .args([own.join("shim"), torch(), cache.join("redisai-rs")])
            .output()
            .expect("python3 runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "the shim is built: {errors}");
        // SAFETY: before the first thread of the test that reads it; every test begins here.
        unsafe { std::env::set_var("XDG_CACHE_HOME", cache) };
    });
}

/// The options of `init`: the library and these pairs.
pub fn options(pairs: &[(&str, &str)]) -> InitOptions {
    shim();
    let library = torch().join("lib/libtorch_cpu.so");
    let library = library.to_str().expect("a path in UTF-8").to_owned();
    let mut all = vec![("framework".to_owned(), library.into_bytes())];
    let pairs = pairs.iter();
    all.extend(pairs.map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())));
    InitOptions::new(all)
}

/// The process's backend, with the options of the first call.
pub fn backend_with(host: Host, pairs: &[(&str, &str)]) -> &'static TorchBackend {
    static BACKEND: OnceLock<TorchBackend> = OnceLock::new();
    BACKEND.get_or_init(|| TorchBackend::new(host, &options(pairs)).expect("PyTorch loads"))
}

/// The process's backend, two threads; its log goes to [`logged`].
pub fn backend() -> &'static TorchBackend {
    backend_with(logging_host(), &[("intra_op_threads", "2")])
}

redisai_testkit::logging_host!();

/// Builds a session of these bytes.
pub fn build(
    kind: LoadKind,
    device: &str,
    blob: Vec<u8>,
    options: &[(&str, &str)],
) -> Result<Arc<dyn LoadedModel>, BackendError> {
    let blob: Arc<dyn Buffer> = Arc::new(blob);
    let options = options.iter();
    backend().load(&LoadRequest {
        kind,
        blob: &blob,
        device: &Device::lenient(device.as_bytes()),
        options: options
            .map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()))
            .collect(),
    })
}

/// Loads a model of these bytes.
pub fn load(blob: Vec<u8>) -> Result<Arc<dyn LoadedModel>, BackendError> {
    build(LoadKind::Model, "CPU", blob, &[])
}

/// Loads a model whose class has these methods.
pub fn model(methods: &str) -> Arc<dyn LoadedModel> {
    load(archive::of(methods)).unwrap_or_else(|error| panic!("{methods}: {error}"))
}

/// Compiles a script with entry points.
pub fn script(source: &str, entry_points: &[&str]) -> Result<Arc<dyn LoadedModel>, BackendError> {
    let options: Vec<_> = entry_points.iter().map(|it| ("entry_point", *it)).collect();
    build(LoadKind::Script, "CPU", source.into(), &options)
}

/// Runs a function of a script.
pub fn call(
    script: &dyn LoadedModel,
    function: &str,
    inputs: &[Arc<Tensor>],
    outputs: usize,
) -> Result<RunOutput, BackendError> {
    let mut run = request(inputs, outputs);
    run.function = function.as_bytes();
    script.run(&run)
}

/// The one output's values.
pub fn value(outputs: &RunOutput) -> Vec<f32> {
    assert_eq!(outputs.len(), 1);
    values(outputs[0].as_ref().expect("a tensor"))
}

/// A figure of the backend.
pub fn figure(name: &str) -> u64 {
    redisai_testkit::short::figure(backend(), name)
}
