//! The backend: what the engine sees of TensorFlow.

use crate::environment::Environment;
use crate::error::unsupported;
use crate::model::TensorFlowModel;
use crate::runs::Runs;
use redisai_backend_abi::{Host, InitOptions};
use redisai_core::{
    Backend, BackendError, BackendInfo, BackendKind, Capabilities, DType, LoadKind, LoadRequest,
    LoadedModel,
};
use std::sync::Arc;

/// TensorFlow as a backend.
pub struct TensorFlowBackend {
    environment: &'static Environment,
    runs: Arc<Runs>,
    info: BackendInfo,
}

impl TensorFlowBackend {
    /// Opens the library of the `framework` pair. It stays in the process.
    pub fn new(host: Host, options: &InitOptions) -> Result<Self, BackendError> {
        let environment = Environment::leak(host, options)?;
        let info = BackendInfo {
            name: BackendKind::Tf.name().to_owned(),
            version: environment.version.clone(),
            library: String::new(),
            framework: environment.framework.clone(),
            capabilities: Capabilities {
                batching: true,
                cancellation: true,
                functions: false,
                dynamic_shapes: true,
                max_concurrent_runs: 0,
                min_align: 0,
                tail_bytes: 0,
                devices: vec!["CPU".to_owned()],
                dtypes: DType::all().collect(),
                formats: vec!["graph_def".to_owned(), "saved_model".to_owned()],
            },
        };
        Ok(Self {
            environment,
            runs: Arc::default(),
            info,
        })
    }
}

impl Backend for TensorFlowBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError> {
        if request.kind != LoadKind::Model {
            return Err(unsupported("ERR TF has no scripts"));
        }
        let model = TensorFlowModel::load(self.environment, Arc::clone(&self.runs), request)?;
        Ok(Arc::new(model))
    }

    fn cancel(&self, run: u64) {
        self.runs.cancel(run);
    }

    fn figures(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
