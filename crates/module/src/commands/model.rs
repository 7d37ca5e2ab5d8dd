//! `AI.MODELGET`, `AI.MODELDEL`, `AI._MODELSCAN`.

use super::tensor::reply_buffer;
use crate::blocked::{self, Finish};
use crate::keyspace;
use crate::server::{Args, Ctx, Held, log_line};
use crate::state::state;
use crate::walk;
use redisai_command::{Error, ModelDel, ModelGet, ModelScan};
use redisai_engine::{Model, ModelState};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) fn get(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    ModelGet::arity(argv.len())?;
    let key = args.get(ModelGet::KEY).ok_or(Error::ModelKeyEmpty)?;
    let model = keyspace::model(ctx, key)?;
    let options = ModelGet::parse(&argv)?;
    // The names of a model that was loaded without them show once its session is built.
    let nameless = options.meta && model.arity().is_none();
    let coming = matches!(model.state(), ModelState::Unbuilt | ModelState::Building);
    if nameless
        && coming
        && let Some(waiting) = blocked::block::<GetEnd>(ctx, ctx.flags())
    {
        let end = GetEnd {
            model: Arc::clone(&model),
            options,
        };
        state()
            .engine
            .when_built(&model, Box::new(move |_| waiting.finish(end)));
        return Ok(());
    }
    reply(ctx, options, &model);
    Ok(())
}

/// A read that waited for the names. A model that could not be built is shown without them.
struct GetEnd {
    model: Arc<Model>,
    options: ModelGet,
}

impl Finish for GetEnd {
    fn reply(&mut self, ctx: Ctx<'_>) {
        reply(ctx, self.options, &self.model);
    }
}

fn reply(ctx: Ctx<'_>, options: ModelGet, model: &Model) {
    if !options.meta {
        reply_blob(ctx, model);
        return;
    }
    let def = model.def();
    let (inputs, outputs) = model.names();
    let number = |value: u64| ctx.reply_integer(i64::try_from(value).unwrap_or(i64::MAX));
    ctx.reply_array(if options.blob { 18 } else { 16 });
    ctx.reply_bulk(b"backend");
    ctx.reply_bulk(def.backend.name().as_bytes());
    ctx.reply_bulk(b"device");
    ctx.reply_bulk(def.device.text());
    ctx.reply_bulk(b"tag");
    ctx.reply_bulk(&def.tag);
    ctx.reply_bulk(b"batchsize");
    number(def.batch.size);
    ctx.reply_bulk(b"minbatchsize");
    number(def.batch.min_size);
    for (label, names) in [(b"inputs" as &[u8], inputs), (b"outputs", outputs)] {
        ctx.reply_bulk(label);
        ctx.reply_array(names.len());
        names.iter().for_each(|name| ctx.reply_bulk(name));
    }
    ctx.reply_bulk(b"minbatchtimeout");
    number(def.batch.min_timeout_ms);
    if options.blob {
        ctx.reply_bulk(b"blob");
        reply_blob(ctx, model);
    }
}

/// One bulk string, or an array of chunks where the blob is above the chunk size.
fn reply_blob(ctx: Ctx<'_>, model: &Model) {
    let blob = &model.def().blob;
    let chunk = usize::try_from(state().chunk_size.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
    if blob.bytes().len() <= chunk {
        reply_buffer(ctx, blob.as_ref());
        return;
    }
    let chunks = blob.bytes().chunks(chunk.max(1));
    ctx.reply_array(chunks.len());
    chunks.for_each(|chunk| ctx.reply_bulk(chunk));
}

pub(super) fn del(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    ModelDel::arity(args.all().len())?;
    let key = args.get(ModelDel::KEY).ok_or(Error::ModelKeyEmpty)?;
    keyspace::delete_model(ctx, key)?;
    ctx.replicate_verbatim();
    ctx.reply_simple(c"OK");
    Ok(())
}

pub(super) fn scan(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    ModelScan::arity(args.all().len())?;
    if !state().scan_warned.swap(true, Ordering::Relaxed) {
        log_line!(
            Warning,
            "AI._MODELSCAN is an experimental command: its reply may change"
        );
    }
    let db = ctx.db();
    let known = state().index().candidates(db);
    let names = known.unwrap_or_else(|| walk::model_names(ctx));
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let Some(key) = Held::copy_of(&name) else {
            continue;
        };
        match keyspace::peek_model(ctx, key.raw()) {
            Some(model) => found.push((name, model)),
            None => state().index().forget(db, &name),
        }
    }
    ctx.reply_array(found.len());
    for (name, model) in found {
        ctx.reply_array(2);
        ctx.reply_bulk(&name);
        ctx.reply_bulk(&model.def().tag);
    }
    Ok(())
}
