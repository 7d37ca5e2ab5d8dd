//! What a model's bytes say, read by ourselves before ONNX Runtime sees them.
//!
//! ONNX Runtime reads the server's files when a model names them as external data: relative to the
//! working directory, and in some places (bodies of `If` and `Loop`, sparse initializers) even for a
//! model given from memory. So every place where a tensor can stand is walked, and a model that has
//! external data anywhere is refused.
//!
//! The messages hold only the fields that matter; the decoder skips all others. A model that our
//! decoder cannot read is refused too, even if ONNX Runtime's could: otherwise a difference between
//! the two would be a way around the walk. For the same reason any sign of external data counts, not
//! only the one that ONNX Runtime looks at (its decoder keeps an earlier `EXTERNAL` when a later
//! value is no member of the enumeration; ours would see the later one).

use crate::error::{EXTERNAL_DATA, NO_PROTOBUF, ORT_FORMAT, SPARSE, SPLIT};
use crate::folding::{self, Folding};
use crate::hazards::Hazards;
use crate::proto::{Attribute, Graph, Model, Node, SparseTensor, Tensor, elements, zip};
use crate::{functions, parts};
use bytes::Bytes;
use prost::Message;
use redisai_core::{BackendError, Buffer, Status};
use std::sync::Arc;

/// What the walk found.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Survey {
    /// A node with sub-graphs is somewhere.
    pub(crate) control_flow: bool,
    /// Bytes of the tensors that the model carries.
    pub(crate) weights: usize,
    /// What inputs may end the process with.
    pub(crate) hazards: Hazards,
    /// An operator that ends the process when it is given a tensor without elements.
    pub(crate) fragile: Option<&'static str>,
    /// What ONNX Runtime may compute of constants alone.
    pub(crate) folding: Folding,
    /// Names of the main graph's inputs and outputs whose type says a shape.
    pub(crate) shaped: Vec<Vec<u8>>,
    /// Classes of each `ZipMap`: its output's name and the keys in the model's order.
    pub(crate) classes: Vec<(Vec<u8>, Classes)>,
}

/// The keys of a ZipMap's maps, in the order of the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Classes {
    /// Numbers.
    Ints(Vec<i64>),
    /// Strings, any bytes.
    Strings(Vec<Vec<u8>>),
}

impl Survey {
    /// The classes of the ZipMap that makes this output.
    pub(crate) fn classes_of(&self, output: &[u8]) -> Option<&Classes> {
        self.classes
            .iter()
            .find(|(name, _)| name == output)
            .map(|(_, classes)| classes)
    }
}

impl Classes {
    /// How many.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Ints(keys) => keys.len(),
            Self::Strings(keys) => keys.len(),
        }
    }

    /// The keys as texts, numbers in decimal.
    pub(crate) fn texts(&self) -> Vec<Box<[u8]>> {
        match self {
            Self::Ints(keys) => keys
                .iter()
                .map(|key| key.to_string().into_bytes().into())
                .collect(),
            Self::Strings(keys) => keys.iter().map(|key| key.as_slice().into()).collect(),
        }
    }
}

/// Walks a model. An error is a reason not to give it to ONNX Runtime.
pub(crate) fn survey(blob: &Arc<dyn Buffer>) -> Result<Survey, BackendError> {
    // Without a copy: strings and data of the messages are parts of the blob.
    let blob = Bytes::from_owner(Held(Arc::clone(blob)));
    if blob.get(4..8) == Some(b"ORTM") {
        return Err(BackendError::new(Status::Unsupported, ORT_FORMAT));
    }
    parts::check(&blob)?;
    let unreadable = |_| BackendError::new(Status::BadModel, NO_PROTOBUF);
    let model = Model::decode(blob.clone()).map_err(unreadable)?;
    let mut walk = Walk::default();
    walk.model(&model);
    if walk.external {
        return Err(BackendError::new(Status::BadModel, EXTERNAL_DATA));
    }
    if walk.split {
        return Err(BackendError::new(Status::BadModel, SPLIT));
    }
    let called = functions::check(&model)?;
    // What a tensor claims beyond the file's own bytes is a lie.
    let real = walk.weights.min(blob.len() as u64);
    if walk.dense > folding::allowed(real) {
        return Err(BackendError::new(Status::BadModel, SPARSE));
    }
    let mut survey = Survey {
        control_flow: walk.control_flow,
        fragile: walk.fragile,
        hazards: walk.hazards,
        weights: usize::try_from(walk.weights.saturating_add(walk.dense)).unwrap_or(usize::MAX),
        folding: Folding::of(&model, real, called),
        ..Survey::default()
    };
    if let Some(graph) = &model.graph {
        let values = graph.input.iter().chain(&graph.output);
        survey.shaped = values
            .filter(|value| value.has_shape())
            .map(|value| value.name.to_vec())
            .collect();
        // Attributes with the classes are read only where there is a ZipMap: the lists of a forest
        // of trees are long.
        if graph.node.iter().any(|node| node.op_type == "ZipMap") {
            survey.classes = classes(&zip::Model::decode(blob).map_err(unreadable)?);
        }
    }
    Ok(survey)
}

