//! The parts of ONNX's messages that the walk reads; the decoder skips all other fields.
//!
//! Field numbers are those of `onnx.proto`. Strings are bytes: the format lets them hold anything, and
//! so does ONNX Runtime.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Model {
    #[prost(message, optional, tag = "7")]
    pub(crate) graph: Option<Graph>,
    #[prost(message, repeated, tag = "20")]
    pub(crate) training_info: Vec<TrainingInfo>,
    #[prost(message, repeated, tag = "25")]
    pub(crate) functions: Vec<Function>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TrainingInfo {
    #[prost(message, optional, tag = "1")]
    pub(crate) initialization: Option<Graph>,
    #[prost(message, optional, tag = "2")]
    pub(crate) algorithm: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Function {
    #[prost(message, repeated, tag = "7")]
    pub(crate) node: Vec<Node>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) attribute_proto: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(crate) node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) output: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "15")]
    pub(crate) sparse_initializer: Vec<SparseTensor>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) op_type: Vec<u8>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    // Boxed, so that an empty attribute, two bytes in the file, does not become hundreds here.
    #[prost(message, optional, boxed, tag = "5")]
    pub(crate) t: Option<Box<Tensor>>,
    #[prost(message, optional, boxed, tag = "6")]
    pub(crate) g: Option<Box<Graph>>,
    #[prost(message, repeated, tag = "10")]
    pub(crate) tensors: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) graphs: Vec<Graph>,
    #[prost(message, optional, boxed, tag = "22")]
    pub(crate) sparse_tensor: Option<Box<SparseTensor>>,
    #[prost(message, repeated, tag = "23")]
    pub(crate) sparse_tensors: Vec<SparseTensor>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SparseTensor {
    #[prost(message, optional, tag = "1")]
    pub(crate) values: Option<Tensor>,
    #[prost(message, optional, tag = "2")]
    pub(crate) indices: Option<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tensor {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub(crate) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(crate) data_type: i32,
    #[prost(message, repeated, tag = "13")]
    pub(crate) external_data: Vec<Entry>,
    #[prost(int32, optional, tag = "14")]
    pub(crate) data_location: Option<i32>,
}

impl Tensor {
    /// Bytes that its elements take; what a file claims, so it may be anything.
    pub(crate) fn bytes(&self) -> usize {
        let bits = match self.data_type {
            // UINT4, INT4, FLOAT4, UINT2, INT2
            21..=25 => 4,
            // UINT8, INT8, BOOL, FLOAT8 in all its forms
            2 | 3 | 9 | 17..=20 | 26 => 8,
            // UINT16, INT16, FLOAT16, BFLOAT16
            4 | 5 | 10 | 16 => 16,
            // DOUBLE, INT64, UINT64, COMPLEX64
            7 | 11 | 13 | 14 => 64,
            // COMPLEX128
            15 => 128,
            // STRING: a std::string
            8 => 256,
            _ => 32,
        };
        let dims = self
            .dims
            .iter()
            .map(|&dim| usize::try_from(dim).unwrap_or(0));
        dims.fold(bits, usize::saturating_mul) / 8
    }
}

/// An entry of `external_data`; only that it is there matters.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValueInfo {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) name: Vec<u8>,
    #[prost(message, optional, tag = "2")]
    pub(crate) r#type: Option<Type>,
}

impl ValueInfo {
    /// Whether the type says a shape.
    pub(crate) fn has_shape(&self) -> bool {
        let plain = |kind: &Type| {
            kind.tensor_type
                .as_ref()
                .is_some_and(|tensor| tensor.shape.is_some())
        };
        self.r#type.as_ref().is_some_and(|kind| {
            plain(kind)
                || kind
                    .optional_type
                    .as_ref()
                    .and_then(|inner| inner.elem_type.as_deref())
                    .is_some_and(plain)
        })
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Type {
    #[prost(message, optional, tag = "1")]
    pub(crate) tensor_type: Option<TensorType>,
    #[prost(message, optional, tag = "9")]
    pub(crate) optional_type: Option<OptionalType>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct TensorType {
    #[prost(message, optional, tag = "2")]
    pub(crate) shape: Option<Entry>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OptionalType {
    #[prost(message, optional, boxed, tag = "1")]
    pub(crate) elem_type: Option<Box<Type>>,
}

/// The main graph once more, with the attributes that hold classes.
pub(crate) mod zip {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Model {
        #[prost(message, optional, tag = "7")]
        pub(crate) graph: Option<Graph>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Graph {
        #[prost(message, repeated, tag = "1")]
        pub(crate) node: Vec<Node>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Node {
        #[prost(bytes = "vec", repeated, tag = "2")]
        pub(crate) output: Vec<Vec<u8>>,
        #[prost(bytes = "vec", tag = "4")]
        pub(crate) op_type: Vec<u8>,
        #[prost(message, repeated, tag = "5")]
        pub(crate) attribute: Vec<Attribute>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Attribute {
        #[prost(bytes = "vec", tag = "1")]
        pub(crate) name: Vec<u8>,
        #[prost(int64, repeated, packed = "false", tag = "8")]
        pub(crate) ints: Vec<i64>,
        #[prost(bytes = "vec", repeated, tag = "9")]
        pub(crate) strings: Vec<Vec<u8>>,
    }
}
