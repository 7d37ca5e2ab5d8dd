//! The backend: what the engine sees of PyTorch.

use crate::model::TorchModel;
use crate::script::TorchScript;
use crate::torch::Torch;
use redisai_backend_abi::Stops;
use redisai_backend_abi::{Host, InitOptions, Settings};
use redisai_core::{
    Backend, BackendError, BackendInfo, BackendKind, Capabilities, DType, LoadKind, LoadRequest,
    LoadedModel,
};
use std::sync::Arc;

/// Alignment that torch's kernels count on: that of the widest element.
const ALIGN: u32 = 16;

/// PyTorch as a backend.
pub struct TorchBackend {
    torch: &'static Torch,
    runs: Arc<Stops>,
    info: BackendInfo,
}

impl TorchBackend {
    /// Opens the library of the `framework` pair and sets it up. It is one for the process and stays: a
    /// second call gets the same one, and an error if its options differ.
    pub fn new(host: Host, options: &InitOptions) -> Result<Self, BackendError> {
        let settings = Settings::read(BackendKind::Torch.name(), options)?;
        let torch = Torch::get(host, settings)?;
        let mut devices = vec!["CPU".to_owned()];
        devices.extend((0..torch.cuda_devices).map(|index| format!("GPU:{index}")));
        let info = BackendInfo {
            name: BackendKind::Torch.name().to_owned(),
            version: torch.version.clone(),
            library: String::new(),
            framework: String::from_utf8_lossy(&torch.settings.framework).into_owned(),
            capabilities: Capabilities {
                batching: true,
                cancellation: true,
                functions: true,
                dynamic_shapes: true,
                max_concurrent_runs: 0,
                min_align: ALIGN,
                tail_bytes: 0,
                devices,
                dtypes: DType::all().filter(|&it| it != DType::String).collect(),
                formats: vec!["torchscript".to_owned()],
            },
        };
        Ok(Self {
            torch,
            runs: Arc::default(),
            info,
        })
    }
}

impl Backend for TorchBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError> {
        let runs = Arc::clone(&self.runs);
        Ok(match request.kind {
            LoadKind::Model => Arc::new(TorchModel::load(self.torch, runs, request)?),
            LoadKind::Script => Arc::new(TorchScript::compile(self.torch, runs, request)?),
        })
    }

    fn cancel(&self, run: u64) {
        self.runs.cancel(run);
    }

    fn figures(&self) -> Vec<(String, String)> {
        let memory = self.torch.memory;
        let figures = [
            ("torch_memory", memory.used().to_string()),
            ("torch_memory_access_num", memory.accesses().to_string()),
        ];
        figures
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
