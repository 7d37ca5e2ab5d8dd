//! `AI._MODELSCAN`, `AI._SCRIPTSCAN`.

use crate::keyspace::{self, Family};
use crate::server::{Args, Ctx, Held, log_line};
use crate::state::state;
use crate::walk;
use redisai_command::{Error, ModelScan, ScriptScan};
use std::sync::atomic::Ordering;

pub(super) fn models(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    ModelScan::arity(args.all().len())?;
    scan(ctx, Family::Model);
    Ok(())
}

pub(super) fn scripts(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    ScriptScan::arity(args.all().len())?;
    scan(ctx, Family::Script);
    Ok(())
}

fn scan(ctx: Ctx<'_>, family: Family) {
    if !state().scan_warned.swap(true, Ordering::Relaxed) {
        log_line!(
            Warning,
            "AI._MODELSCAN and AI._SCRIPTSCAN are experimental commands: their replies may change"
        );
    }
    let db = ctx.db();
    let known = state().index().candidates(db);
    let names = known.unwrap_or_else(|| walk::names(ctx));
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        let Some(key) = Held::copy_of(&name) else {
            continue;
        };
        match keyspace::peek(ctx, key.raw()) {
            Some(model) if Family::of(model.def()) == family => found.push((name, model)),
            Some(_) => {}
            None => state().index().forget(db, &name),
        }
    }
    ctx.reply_array(found.len());
    for (name, model) in found {
        ctx.reply_array(2);
        ctx.reply_bulk(&name);
        ctx.reply_bulk(model.def().tag());
    }
}
