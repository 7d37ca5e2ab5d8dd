//! Version 0: RedisAI 1.0. Its layout of tensors lived until version 3.

use super::fields::{
    backend, device, dtype, names, number, push, shape, source, tensor as make, text,
};
use crate::{Error, RdbRead};
use redisai_core::{Batch, ModelDef, ScriptDef, Tensor};

/// DLPack's number of the CPU, where RedisAI kept every tensor.
const CPU: u64 = 1;

pub(super) fn tensor(input: &mut impl RdbRead) -> Result<Tensor, Error> {
    if input.unsigned()? != CPU {
        return Err(Error::Damaged("device of a tensor"));
    }
    let _device_id = input.unsigned()?;
    let bits = input.unsigned()?;
    let dtype = dtype(input.unsigned()?, bits)?;
    let _lanes = input.unsigned()?;
    let rank = input.unsigned()?;
    let mut dims = Vec::new();
    for _ in 0..rank {
        push(&mut dims, input.signed()?)?;
    }
    // RedisAI read its data without regard to strides and offset: all of it is compact.
    for _ in 0..rank {
        input.unsigned()?;
    }
    let _byte_offset = input.unsigned()?;
    make(dtype, shape(&dims)?, input.bytes()?)
}

pub(super) fn model(input: &mut impl RdbRead) -> Result<ModelDef, Error> {
    Ok(ModelDef {
        backend: backend(input)?,
        device: device(input)?,
        tag: text(input)?,
        batch: Batch {
            size: number(input)?,
            min_size: number(input)?,
            min_timeout_ms: 0,
        },
        inputs: names(input)?,
        outputs: names(input)?,
        blob: input.bytes()?.into(),
    })
}

pub(super) fn script(input: &mut impl RdbRead) -> Result<ScriptDef, Error> {
    Ok(ScriptDef {
        device: device(input)?,
        tag: text(input)?,
        source: source(input)?,
        entry_points: Vec::new(),
    })
}
