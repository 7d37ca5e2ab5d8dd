//! The commands of scripts: a script is a model with named functions, so storing and running it goes
//! the ways of `store.rs` and `run.rs`.

use super::run::{may_block, submit, tensors};
use super::store::{Replay, begin};
use super::tensor::reply_buffer;
use crate::keyspace::{self, Family};
use crate::server::{Args, Ctx, Flags};
use crate::services::{Caller, Registered};
use redisai_codec::{SCRIPTSET, SCRIPTSTORE};
use redisai_command::{Error, ScriptDel, ScriptGet, ScriptRun, ScriptStore};
use redisai_core::{AlignedBytes, Buffer};
use redisai_engine::{Call, Request};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

pub(super) fn store(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    let parsed = ScriptStore::parse(&argv, ctx.flags().replayed())?;
    let def = parsed.definition(source(args, parsed.source));
    begin(ctx, args, def, Replay::of(parsed.rewrite, SCRIPTSTORE))
}

pub(super) fn set_deprecated(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    let parsed = ScriptStore::parse_set(&argv)?;
    let def = parsed.definition(source(args, parsed.source));
    begin(ctx, args, def, Replay::of(parsed.rewrite, SCRIPTSET))
}

/// The held argument, or a copy of what stands before its first NUL.
fn source(args: &Args<'_>, at: usize) -> Arc<dyn Buffer> {
    let Some(arg) = args.get(at) else {
        return Arc::new(AlignedBytes::zeroed(0));
    };
    let text = ScriptStore::c_string(arg.bytes());
    if text.len() == arg.bytes().len() {
        Arc::new(arg.hold())
    } else {
        Arc::new(AlignedBytes::copy_of(text))
    }
}

pub(super) fn get(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    ScriptGet::arity(argv.len())?;
    let key = args.get(ScriptGet::KEY).ok_or(Error::ScriptKeyEmpty)?;
    let script = keyspace::script(ctx, key.raw())?;
    let options = ScriptGet::parse(&argv)?;
    let def = script.def().script().ok_or(Error::WrongType)?;
    if options.meta {
        ctx.reply_array(if options.source { 8 } else { 6 });
        ctx.reply_bulk(b"device");
        ctx.reply_bulk(def.device.text());
        ctx.reply_bulk(b"tag");
        ctx.reply_bulk(&def.tag);
        ctx.reply_bulk(b"Entry Points");
        ctx.reply_array(def.entry_points.len());
        def.entry_points
            .iter()
            .for_each(|name| ctx.reply_bulk(name));
        if options.source {
            ctx.reply_bulk(b"source");
        }
    }
    if options.source {
        reply_buffer(ctx, def.source.as_ref());
    }
    Ok(())
}

pub(super) fn del(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    ScriptDel::arity(args.all().len())?;
    let key = args.get(ScriptDel::KEY).ok_or(Error::ScriptKeyEmpty)?;
    keyspace::delete(ctx, key, Family::Script)?;
    ctx.replicate_verbatim();
    ctx.reply_simple(c"OK");
    Ok(())
}

pub(super) fn execute(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let flags = may_block(ctx)?;
    ScriptRun::arity(args.all().len())?;
    run(ctx, flags, args, |argv| ScriptRun::parse(argv, false))
}

pub(super) fn run_deprecated(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let flags = may_block(ctx)?;
    ScriptRun::run_arity(args.all().len())?;
    run(ctx, flags, args, ScriptRun::parse_run)
}

fn run(
    ctx: Ctx<'_>,
    flags: Flags,
    args: &Args<'_>,
    parse: impl Fn(&[&[u8]]) -> Result<ScriptRun, Error>,
) -> Result<(), Error> {
    let key = args.get(ScriptRun::KEY).ok_or(Error::ScriptKeyEmpty)?;
    let script = keyspace::script(ctx, key.raw())?;
    let parsed = parse(&args.bytes())?;
    let (inputs, keys) = tensors(ctx, args, parsed.inputs, parsed.outputs)?;
    let timeout = parsed.timeout_ms.map(Duration::from_millis);
    // Both commands are write commands.
    let caller = Caller::register(ctx, true, timeout);
    let (names, words) = (parsed.keys, parsed.args);
    let request = Request {
        model: script,
        call: Some(call(args, ScriptRun::FUNCTION, names, words, &caller)),
        inputs,
        outputs: keys.len(),
        timeout,
    };
    submit(ctx, flags, request, keys, Some(caller))
}

/// A script's function, the keys that it may touch and its arguments, by their indices.
pub(super) fn call(
    args: &Args<'_>,
    function: usize,
    keys: Range<usize>,
    words: Range<usize>,
    caller: &Registered,
) -> Arc<Call> {
    let all = |range: Range<usize>| {
        let found = args.all().get(range).unwrap_or_default();
        found.iter().map(|arg| arg.bytes().to_vec()).collect()
    };
    let function = args.get(function).map(|name| name.bytes().into());
    Arc::new(Call {
        function: function.unwrap_or_default(),
        keys: all(keys),
        args: all(words),
        context: caller.number(),
    })
}