/// A blob, for the decoder.
struct Held(Arc<dyn Buffer>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// Operators of ONNX Runtime 1.32 that abort, or divide by zero, when a tensor has no elements: found by
/// running the models of ONNX's own operator tests on such inputs.
const FRAGILE: [&str; 3] = ["GRU", "STFT", "Unique"];

#[derive(Default)]
struct Walk {
    external: bool,
    control_flow: bool,
    fragile: Option<&'static str>,
    hazards: Hazards,
    /// A Split that ONNX Runtime aborts on.
    split: bool,
    /// Bytes of plain tensors.
    weights: u64,
    /// Bytes of sparse tensors once they are made dense.
    dense: u64,
}

impl Walk {
    fn model(&mut self, model: &Model) {
        model.graph.iter().for_each(|graph| self.graph(graph));
        for training in &model.training_info {
            training
                .initialization
                .iter()
                .for_each(|graph| self.graph(graph));
            training
                .algorithm
                .iter()
                .for_each(|graph| self.graph(graph));
        }
        for function in &model.functions {
            self.hazards.scope();
            function.node.iter().for_each(|node| self.node(node));
            function
                .attribute_proto
                .iter()
                .for_each(|attribute| self.attribute(attribute));
        }
    }

    /// Depth is bounded: the decoder refuses messages nested deeper than 100.
    fn graph(&mut self, graph: &Graph) {
        for tensor in &graph.initializer {
            self.tensor(tensor);
            self.hazards.constant(&tensor.name, tensor);
        }
        graph
            .sparse_initializer
            .iter()
            .for_each(|sparse| self.sparse(sparse));
        graph.node.iter().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &Node) {
        self.hazards.node(node);
        if let Some(op) = FRAGILE.iter().find(|op| node.op_type == op.as_bytes()) {
            self.fragile = Some(op);
        }
        let number = node
            .attribute
            .iter()
            .find(|attribute| attribute.name == "num_outputs");
        let too_many = |number: &Attribute| number.i < node.output.len() as i64;
        self.split |= node.op_type == "Split" && number.is_some_and(too_many);
        node.attribute
            .iter()
            .for_each(|attribute| self.attribute(attribute));
    }

    fn attribute(&mut self, attribute: &Attribute) {
        attribute.t.iter().for_each(|tensor| self.tensor(tensor));
        attribute
            .tensors
            .iter()
            .for_each(|tensor| self.tensor(tensor));
        attribute
            .sparse_tensor
            .iter()
            .for_each(|sparse| self.sparse(sparse));
        attribute
            .sparse_tensors
            .iter()
            .for_each(|sparse| self.sparse(sparse));
        for graph in attribute.g.as_deref().into_iter().chain(&attribute.graphs) {
            self.control_flow = true;
            self.graph(graph);
        }
    }

    fn sparse(&mut self, sparse: &SparseTensor) {
        sparse.values.iter().for_each(|tensor| self.tensor(tensor));
        sparse.indices.iter().for_each(|tensor| self.tensor(tensor));
        let bits = sparse.values.as_ref().map_or(32, Tensor::bits);
        let dense = elements(&sparse.dims).saturating_mul(bits) / 8;
        self.dense = self.dense.saturating_add(dense);
    }

    fn tensor(&mut self, tensor: &Tensor) {
        self.external |= tensor.data_location.is_some_and(|location| location != 0)
            || !tensor.external_data.is_empty();
        self.weights = self.weights.saturating_add(tensor.bytes());
    }
}

fn classes(model: &zip::Model) -> Vec<(Vec<u8>, Classes)> {
    let nodes = model.graph.iter().flat_map(|graph| &graph.node);
    nodes
        .filter(|node| node.op_type == "ZipMap")
        .filter_map(|node| {
            let attribute = |name: &[u8]| node.attribute.iter().find(|found| found.name == name);
            let ints =
                attribute(b"classlabels_int64s").map(|found| Classes::Ints(found.ints.clone()));
            let strings = || {
                attribute(b"classlabels_strings").map(|found| {
                    Classes::Strings(found.strings.iter().map(|key| key.to_vec()).collect())
                })
            };
            Some((node.output.first()?.to_vec(), ints.or_else(strings)?))
        })
        .collect()
}
