//! Values to saved bytes and back, without a Redis type.
//!
//! | What | Function |
//! |---|---|
//! | RDB, written: always version [`VERSION`], field for field RedisAI's | [`encode_tensor`], [`encode_model`], [`encode_script`] |
//! | RDB, read, versions 0 to 4 | [`decode_tensor`], [`decode_model`], [`decode_script`] |
//! | AOF and replication: the command that makes a value again | [`tensor_args`], [`model_args`], [`script_args`] |
//! | What the server does for a file | [`RdbWrite`], [`RdbRead`]; [`Fields`] and [`FieldReader`] in memory |
//!
//! Nothing that is read is trusted: a count or a length allocates nothing before as many fields
//! have really been read, and a value that would be unsafe is an [`Error`], never a panic. What
//! is merely odd is kept or mended, since RedisAI wrote it.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod aof;
mod decode;
mod encode;
mod error;
mod io;

pub use aof::{
    Arg, Args, MODELSTORE, SCRIPTSET, SCRIPTSTORE, TENSORSET, model_args, script_args, tensor_args,
};
pub use decode::{decode_model, decode_script, decode_tensor};
pub use encode::{VERSION, chunk_len, encode_model, encode_script, encode_tensor};
pub use error::Error;
pub use io::{Field, FieldReader, Fields, RdbRead, RdbWrite};
