//! `AI.INFO`.

use crate::keyspace;
use crate::server::{Args, Ctx};
use redisai_command::{Error, Info};
use redisai_core::ValueInfo;
use redisai_engine::{BatchInfo, Model, ModelState, Percentiles};

pub(super) fn info(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    Info::arity(argv.len())?;
    let key = args.get(Info::KEY).ok_or(Error::NoRunInfo)?;
    let model = keyspace::model(ctx, key.raw())
        .or_else(|_| keyspace::script(ctx, key.raw()))
        .map_err(|_| Error::NoRunInfo)?;
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
            let script = model.def().is_script();
            ctx.reply_array(if script { 40 } else { 38 });
            short(ctx, key.bytes(), &model);
            full(ctx, &model);
            if script {
                functions(ctx, &model);
            }
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
        (b"type", if def.is_script() { b"SCRIPT" } else { b"MODEL" }),
        (b"backend", def.backend().name().as_bytes()),
        (b"device", def.device().text()),
        (b"tag", def.tag()),
    ];
    for (label, text) in texts {
        ctx.reply_bulk(label);
        ctx.reply_bulk(text);
    }
    field(ctx, b"duration", stats.duration_us);
    if def.is_script() {
        ctx.reply_bulk(b"samples");
        ctx.reply_integer(-1);
    } else {
        field(ctx, b"samples", stats.samples);
    }
    field(ctx, b"calls", stats.calls);
    field(ctx, b"errors", stats.errors);
}

/// `FULL`: the session's state, what the model says of its inputs and outputs, runs in detail.
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
        .filter(|_| !model.def().is_script())
        .and_then(|signature| signature.functions.first());
    let inputs = function.map_or(&[] as &[ValueInfo], |function| &function.inputs);
    let outputs = function.map_or(&[] as &[ValueInfo], |function| &function.outputs);
    for (label, values) in [(b"inputs" as &[u8], inputs), (b"outputs", outputs)] {
        ctx.reply_bulk(label);
        ctx.reply_array(values.len());
        values.iter().for_each(|value| describe(ctx, value));
    }
    runs(ctx, model);
}

/// The functions that a script's backend found in it.
fn functions(ctx: Ctx<'_>, script: &Model) {
    let found = script.signature().map(|said| said.functions.as_slice());
    let found = found.unwrap_or_default();
    ctx.reply_bulk(b"functions");
    ctx.reply_array(found.len());
    found.iter().for_each(|one| ctx.reply_bulk(&one.name));
}

/// How the runs went, and what the engine has learned from them. Times are nanoseconds.
fn runs(ctx: Ctx<'_>, model: &Model) {
    let runs = model.stats().runs();
    field(ctx, b"late", runs.late);
    field(ctx, b"batches", runs.batches);
    ctx.reply_bulk(b"batch_sizes");
    pairs(ctx, &runs.batch_sizes);
    ctx.reply_bulk(b"queue_ns");
    percentiles(ctx, runs.queued);
    ctx.reply_bulk(b"run_ns");
    percentiles(ctx, runs.ran);
    ctx.reply_bulk(b"batching");
    match model.batching() {
        None => ctx.reply_null(),
        Some(learned) => batching(ctx, &learned),
    }
}

fn batching(ctx: Ctx<'_>, learned: &BatchInfo) {
    ctx.reply_array(8);
    field(ctx, b"rows", learned.rows);
    field(ctx, b"given_up", learned.given_up.into());
    ctx.reply_bulk(b"row_ns");
    pairs(ctx, &learned.row_nanos);
    field(ctx, b"back_ns", learned.back_nanos);
}

fn percentiles(ctx: Ctx<'_>, of: Percentiles) {
    ctx.reply_array(12);
    field(ctx, b"count", of.count);
    field(ctx, b"p50", of.p50);
    field(ctx, b"p90", of.p90);
    field(ctx, b"p99", of.p99);
    field(ctx, b"p99.9", of.p999);
    field(ctx, b"max", of.max);
}

/// A number of rows and what belongs to it, for each size.
fn pairs(ctx: Ctx<'_>, pairs: &[(u64, u64)]) {
    ctx.reply_array(pairs.len());
    for &(rows, value) in pairs {
        ctx.reply_array(2);
        number(ctx, rows);
        number(ctx, value);
    }
}

fn field(ctx: Ctx<'_>, label: &[u8], value: u64) {
    ctx.reply_bulk(label);
    number(ctx, value);
}

fn number(ctx: Ctx<'_>, value: u64) {
    ctx.reply_integer(i64::try_from(value).unwrap_or(i64::MAX));
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
