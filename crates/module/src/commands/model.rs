//! `AI.MODELGET`, `AI.MODELDEL`.

use super::tensor::reply_buffer;
use crate::blocked::{self, Finish};
use crate::keyspace::{self, Family};
use crate::server::{Args, Ctx};
use crate::state::state;
use redisai_codec::chunk_len;
use redisai_command::{Error, ModelDel, ModelGet};
use redisai_engine::{Model, ModelState};
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(super) fn get(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    ModelGet::arity(argv.len())?;
    let key = args.get(ModelGet::KEY).ok_or(Error::ModelKeyEmpty)?;
    let model = keyspace::model(ctx, key.raw())?;
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
    fn stores(&self) -> bool {
        false
    }

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
    let batch = def.batch();
    let (inputs, outputs) = model.names();
    let number = |value: u64| ctx.reply_integer(i64::try_from(value).unwrap_or(i64::MAX));
    ctx.reply_array(if options.blob { 18 } else { 16 });
    ctx.reply_bulk(b"backend");
    ctx.reply_bulk(def.backend().name().as_bytes());
    ctx.reply_bulk(b"device");
    ctx.reply_bulk(def.device().text());
    ctx.reply_bulk(b"tag");
    ctx.reply_bulk(def.tag());
    ctx.reply_bulk(b"batchsize");
    number(batch.size);
    ctx.reply_bulk(b"minbatchsize");
    number(batch.min_size);
    for (label, names) in [(b"inputs" as &[u8], inputs), (b"outputs", outputs)] {
        ctx.reply_bulk(label);
        ctx.reply_array(names.len());
        names.iter().for_each(|name| ctx.reply_bulk(name));
    }
    ctx.reply_bulk(b"minbatchtimeout");
    number(batch.min_timeout_ms);
    if options.blob {
        ctx.reply_bulk(b"blob");
        reply_blob(ctx, model);
    }
}

/// One bulk string, or an array of chunks where the blob is above the chunk size.
fn reply_blob(ctx: Ctx<'_>, model: &Model) {
    let blob = model.def().blob();
    let chunk = chunk_len(
        blob.bytes().len(),
        state().chunk_size.load(Ordering::Relaxed),
    );
    if blob.bytes().len() <= chunk {
        reply_buffer(ctx, blob.as_ref());
        return;
    }
    let chunks = blob.bytes().chunks(chunk);
    ctx.reply_array(chunks.len());
    chunks.for_each(|chunk| ctx.reply_bulk(chunk));
}

pub(super) fn del(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    ModelDel::arity(args.all().len())?;
    let key = args.get(ModelDel::KEY).ok_or(Error::ModelKeyEmpty)?;
    keyspace::delete(ctx, key, Family::Model)?;
    ctx.replicate_verbatim();
    ctx.reply_simple(c"OK");
    Ok(())
}
