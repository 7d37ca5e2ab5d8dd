//! `AI.INFO`.

use crate::keyspace;
use crate::server::{Args, Ctx};
use redisai_command::{Error, Info};
use redisai_core::ValueInfo;
use redisai_engine::{Model, ModelState};

pub(super) fn info(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    Info::arity(argv.len())?;
    let key = args.get(Info::KEY).ok_or(Error::NoRunInfo)?;
    let model = keyspace::model(ctx, key).map_err(|_| Error::NoRunInfo)?;
    match Info::parse(&argv)? {
        Info::ResetStat => {
            model.stats().reset();
            ctx.reply_simple(c"OK");
        }
        Info::Short => {
            ctx.reply_array(18);
            short(ctx, key.bytes(), &model);
        }
        Info::Full => {
            ctx.reply_array(26);
            short(ctx, key.bytes(), &model);
            full(ctx, &model);
        }
    }
    Ok(())
}

/// The nine pairs of RedisAI.
fn short(ctx: Ctx<'_>, key: &[u8], model: &Model) {
    let def = model.def();
    let stats = model.stats().view();
    let texts: [(&[u8], &[u8]); 5] = [
        (b"key", key),
        (b"type", b"MODEL"),
        (b"backend", def.backend.name().as_bytes()),
        (b"device", def.device.text()),
        (b"tag", &def.tag),
    ];
    for (label, text) in texts {
        ctx.reply_bulk(label);
        ctx.reply_bulk(text);
    }
    let numbers: [(&[u8], u64); 4] = [
        (b"duration", stats.duration_us),
        (b"samples", stats.samples),
        (b"calls", stats.calls),
        (b"errors", stats.errors),
    ];
    for (label, number) in numbers {
        ctx.reply_bulk(label);
        ctx.reply_integer(i64::try_from(number).unwrap_or(i64::MAX));
    }
}

/// `FULL`: the session's state and what the model says of its inputs and outputs.
fn full(ctx: Ctx<'_>, model: &Model) {
    let (state, reason) = match model.state() {
        ModelState::Unbuilt => ("unbuilt", String::new()),
        ModelState::Building => ("building", String::new()),
        ModelState::Ready => ("ready", String::new()),
        ModelState::Failed(error) => ("failed", error.to_string()),
    };
    ctx.reply_bulk(b"state");
    ctx.reply_bulk(state.as_bytes());
    ctx.reply_bulk(b"reason");
    ctx.reply_bulk(reason.as_bytes());
    let function = model
        .signature()
        .and_then(|signature| signature.functions.first());
    let inputs = function.map_or(&[] as &[ValueInfo], |function| &function.inputs);
    let outputs = function.map_or(&[] as &[ValueInfo], |function| &function.outputs);
    for (label, values) in [(b"inputs" as &[u8], inputs), (b"outputs", outputs)] {
        ctx.reply_bulk(label);
        ctx.reply_array(values.len());
        values.iter().for_each(|value| describe(ctx, value));
    }
}

/// One input or output: `name`, `dtype` (empty: not known), `shape` (null: rank not known; −1: a
/// dimension that is not fixed), and for a ZipMap `classes`.
fn describe(ctx: Ctx<'_>, value: &ValueInfo) {
    ctx.reply_array(if value.classes.is_empty() { 6 } else { 8 });
    ctx.reply_bulk(b"name");
    ctx.reply_bulk(&value.name);
    ctx.reply_bulk(b"dtype");
    ctx.reply_bulk(value.dtype.map_or("", |dtype| dtype.name()).as_bytes());
    ctx.reply_bulk(b"shape");
    match &value.dims {
        None => ctx.reply_null(),
        Some(dims) => {
            ctx.reply_array(dims.len());
            dims.iter()
                .for_each(|dim| ctx.reply_integer(dim.unwrap_or(-1)));
        }
    }
    if !value.classes.is_empty() {
        ctx.reply_bulk(b"classes");
        ctx.reply_array(value.classes.len());
        value.classes.iter().for_each(|class| ctx.reply_bulk(class));
    }
}
