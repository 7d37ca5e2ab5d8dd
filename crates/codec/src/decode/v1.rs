//! Version 1: RedisAI 1.2-M01 to 1.2.2. Tags without a NUL, models in chunks.

use super::fields::{backend, chunks, device, names, number, source, string};
use crate::{Error, RdbRead};
use redisai_core::{Batch, ModelDef, ScriptDef};

pub(super) fn model(input: &mut impl RdbRead) -> Result<ModelDef, Error> {
    Ok(ModelDef {
        backend: backend(input)?,
        device: device(input)?,
        tag: string(input)?,
        batch: Batch {
            size: number(input)?,
            min_size: number(input)?,
            min_timeout_ms: 0,
        },
        inputs: names(input)?,
        outputs: names(input)?,
        blob: chunks(input)?,
    })
}

pub(super) fn script(input: &mut impl RdbRead) -> Result<ScriptDef, Error> {
    Ok(ScriptDef {
        device: device(input)?,
        tag: string(input)?,
        source: source(input)?,
        entry_points: Vec::new(),
    })
}
