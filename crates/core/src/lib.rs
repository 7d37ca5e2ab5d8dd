//! The vocabulary of redisai-rs: values and contracts.
//!
//! Everything here is immutable once made and shared by `Arc`; nothing here knows Redis, Python, a
//! framework, a thread or a file. Memory of a tensor is behind [`Buffer`], so that bytes held by a
//! server, by a framework or by ourselves are all one kind of tensor and this crate needs no
//! `unsafe`. The alternative, a tensor generic over its memory, was refused: the type parameter
//! would reach every crate, and a virtual call is cheap beside a model run.

#![forbid(unsafe_code)]

mod backend;
mod buffer;
mod definition;
mod device;
mod dtype;
mod error;
mod model;
mod script;
mod shape;
mod tensor;

pub use backend::{
    Backend, BackendInfo, BackendKind, Capabilities, Function, HostServices, LoadKind, LoadRequest,
    LoadedModel, LogLevel, Run, RunOutput, Signature, ValueInfo, ValueKind,
};
pub use buffer::{AlignedBytes, Buffer, zeros_and_ones};
pub use definition::Definition;
pub use device::{Device, DeviceKind};
pub use dtype::DType;
pub use error::{BackendError, Status};
pub use model::{Batch, ModelDef};
pub use script::ScriptDef;
pub use shape::{Shape, ShapeError};
pub use tensor::{Strings, Tensor, TensorError};
