//! The backend: what the engine sees of LiteRT.

use crate::element::dtypes;
use crate::environment::Environment;
use crate::error::unsupported;
use crate::model::TfLiteModel;
use crate::padded::{ALIGN, TAIL};
use redisai_backend_abi::{Host, InitOptions, Stops};
use redisai_core::{
    Backend, BackendError, BackendInfo, BackendKind, Capabilities, LoadKind, LoadRequest,
    LoadedModel,
};
use std::sync::Arc;

/// LiteRT as a backend.
pub struct TfLiteBackend {
    environment: &'static Environment,
    stops: Arc<Stops>,
    info: BackendInfo,
}

impl TfLiteBackend {
    /// Opens the library of the `framework` pair. It stays in the process.
    pub fn new(host: Host, options: &InitOptions) -> Result<Self, BackendError> {
        let environment = Environment::leak(host, options)?;
        let info = BackendInfo {
            name: BackendKind::TfLite.name().to_owned(),
            version: environment.version.clone(),
            library: String::new(),
            framework: environment.framework.clone(),
            capabilities: Capabilities {
                batching: true,
                cancellation: true,
                functions: false,
                dynamic_shapes: true,
                max_concurrent_runs: 0,
                min_align: ALIGN as u32,
                tail_bytes: TAIL as u32,
                devices: vec!["CPU".to_owned()],
                dtypes: dtypes(),
                formats: vec!["tflite".to_owned()],
            },
        };
        Ok(Self {
            environment,
            stops: Arc::default(),
            info,
        })
    }
}

impl Backend for TfLiteBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError> {
        if request.kind != LoadKind::Model {
            return Err(unsupported("ERR TFLITE has no scripts"));
        }
        let model = TfLiteModel::load(self.environment, Arc::clone(&self.stops), request)?;
        Ok(Arc::new(model))
    }

    fn cancel(&self, run: u64) {
        self.stops.cancel(run);
    }

    fn figures(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}
