//! The engine in a Python process.

use crate::errors;
use crate::life;
use crate::memory::View;
use crate::model::PyModel;
use crate::pending::PyJob;
use crate::services::{Names, Services};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use redisai_backend_loader::{
    Environment, Loader, LoaderConfig, RAI_OPTION_INTER_OP_THREADS, RAI_OPTION_INTRA_OP_THREADS,
};
use redisai_command::LoadOptions;
use redisai_core::{
    AlignedBytes, Backend, BackendError, BackendKind, Batch, Buffer, Definition, Device, ModelDef,
    ScriptDef, Status,
};
use redisai_engine::{BackendSource, Config, Engine, EngineError, Model, SystemClock};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What models and futures keep of their engine.
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) names: Arc<Names>,
    /// By which scripts are known to [`Services`].
    pub(crate) number: u64,
}

impl Shared {
    /// Loads a backend unless it is loaded.
    fn open(&self, kind: BackendKind) -> Result<(), EngineError> {
        if self.engine.backend(kind).is_some() {
            return Ok(());
        }
        match self.engine.load_backend(kind, None) {
            // Another thread was faster.
            Ok(_) | Err(EngineError::BackendLoaded(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// `redisai_rs.Engine` without its Python face.
#[pyclass(frozen, name = "Engine", module = "redisai_rs._core")]
pub(crate) struct PyEngine(Arc<Shared>);

/// The loader as the engine's source of backends.
struct Source(Loader);

impl BackendSource for Source {
    fn open(
        &self,
        kind: BackendKind,
        path: Option<&[u8]>,
    ) -> Result<Arc<dyn Backend>, BackendError> {
        use std::os::unix::ffi::OsStrExt;
        let path = path.map(|path| Path::new(std::ffi::OsStr::from_bytes(path)));
        self.0
            .open(kind, path)
            .map_err(|error| BackendError::new(Status::Unsupported, error.to_string()))
    }
}

#[pymethods]
impl PyEngine {
    #[new]
    #[pyo3(signature = (module, site_packages, *, threads_per_queue, intra_op_threads,
        inter_op_threads, queue_limit, model_execution_timeout_ms, batch_wait))]
    #[allow(
        clippy::too_many_arguments,
        reason = "keyword arguments of one Python class"
    )]
    fn new(
        module: PathBuf,
        site_packages: PathBuf,
        threads_per_queue: usize,
        intra_op_threads: usize,
        inter_op_threads: usize,
        queue_limit: usize,
        model_execution_timeout_ms: Option<u64>,
        batch_wait: bool,
    ) -> PyResult<Self> {
        life::check()?;
        let most = LoadOptions::MOST_THREADS as usize;
        if threads_per_queue == 0 {
            return Err(errors::input("threads_per_queue is 0: 1 is the least"));
        }
        if [threads_per_queue, intra_op_threads, inter_op_threads]
            .iter()
            .any(|&it| it > most)
        {
            return Err(errors::input(format!(
                "at most {most} threads can be asked for"
            )));
        }
        let pair = |name: &str, value: usize| (name.to_owned(), value.to_string().into_bytes());
        let loader = Loader::new(LoaderConfig {
            module: Some(module),
            backends_path: None,
            python: Some(site_packages),
            environment: Environment::of_process(),
            test_backends: false,
            options: vec![
                pair(RAI_OPTION_INTRA_OP_THREADS, intra_op_threads),
                pair(RAI_OPTION_INTER_OP_THREADS, inter_op_threads),
            ],
            services: Arc::new(Services),
        });
        let config = Config {
            threads_per_queue,
            queue_limit,
            model_execution_timeout_ms,
            batch_wait,
            ..Config::default()
        };
        let engine = Engine::new(config, Arc::new(Source(loader)), Arc::new(SystemClock));
        let (number, names) = Names::of(&engine);
        Ok(Self(Arc::new(Shared {
            engine,
            names,
            number,
        })))
    }

