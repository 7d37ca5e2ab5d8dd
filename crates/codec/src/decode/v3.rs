//! Version 3: RedisAI 1.2.4. Scripts have entry points.

use super::fields::{device, entry_points, source, string};
use crate::{Error, RdbRead};
use redisai_core::ScriptDef;

pub(super) fn script(input: &mut impl RdbRead) -> Result<ScriptDef, Error> {
    Ok(ScriptDef {
        device: device(input)?,
        tag: string(input)?,
        source: source(input)?,
        entry_points: entry_points(input)?,
    })
}
