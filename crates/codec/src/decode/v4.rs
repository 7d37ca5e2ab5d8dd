//! Version 4: RedisAI 1.2.5 and later, and this project.

use super::{chunks, names, numeric, shape, strings, text};
use crate::{Error, RdbRead};
use redisai_core::{BackendKind, Batch, DType, Device, ModelDef, Tensor};
use smallvec::SmallVec;

pub(super) fn tensor(input: &mut impl RdbRead) -> Result<Tensor, Error> {
    let code = input.unsigned()?;
    let bits = input.unsigned()?;
    let dtype = DType::from_code(code, bits).ok_or(Error::Damaged("dtype of a tensor"))?;
    let rank = input.signed()?;
    if rank < 0 {
        return Err(Error::Damaged("number of dimensions of a tensor"));
    }
    // Grows with what is really read: the rank may lie.
    let mut dims = SmallVec::<[i64; 8]>::new();
    for _ in 0..rank {
        dims.push(input.signed()?);
    }
    let shape = shape(&dims)?;
    let blob = input.bytes()?;
    if dtype != DType::String {
        return numeric(dtype, shape, blob);
    }
    // Each element takes a byte at least, so the blob bounds the offsets.
    if shape.elements() > blob.bytes().len() {
        return Err(Error::Damaged("elements of a STRING tensor"));
    }
    let mut offsets = Vec::new();
    for _ in 0..shape.elements() {
        offsets.push(input.unsigned()?);
    }
    strings(shape, blob, offsets)
}

pub(super) fn model(input: &mut impl RdbRead) -> Result<ModelDef, Error> {
    let backend =
        BackendKind::from_code(input.unsigned()?).ok_or(Error::Damaged("backend of a model"))?;
    let device = Device::lenient(&text(input)?);
    let tag = input.bytes()?.bytes().into();
    let batch = Batch {
        size: number(input)?,
        min_size: number(input)?,
        min_timeout_ms: number(input)?,
    };
    Ok(ModelDef {
        backend,
        device,
        tag,
        batch,
        inputs: names(input)?,
        outputs: names(input)?,
        blob: chunks(input)?,
    })
}

/// A number that a command could have set: none is above the largest signed one.
fn number(input: &mut impl RdbRead) -> Result<u64, Error> {
    Ok(input.unsigned()?.min(i64::MAX as u64))
}