    /// Loads a model: `source` is a path or an object with the buffer protocol, which is kept.
    #[pyo3(signature = (source, *, backend, device, batch_size, min_batch_size, min_batch_timeout_ms,
        inputs, outputs, tag, name, signature))]
    #[allow(
        clippy::too_many_arguments,
        reason = "keyword arguments of one Python method"
    )]
    fn load(
        &self,
        py: Python<'_>,
        source: &Bound<'_, PyAny>,
        backend: &str,
        device: &str,
        batch_size: u64,
        min_batch_size: u64,
        min_batch_timeout_ms: u64,
        inputs: Vec<String>,
        outputs: Vec<String>,
        tag: &str,
        name: Option<&str>,
        signature: Option<&str>,
    ) -> PyResult<PyModel> {
        life::check()?;
        let backend = BackendKind::parse(backend.as_bytes())
            .ok_or_else(|| PyValueError::new_err(format!("{backend} is no backend")))?;
        let bytes = |names: Vec<String>| names.into_iter().map(|name| name.into_bytes().into());
        let def = ModelDef {
            backend,
            device: device_of(device)?,
            tag: tag.as_bytes().into(),
            batch: Batch {
                size: batch_size,
                min_size: min_batch_size,
                min_timeout_ms: min_batch_timeout_ms,
            },
            inputs: bytes(inputs).collect(),
            outputs: bytes(outputs).collect(),
            blob: blob(source)?,
        };
        self.build(py, def, name, signature)
    }

    /// Compiles a TorchScript source.
    #[pyo3(signature = (source, entry_points, *, device, tag, name))]
    fn script(
        &self,
        py: Python<'_>,
        source: &str,
        entry_points: Vec<String>,
        device: &str,
        tag: &str,
        name: Option<&str>,
    ) -> PyResult<PyModel> {
        life::check()?;
        if source.contains('\0') {
            return Err(PyValueError::new_err("a source cannot hold a NUL"));
        }
        let def = ScriptDef {
            device: device_of(device)?,
            tag: tag.as_bytes().into(),
            entry_points: entry_points
                .into_iter()
                .map(|name| name.into_bytes().into())
                .collect(),
            source: Arc::new(AlignedBytes::copy_of(source.as_bytes())),
        };
        self.build(py, def, name, None)
    }

    /// Hands a DAG in; see `dag`.
    #[pyo3(signature = (slots, given, ops, wanted, done, *, timeout = None))]
    #[allow(
        clippy::too_many_arguments,
        clippy::type_complexity,
        reason = "arguments of one Python method"
    )]
    fn submit_dag(
        &self,
        py: Python<'_>,
        slots: usize,
        given: Vec<(usize, Bound<'_, PyAny>)>,
        ops: Vec<crate::dag::Op<'_>>,
        wanted: Vec<usize>,
        done: Py<PyAny>,
        timeout: Option<f64>,
    ) -> PyResult<PyJob> {
        crate::dag::submit(self, py, slots, given, ops, wanted, done, timeout)
    }

    /// Takes a name away from its model; says whether there was one.
    fn forget(&self, name: &str) -> PyResult<bool> {
        life::check()?;
        Ok(self.0.names.remove(name.as_bytes()))
    }

    /// Ends all threads: what waits fails, what runs is told to stop.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        life::check()?;
        life::detached(py, || self.0.engine.shutdown());
        Ok(())
    }

    /// Queues by device: waiting jobs and workers.
    fn queues<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        life::check()?;
        let queues = PyDict::new(py);
        for queue in self.0.engine.info().queues {
            let facts = PyDict::new(py);
            facts.set_item("waiting", queue.length)?;
            facts.set_item("workers", queue.workers.len())?;
            queues.set_item(queue.name, facts)?;
        }
        Ok(queues)
    }
}

impl PyEngine {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }

    fn build(
        &self,
        py: Python<'_>,
        def: impl Into<Definition>,
        name: Option<&str>,
        signature: Option<&str>,
    ) -> PyResult<PyModel> {
        let model: Arc<Model> = self.0.engine.model(def);
        let (opened, built) = life::detached(py, || {
            // For its words: a build says only that the backend is not there.
            match self.0.open(model.def().backend()) {
                Ok(()) => (Ok(()), self.0.engine.build_here(&model)),
                error => (error, Ok(())),
            }
        });
        opened.map_err(|error| errors::engine(&error))?;
        built.map_err(|error| errors::backend(&error))?;
        let made = PyModel::new(Arc::clone(&self.0), Arc::clone(&model), signature)?;
        if let Some(name) = name {
            self.0.names.set(name.as_bytes(), (model, made.called()));
        }
        Ok(made)
    }
}

impl Drop for PyEngine {
    /// Python drops it with the GIL; workers that end want to enter Python.
    fn drop(&mut self) {
        let shared = Arc::clone(&self.0);
        drop_engine(shared);
    }
}

/// Drops a reference to an engine, which waits for its threads if it is the last.
pub(crate) fn drop_engine(shared: Arc<Shared>) {
    Python::attach(|py| py.detach(|| drop(shared)));
}

fn device_of(text: &str) -> PyResult<Device> {
    Device::strict(text.as_bytes())
        .ok_or_else(|| PyValueError::new_err(format!("{text:?} is no device: CPU, GPU or GPU:n")))
}

/// A model's bytes, kept in place.
fn blob(source: &Bound<'_, PyAny>) -> PyResult<Arc<dyn Buffer>> {
    if let Ok(bytes) = source.cast::<PyBytes>() {
        // Its memory never changes.
        return Ok(Arc::new(View::of(bytes)?));
    }
    let view = View::of(source)?;
    // What may be written to is copied: the model's definition is immutable.
    Ok(Arc::new(AlignedBytes::copy_of(view.bytes_if_compact()?)))
}
