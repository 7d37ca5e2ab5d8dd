//! What a session is built from: a script is a model with named functions.

use crate::{BackendKind, Batch, Buffer, Device, LoadKind, ModelDef, ScriptDef};
use std::sync::Arc;

/// The immutable definition of a model or of a script.
#[derive(Clone)]
pub enum Definition {
    /// A model.
    Model(ModelDef),
    /// A script.
    Script(ScriptDef),
}

impl From<ModelDef> for Definition {
    fn from(model: ModelDef) -> Self {
        Self::Model(model)
    }
}

impl From<ScriptDef> for Definition {
    fn from(script: ScriptDef) -> Self {
        Self::Script(script)
    }
}

impl Definition {
    /// The model, if it is one.
    pub fn model(&self) -> Option<&ModelDef> {
        match self {
            Self::Model(model) => Some(model),
            Self::Script(_) => None,
        }
    }

    /// The script, if it is one.
    pub fn script(&self) -> Option<&ScriptDef> {
        match self {
            Self::Model(_) => None,
            Self::Script(script) => Some(script),
        }
    }

    /// Whether it is a script.
    pub fn is_script(&self) -> bool {
        matches!(self, Self::Script(_))
    }

    /// What a backend is told that it is.
    pub fn kind(&self) -> LoadKind {
        match self {
            Self::Model(_) => LoadKind::Model,
            Self::Script(_) => LoadKind::Script,
        }
    }

    /// The framework.
    pub fn backend(&self) -> BackendKind {
        match self {
            Self::Model(model) => model.backend,
            Self::Script(_) => BackendKind::Torch,
        }
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        match self {
            Self::Model(model) => &model.device,
            Self::Script(script) => &script.device,
        }
    }

    /// The user's label, any bytes.
    pub fn tag(&self) -> &[u8] {
        match self {
            Self::Model(model) => &model.tag,
            Self::Script(script) => &script.tag,
        }
    }

    /// The batching options. Requests to scripts never share a run.
    pub fn batch(&self) -> Batch {
        match self {
            Self::Model(model) => model.batch,
            Self::Script(_) => Batch::default(),
        }
    }

    /// A model's bytes, or a script's source.
    pub fn blob(&self) -> &Arc<dyn Buffer> {
        match self {
            Self::Model(model) => &model.blob,
            Self::Script(script) => &script.source,
        }
    }

    /// What a backend is told beside the bytes: the names of a TF model's inputs and outputs (the others
    /// find them in the model), the entry points of a script.
    pub fn load_options(&self) -> Vec<(String, Vec<u8>)> {
        let pairs = |option: &str, names: &[Box<[u8]>]| -> Vec<_> {
            let names = names.iter().map(|name| name.to_vec());
            names.map(|name| (option.to_owned(), name)).collect()
        };
        match self {
            Self::Model(model) if model.backend == BackendKind::Tf => {
                let inputs = pairs("input", &model.inputs);
                [inputs, pairs("output", &model.outputs)].concat()
            }
            Self::Model(_) => Vec::new(),
            Self::Script(script) => pairs("entry_point", &script.entry_points),
        }
    }

    /// Bytes of memory that the definition keeps.
    pub fn held(&self) -> usize {
        match self {
            Self::Model(model) => size_of::<Self>() - size_of::<ModelDef>() + model.held(),
            Self::Script(script) => size_of::<Self>() - size_of::<ScriptDef>() + script.held(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> ScriptDef {
        ScriptDef {
            device: Device::lenient(b"gpu:1"),
            tag: b"t".as_slice().into(),
            entry_points: vec![b"f".as_slice().into(), b"g".as_slice().into()],
            source: Arc::new(b"def f(): pass".to_vec()),
        }
    }

    #[test]
    fn a_script_is_loaded_by_torch_with_its_entry_points() {
        let held = script().held();
        let def = Definition::from(script());
        assert!(def.is_script() && def.model().is_none() && def.script().is_some());
        assert_eq!(
            (def.kind(), def.backend()),
            (LoadKind::Script, BackendKind::Torch)
        );
        assert_eq!(
            (def.device().text(), def.tag()),
            (b"gpu:1".as_slice(), b"t".as_slice())
        );
        assert_eq!(def.batch(), Batch::default());
        assert_eq!(def.blob().bytes(), b"def f(): pass");
        let entry = |name: &str| ("entry_point".to_owned(), name.as_bytes().to_vec());
        assert_eq!(def.load_options(), [entry("f"), entry("g")]);
        assert!(def.held() >= held);
    }

    #[test]
    fn names_of_a_model_are_for_tf_alone() {
        let names = |backend| {
            let model = ModelDef {
                backend,
                device: Device::cpu(),
                tag: Box::default(),
                batch: Batch::default(),
                inputs: vec![b"a".as_slice().into()],
                outputs: vec![b"b".as_slice().into()],
                blob: Arc::new(Vec::new()),
            };
            Definition::from(model).load_options()
        };
        let pair = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
        assert_eq!(
            names(BackendKind::Tf),
            [pair("input", b"a"), pair("output", b"b")]
        );
        for other in [BackendKind::TfLite, BackendKind::Torch, BackendKind::Onnx] {
            assert!(names(other).is_empty());
        }
    }
}
