//! testkit's cases through the library, as the server loads it; and what only shows there.

mod common;

use redisai_backend_loader::{Environment, LoadError, Loader, LoaderConfig};
use redisai_core::{Backend, BackendKind, HostServices, LogLevel};
use redisai_testkit::conformance::{Model, load, numbered, run_with};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Keeps the log.
#[derive(Default)]
struct Door(Mutex<Vec<(LogLevel, String)>>);

impl HostServices for Door {
    fn log(&self, level: LogLevel, text: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((level, text.to_owned()));
    }
}

fn open(library: &Path, python: PathBuf, door: &Arc<Door>) -> Result<Arc<dyn Backend>, LoadError> {
    let config = LoaderConfig {
        module: None,
        backends_path: None,
        python: Some(python),
        environment: Environment::default(),
        test_backends: false,
        options: vec![("intra_op_threads".to_owned(), b"2".to_vec())],
        services: Arc::clone(door) as Arc<dyn HostServices>,
    };
    Loader::new(config).open(BackendKind::TfLite, Some(library))
}

/// The site-packages of the framework under test: the loader finds the library in it by itself. One of
/// another name (`pip install --target`) gets a link of that name.
fn site_packages() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let find = || {
        let library = common::library();
        let place = library
            .ancestors()
            .nth(2)
            .expect("…/ai_edge_litert/libLiteRt.so");
        if place.ends_with("site-packages") {
            return place.to_owned();
        }
        let folder = std::env::temp_dir().join(format!("redisai-litert-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a directory");
        let link = folder.join("site-packages");
        std::os::unix::fs::symlink(place, &link).expect("a link");
        link
    };
    FOUND.get_or_init(find).clone()
}

fn loaded() -> Arc<dyn Backend> {
    let library = redisai_testkit::built_library("redisai-backend-tflite");
    open(&library, site_packages(), &Arc::default()).expect("the backend loads")
}

redisai_testkit::conformance_tests!(loaded(), common::fixture::TfLite);

#[test]
fn a_missing_framework_is_said_in_words() {
    let library = redisai_testkit::built_library("redisai-backend-tflite");
    let empty = std::env::temp_dir();
    let copy = redisai_testkit::own_copy(&library);
    let error = open(&copy, empty, &Arc::default()).err().expect("refused");
    std::fs::remove_file(&copy).unwrap();
    assert!(error.text.contains("pip install"), "{error}");
}

#[test]
fn outputs_are_memory_of_the_host() {
    let backend = loaded();
    let session = load(
        backend.as_ref(),
        &Model {
            blob: common::fixture("sum.tflite"),
            options: Vec::new(),
        },
    )
    .expect("a model");
    let inputs = [
        common::floats(&[2], &[0.5; 2]),
        common::floats(&[2], &[1.0; 2]),
    ];
    let outputs = run_with(session.as_ref(), &numbered(&inputs, 1)).expect("it runs");
    let output = outputs[0].as_ref().expect("a tensor");
    assert!(
        !output.buffer().is_foreign(),
        "an output is not copied again"
    );
    assert_eq!(output.bytes().as_ptr() as usize % 64, 0);
}
