//! testkit's cases through the library, as the server loads it; and what only shows there.

mod common;

use redisai_backend_loader::{Environment, LoadError, Loader, LoaderConfig};
use redisai_core::{Backend, BackendKind, HostServices, LogLevel};
use redisai_testkit::conformance::{Fixture, load, run};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

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
    common::shim();
    let config = LoaderConfig {
        module: None,
        backends_path: None,
        python: Some(python),
        environment: Environment::default(),
        test_backends: false,
        options: vec![("intra_op_threads".to_owned(), b"2".to_vec())],
        services: Arc::clone(door) as Arc<dyn HostServices>,
    };
    Loader::new(config).open(BackendKind::Torch, Some(library))
}

/// The site-packages of the torch under test: the loader finds the library in it by itself.
fn site_packages() -> PathBuf {
    let torch = common::torch();
    torch.parent().expect("…/site-packages/torch").to_owned()
}

fn loaded() -> Arc<dyn Backend> {
    let library = redisai_testkit::built_library("redisai-backend-torch");
    open(&library, site_packages(), &Arc::default()).expect("the backend loads")
}

redisai_testkit::conformance_tests!(loaded(), common::fixture::Torch);

#[test]
fn a_missing_framework_is_said_in_words() {
    let library = redisai_testkit::built_library("redisai-backend-torch");
    let empty = std::env::temp_dir();
    let copy = redisai_testkit::own_copy(&library);
    let error = open(&copy, empty, &Arc::default()).err().expect("refused");
    std::fs::remove_file(&copy).unwrap();
    assert!(
        error.text.contains("pip install 'redisai-rs[torch]'"),
        "{error}"
    );
}

#[test]
fn outputs_are_memory_of_the_host() {
    let backend = loaded();
    let session = load(backend.as_ref(), &common::fixture::Torch.sum()).expect("a model");
    let input = common::floats(&[1, 4], &[0.5; 4]);
    let request = redisai_testkit::conformance::numbered;
    let inputs = [Arc::clone(&input), input];
    let outputs = session.run(&request(&inputs, 1)).expect("it runs");
    let output = outputs[0].as_ref().expect("a tensor");
    assert!(
        !output.buffer().is_foreign(),
        "an output is not copied again"
    );
    assert_eq!(output.bytes().as_ptr() as usize % 64, 0);
    let figures = backend.figures();
    let memory = figures
        .iter()
        .find(|pair| pair.0 == "torch_memory")
        .expect("a figure");
    assert!(memory.1.parse::<u64>().expect("a number") > 0);
    let identity = load(
        backend.as_ref(),
        &common::fixture::Torch
            .identity(redisai_core::DType::Float, 1)
            .expect("a model"),
    );
    run(identity.expect("it loads").as_ref(), &inputs[..1]).expect("it runs");
}
