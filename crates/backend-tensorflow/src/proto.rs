//! The parts of TensorFlow's messages that we read or write. Fields that are left out are skipped.

use prost::Message;
use std::collections::HashMap;

/// `GraphDef`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GraphDef {
    #[prost(message, repeated, tag = "1")]
    pub(crate) node: Vec<NodeDef>,
    #[prost(message, optional, tag = "2")]
    pub(crate) library: Option<Library>,
}

/// `NodeDef`, without its attributes' values.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeDef {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) op: String,
    #[prost(string, repeated, tag = "3")]
    pub(crate) input: Vec<String>,
    #[prost(map = "string, message", tag = "5")]
    pub(crate) attr: HashMap<String, AttrValue>,
}

impl NodeDef {
    /// The text of an attribute; empty where there is none.
    pub(crate) fn text(&self, name: &str) -> &[u8] {
        self.attr.get(name).map_or(&[], |attr| attr.s.as_slice())
    }
}

/// `AttrValue`: functions and text only.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AttrValue {
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) s: Vec<u8>,
    #[prost(message, optional, tag = "1")]
    pub(crate) list: Option<AttrList>,
    #[prost(message, optional, tag = "10")]
    pub(crate) func: Option<FunctionName>,
}

/// `AttrValue.ListValue`: functions only.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AttrList {
    #[prost(message, repeated, tag = "9")]
    pub(crate) func: Vec<FunctionName>,
}

/// `NameAttrList`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct FunctionName {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// `FunctionDefLibrary`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Library {
    #[prost(message, repeated, tag = "1")]
    pub(crate) function: Vec<FunctionDef>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) gradient: Vec<GradientDef>,
}

/// `GradientDef`: which function is another's gradient.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GradientDef {
    #[prost(string, tag = "1")]
    pub(crate) function: String,
    #[prost(string, tag = "2")]
    pub(crate) gradient: String,
}

/// `FunctionDef`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct FunctionDef {
    #[prost(message, optional, tag = "1")]
    pub(crate) signature: Option<OpDef>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) node_def: Vec<NodeDef>,
    #[prost(map = "string, message", tag = "5")]
    pub(crate) attr: HashMap<String, AttrValue>,
}

/// `OpDef`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OpDef {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(crate) input_arg: Vec<ArgDef>,
}

/// `OpDef.ArgDef`: its name, and what makes several values of one argument.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArgDef {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "5")]
    pub(crate) number_attr: String,
    #[prost(string, tag = "6")]
    pub(crate) type_list_attr: String,
}

/// `SavedModel`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SavedModel {
    #[prost(message, repeated, tag = "2")]
    pub(crate) meta_graphs: Vec<MetaGraph>,
}

/// `MetaGraphDef`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetaGraph {
    #[prost(message, optional, tag = "1")]
    pub(crate) info: Option<MetaInfo>,
    #[prost(message, optional, tag = "2")]
    pub(crate) graph: Option<GraphDef>,
    #[prost(message, optional, tag = "3")]
    pub(crate) saver: Option<Saver>,
    #[prost(btree_map = "string, message", tag = "4")]
    pub(crate) collections: std::collections::BTreeMap<String, Collection>,
    #[prost(btree_map = "string, message", tag = "5")]
    pub(crate) signatures: std::collections::BTreeMap<String, Signature>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) assets: Vec<Asset>,
}

/// `AssetFileDef`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Asset {
    #[prost(message, optional, tag = "1")]
    pub(crate) tensor: Option<TensorInfo>,
    #[prost(string, tag = "2")]
    pub(crate) filename: String,
}

/// `MetaInfoDef`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct MetaInfo {
    #[prost(string, repeated, tag = "4")]
    pub(crate) tags: Vec<String>,
}

/// `SaverDef`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Saver {
    #[prost(string, tag = "1")]
    pub(crate) filename: String,
    #[prost(string, tag = "3")]
    pub(crate) restore: String,
}

/// `CollectionDef`: names of nodes, and messages of any type.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Collection {
    #[prost(message, optional, tag = "1")]
    pub(crate) nodes: Option<NodeList>,
    #[prost(message, optional, tag = "5")]
    pub(crate) messages: Option<AnyList>,
}

/// `CollectionDef.AnyList`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AnyList {
    #[prost(message, repeated, tag = "1")]
    pub(crate) value: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

/// `CollectionDef.NodeList`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct NodeList {
    #[prost(string, repeated, tag = "1")]
    pub(crate) value: Vec<String>,
}

/// `SignatureDef`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Signature {
    #[prost(btree_map = "string, message", tag = "1")]
    pub(crate) inputs: std::collections::BTreeMap<String, TensorInfo>,
    #[prost(btree_map = "string, message", tag = "2")]
    pub(crate) outputs: std::collections::BTreeMap<String, TensorInfo>,
}

/// `TensorInfo`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorInfo {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// `ConfigProto`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Config {
    #[prost(map = "string, int32", tag = "1")]
    pub(crate) device_count: HashMap<String, i32>,
    #[prost(int32, tag = "2")]
    pub(crate) intra_threads: i32,
    #[prost(int32, tag = "5")]
    pub(crate) inter_threads: i32,
    #[prost(message, optional, tag = "6")]
    pub(crate) gpu: Option<GpuOptions>,
    #[prost(message, optional, tag = "10")]
    pub(crate) graph: Option<GraphOptions>,
}

/// `GraphOptions`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GraphOptions {
    #[prost(message, optional, tag = "3")]
    pub(crate) optimizer: Option<OptimizerOptions>,
    #[prost(message, optional, tag = "10")]
    pub(crate) rewrites: Option<RewriterConfig>,
}

/// `OptimizerOptions`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct OptimizerOptions {
    #[prost(int32, tag = "3")]
    pub(crate) level: i32,
}

/// `RewriterConfig`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RewriterConfig {
    #[prost(int32, tag = "3")]
    pub(crate) constant_folding: i32,
    #[prost(int32, tag = "14")]
    pub(crate) remapping: i32,
}

/// `GPUOptions`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct GpuOptions {
    #[prost(bool, tag = "4")]
    pub(crate) allow_growth: bool,
    #[prost(string, tag = "5")]
    pub(crate) visible_device_list: String,
}

/// `RunOptions`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RunOptions {
    #[prost(int64, tag = "2")]
    pub(crate) timeout_in_ms: i64,
    #[prost(int32, tag = "3")]
    pub(crate) inter_op_thread_pool: i32,
}
