//! The mock, natively and through its library.
#![allow(dead_code)]

use redisai_backend_abi::{Host, InitOptions};
use redisai_backend_loader::{Environment, LoadError, Loader, LoaderConfig};
use redisai_core::{
    Backend, BackendError, BackendKind, DType, HostServices, LogLevel, RunOutput, Status, Tensor,
};
use redisai_testkit::conformance::{Fixture, Model};
use redisai_testkit::{built_library, own_copy};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A door that writes down its log, echoes commands and has one model, `twice`.
#[derive(Default)]
pub(crate) struct Door {
    pub(crate) lines: Mutex<Vec<(LogLevel, String)>>,
}

impl HostServices for Door {
    fn log(&self, level: LogLevel, text: &str) {
        self.lines.lock().unwrap().push((level, text.to_owned()));
    }

    fn call(&self, context: u64, argv: &[&[u8]]) -> Result<Vec<u8>, BackendError> {
        assert_ne!(argv.first(), Some(&b"PANIC".as_slice()), "in call");
        if argv.first() == Some(&b"DENIED".as_slice()) {
            return Err(BackendError::new(Status::RunFailed, "NOPERM denied"));
        }
        Ok(format!("{context}:{}", argv.len()).into_bytes())
    }

    fn run_model(
        &self,
        context: u64,
        key: &[u8],
        inputs: Vec<Arc<Tensor>>,
        outputs: usize,
    ) -> Result<RunOutput, BackendError> {
        assert_eq!(context, 77);
        if key != b"twice" {
            return Err(BackendError::new(
                Status::BadInput,
                "ERR model key is empty",
            ));
        }
        let twice = inputs.iter().chain(&inputs).cloned().map(Some);
        Ok(twice.take(outputs).collect())
    }
}

pub(crate) fn config(services: Arc<dyn HostServices>, options: &[(&str, &str)]) -> LoaderConfig {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    LoaderConfig {
        module: None,
        backends_path: None,
        python: None,
        environment: Environment::default(),
        test_backends: true,
        options: options.iter().map(pair).collect(),
        services,
    }
}

/// The backend through the library that cargo built; one for all tests of a process.
pub(crate) fn loaded() -> Arc<dyn Backend> {
    let path = built_library("redisai-backend-mock");
    let loader = Loader::new(config(Arc::new(Door::default()), &[]));
    loader.open(BackendKind::Onnx, Some(&path)).unwrap()
}

/// A backend with a state of its own.
pub(crate) fn fresh(
    door: &Arc<Door>,
    options: &[(&str, &str)],
) -> Result<Arc<dyn Backend>, LoadError> {
    let copy = own_copy(&built_library("redisai-backend-mock"));
    let backend = open(&copy, door, options);
    std::fs::remove_file(&copy).unwrap();
    backend
}

pub(crate) fn open(
    path: &Path,
    door: &Arc<Door>,
    options: &[(&str, &str)],
) -> Result<Arc<dyn Backend>, LoadError> {
    let services: Arc<dyn HostServices> = Arc::clone(door) as _;
    Loader::new(config(services, options)).open(BackendKind::Onnx, Some(path))
}

/// The backend without a library.
pub(crate) fn native() -> Arc<dyn Backend> {
    redisai_mock::init(Host::system(), &InitOptions::default()).unwrap()
}

/// The models of the mock.
pub(crate) struct Mock;

impl Fixture for Mock {
    fn identity(&self, dtype: DType, count: usize) -> Option<Model> {
        let name = dtype.name();
        let value = |side: &str| format!("{side} v {name}\n").repeat(count);
        let text = format!("identity\n{}{}", value("input"), value("output"));
        Some(Model::from(text.as_str()))
    }

    fn sum(&self) -> Model {
        Model::from("add\ninputs 2\noutputs 1")
    }

    fn failing(&self) -> Model {
        Model::from("fail ERR on purpose")
    }

    fn garbage(&self) -> Vec<Model> {
        vec![Model::from("nonsense"), Model::from("identity\ninputs x")]
    }

    fn endless(&self) -> Option<Model> {
        Some(Model::from("sleep 120000"))
    }
}
