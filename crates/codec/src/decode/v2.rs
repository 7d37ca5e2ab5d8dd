//! Version 2: RedisAI 1.2.3. Models have a `MINBATCHTIMEOUT`.

use super::fields::{backend, chunks, device, names, number, string};
use crate::{Error, RdbRead};
use redisai_core::{Batch, ModelDef};

pub(super) fn model(input: &mut impl RdbRead) -> Result<ModelDef, Error> {
    Ok(ModelDef {
        backend: backend(input)?,
        device: device(input)?,
        tag: string(input)?,
        batch: Batch {
            size: number(input)?,
            min_size: number(input)?,
            min_timeout_ms: number(input)?,
        },
        inputs: names(input)?,
        outputs: names(input)?,
        blob: chunks(input)?,
    })
}
