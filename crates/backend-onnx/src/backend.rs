//! The backend: what the engine sees of ONNX Runtime.

use crate::environment::Environment;
use crate::error::unsupported;
use crate::model::OnnxModel;
use crate::runs::Runs;
use redisai_backend_abi::{Host, InitOptions, Settings};
use redisai_core::{
    Backend, BackendError, BackendInfo, BackendKind, Capabilities, DType, LoadKind, LoadRequest,
    LoadedModel,
};
use std::sync::Arc;

/// ONNX Runtime as a backend.
pub struct OnnxBackend {
    environment: &'static Environment,
    runs: Arc<Runs>,
    info: BackendInfo,
}

impl OnnxBackend {
    /// Opens the library of the `framework` pair and sets it up. The environment is one for the
    /// process and stays: a second call gets the same one, and an error if its options differ.
    pub fn new(host: Host, options: &InitOptions) -> Result<Self, BackendError> {
        let settings = Settings::read(BackendKind::Onnx.name(), options)?;
        let environment = Environment::get(host, settings)?;
        let mut devices = vec!["CPU".to_owned()];
        devices.extend(environment.cuda.then(|| "GPU".to_owned()));
        let info = BackendInfo {
            name: BackendKind::Onnx.name().to_owned(),
            version: environment.ort.version().to_owned(),
            library: String::new(),
            framework: String::from_utf8_lossy(&environment.settings.framework).into_owned(),
            capabilities: Capabilities {
                batching: true,
                cancellation: true,
                functions: false,
                dynamic_shapes: true,
                max_concurrent_runs: 0,
                min_align: 0,
                tail_bytes: 0,
                devices,
                dtypes: DType::all().collect(),
                formats: vec!["onnx".to_owned()],
            },
        };
        Ok(Self {
            environment,
            runs: Arc::new(Runs::new(environment.api())),
            info,
        })
    }
}

impl Backend for OnnxBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError> {
        if request.kind != LoadKind::Model {
            return Err(unsupported("ERR ONNX has no scripts"));
        }
        let model = OnnxModel::load(self.environment, Arc::clone(&self.runs), request)?;
        Ok(Arc::new(model))
    }

    fn cancel(&self, run: u64) {
        self.runs.cancel(run);
    }

    fn figures(&self) -> Vec<(String, String)> {
        let memory = self.environment.allocator.memory();
        let figures = [
            ("onnxruntime_memory", memory.used().to_string()),
            (
                "onnxruntime_memory_access_num",
                memory.accesses().to_string(),
            ),
        ];
        figures
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
