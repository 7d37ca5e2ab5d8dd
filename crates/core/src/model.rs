//! What a model key holds.

use crate::{BackendKind, Buffer, Device};
use std::sync::Arc;

/// When requests to a model are merged into one run; all zero: never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The most rows of one run (`BATCHSIZE`); 0: no batching.
    pub size: u64,
    /// Rows to wait for (`MINBATCHSIZE`); 0: none.
    pub min_size: u64,
    /// How long to wait for them, in milliseconds (`MINBATCHTIMEOUT`); 0: without end.
    pub min_timeout_ms: u64,
}

/// The immutable definition of a model, from which a session can always be built anew.
#[derive(Clone)]
pub struct ModelDef {
    /// The framework.
    pub backend: BackendKind,
    /// Where it runs.
    pub device: Device,
    /// The user's label, any bytes.
    pub tag: Box<[u8]>,
    /// The batching options.
    pub batch: Batch,
    /// Names of the inputs: given for TF, otherwise what a file said (or none).
    pub inputs: Vec<Box<[u8]>>,
    /// Names of the outputs, likewise.
    pub outputs: Vec<Box<[u8]>>,
    /// The model's bytes as they were stored.
    pub blob: Arc<dyn Buffer>,
}

impl ModelDef {
    /// Bytes of memory that the definition keeps.
    pub fn held(&self) -> usize {
        let names = self.inputs.iter().chain(&self.outputs);
        size_of::<Self>()
            + self.tag.len()
            + self.device.text().len()
            + names
                .map(|name| name.len() + size_of::<Box<[u8]>>())
                .sum::<usize>()
            + self.blob.held()
    }
}
