//! The fields of an RDB payload to values, by encoding version.
//!
//! A version's file holds the layouts that it brought and is never changed again; later versions
//! that kept a layout are read by the same function.

mod fields;
mod v0;
mod v1;
mod v2;
mod v3;
mod v4;

use crate::{Error, RdbRead};
use redisai_core::{ModelDef, ScriptDef, Tensor};

/// Reads a tensor of this encoding version.
pub fn decode_tensor(input: &mut impl RdbRead, version: i32) -> Result<Tensor, Error> {
    match version {
        0..=3 => v0::tensor(input),
        4 => v4::tensor(input),
        other => Err(Error::Version(other)),
    }
}

/// Reads a model of this encoding version.
pub fn decode_model(input: &mut impl RdbRead, version: i32) -> Result<ModelDef, Error> {
    match version {
        0 => v0::model(input),
        1 => v1::model(input),
        2..=4 => v2::model(input),
        other => Err(Error::Version(other)),
    }
}

/// Reads a script of this encoding version.
pub fn decode_script(input: &mut impl RdbRead, version: i32) -> Result<ScriptDef, Error> {
    match version {
        0 => v0::script(input),
        1..=2 => v1::script(input),
        3..=4 => v3::script(input),
        other => Err(Error::Version(other)),
    }
}
