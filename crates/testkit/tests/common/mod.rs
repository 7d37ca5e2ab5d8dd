//! double.c, compiled and loaded.
#![allow(dead_code)]

use redisai_backend_loader::{Environment, LoadError, Loader, LoaderConfig};
use redisai_core::{Backend, BackendKind, HostServices, LogLevel};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Quiet;

impl HostServices for Quiet {
    fn log(&self, _: LogLevel, _: &str) {}
}

/// A directory that is gone afterwards.
pub(crate) struct Temp(pub(crate) PathBuf);

impl Temp {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("redisai-c-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Temp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap().to_owned()
}

pub(crate) fn compiler(arguments: &[&str]) -> Output {
    let cc = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    Command::new(cc)
        .arg("-I")
        .arg(root().join("include"))
        .args(arguments)
        .output()
        .expect("a C compiler is there")
}

/// Compiles double.c into its place below `folder`, with macros.
pub(crate) fn compile(folder: &Path, macros: &[&str]) -> PathBuf {
    let library = folder.join("redisai_onnxruntime/redisai_onnxruntime.so");
    std::fs::create_dir_all(library.parent().unwrap()).unwrap();
    let source = root().join("crates/testkit/tests/c/double.c");
    let mut arguments = vec![
        "-std=c11", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared",
    ];
    arguments.push("-D_GNU_SOURCE");
    arguments.extend(macros);
    arguments.extend([source.to_str().unwrap(), "-o", library.to_str().unwrap()]);
    let output = compiler(&arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    library
}

pub(crate) fn loader(backends: &Path, options: &[(&str, &str)]) -> Loader {
    Loader::new(config(backends, options))
}

pub(crate) fn config(backends: &Path, options: &[(&str, &str)]) -> LoaderConfig {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    LoaderConfig {
        module: None,
        backends_path: Some(backends.to_owned()),
        python: None,
        environment: Environment::default(),
        test_backends: false,
        options: options.iter().map(pair).collect(),
        services: Arc::new(Quiet),
    }
}

pub(crate) fn open(macros: &[&str]) -> Result<Arc<dyn Backend>, LoadError> {
    let temp = Temp::new();
    compile(&temp.0, macros);
    loader(&temp.0, &[]).open(BackendKind::Onnx, None)
}
