//! The parts of ONNX's messages that the walk reads; the decoder skips all other fields.
//!
//! Field numbers are those of `onnx.proto`. Strings are bytes: the format lets them hold anything, and
//! so does ONNX Runtime.

use bytes::Bytes;
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
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) name: Bytes,
    #[prost(message, repeated, tag = "7")]
    pub(crate) node: Vec<Node>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) attribute_proto: Vec<Attribute>,
    #[prost(bytes = "bytes", tag = "10")]
    pub(crate) domain: Bytes,
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
    #[prost(bytes = "bytes", repeated, tag = "1")]
    pub(crate) input: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(crate) output: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "4")]
    pub(crate) op_type: Bytes,
    #[prost(message, repeated, tag = "5")]
    pub(crate) attribute: Vec<Attribute>,
    #[prost(bytes = "bytes", tag = "7")]
    pub(crate) domain: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) name: Bytes,
    #[prost(int64, tag = "3")]
    pub(crate) i: i64,
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
    #[prost(int64, repeated, packed = "false", tag = "3")]
    pub(crate) dims: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tensor {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub(crate) dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    pub(crate) data_type: i32,
    // Lists of numbers, which ONNX's definition says are packed: as the bytes that they are in the
    // file, since numbers take up to eight times as much.
    #[prost(bytes = "bytes", repeated, tag = "5")]
    pub(crate) int32_data: Vec<Bytes>,
    #[prost(bytes = "bytes", repeated, tag = "7")]
    pub(crate) int64_data: Vec<Bytes>,
    #[prost(bytes = "bytes", tag = "8")]
    pub(crate) name: Bytes,
    #[prost(bytes = "bytes", tag = "9")]
    pub(crate) raw_data: Bytes,
    #[prost(bytes = "bytes", repeated, tag = "11")]
    pub(crate) uint64_data: Vec<Bytes>,
    #[prost(message, repeated, tag = "13")]
    pub(crate) external_data: Vec<Entry>,
    #[prost(int32, optional, tag = "14")]
    pub(crate) data_location: Option<i32>,
}

impl Tensor {
    /// Bytes that its elements take. What a file claims, so it may be anything.
    pub(crate) fn bytes(&self) -> u64 {
        elements(&self.dims).saturating_mul(self.bits()) / 8
    }

    /// Bits of an element.
    pub(crate) fn bits(&self) -> u64 {
        match self.data_type {
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
        }
    }

    /// Its elements, if it is a short list of INT64 in raw form.
    pub(crate) fn small_ints(&self) -> Option<Vec<i64>> {
        const INT64: i32 = 7;
        let short = self.data_type == INT64 && self.raw_data.len() <= 64 * 8;
        let (numbers, rest) = self.raw_data.as_chunks::<8>();
        (short && rest.is_empty() && !numbers.is_empty()).then(|| {
            numbers
                .iter()
                .map(|&number| i64::from_le_bytes(number))
                .collect()
        })
    }
}

/// The product of dimensions; as large as can be where it does not fit.
pub(crate) fn elements(dims: &[i64]) -> u64 {
    dims.iter().fold(1_u64, |product, &dim| {
        product.saturating_mul(u64::try_from(dim).unwrap_or(0))
    })
}

/// An entry of `external_data`; only that it is there matters.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Entry {}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValueInfo {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) name: Bytes,
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
        #[prost(bytes = "bytes", repeated, tag = "2")]
        pub(crate) output: Vec<bytes::Bytes>,
        #[prost(bytes = "bytes", tag = "4")]
        pub(crate) op_type: bytes::Bytes,
        #[prost(message, repeated, tag = "5")]
        pub(crate) attribute: Vec<Attribute>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(crate) struct Attribute {
        #[prost(bytes = "bytes", tag = "1")]
        pub(crate) name: bytes::Bytes,
        #[prost(int64, repeated, packed = "false", tag = "8")]
        pub(crate) ints: Vec<i64>,
        #[prost(bytes = "bytes", repeated, tag = "9")]
        pub(crate) strings: Vec<bytes::Bytes>,
    }
}
