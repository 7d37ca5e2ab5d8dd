//! `AI.TENSORSET`, `AI.TENSORGET`.

use crate::keyspace;
use crate::server::{Args, Ctx, Held};
use crate::state::state;
use redisai_command::{Error, Format, Limits, TensorGet, TensorSet, Value, values};
use redisai_core::{AlignedBytes, Buffer, Tensor};
use std::sync::Arc;

/// Blobs below this are copied into aligned memory: it costs less than a held string's release.
const COPIED: usize = 512;

pub(super) fn set(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    TensorSet::arity(argv.len())?;
    let key = args.get(TensorSet::KEY).ok_or(Error::InvalidDType)?;
    // Before everything else in the command: a wrong type wins over a wrong argument.
    keyspace::accepts_tensor(ctx, key.raw())?;
    let limits = limits(ctx);
    let tensor = TensorSet::parse(&argv, &limits)?.into_tensor(&limits, |at| hold(args, at))?;
    keyspace::store_tensor(ctx, key.raw(), Arc::new(tensor))?;
    ctx.replicate_verbatim();
    ctx.reply_simple(c"OK");
    Ok(())
}

fn limits(ctx: Ctx<'_>) -> Limits {
    if ctx.flags().replayed() {
        Limits::stream()
    } else {
        Limits::client(state().options.max_tensor_bytes)
    }
}

/// A buffer over an argument: the server's string, unless it is short.
pub(super) fn hold(args: &Args<'_>, at: usize) -> Box<dyn Buffer> {
    match args.get(at) {
        Some(arg) if arg.bytes().len() >= COPIED => Box::new(arg.hold()),
        Some(arg) => Box::new(AlignedBytes::copy_of(arg.bytes())),
        None => Box::new(AlignedBytes::zeroed(0)),
    }
}

pub(super) fn get(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    TensorGet::arity(argv.len())?;
    let key = args.get(TensorGet::KEY).ok_or(Error::TensorKeyEmpty)?;
    let tensor = keyspace::tensor(ctx, key.raw())?;
    reply(ctx, TensorGet::parse(&argv)?, &tensor);
    Ok(())
}

/// Replies what the options ask for.
pub(super) fn reply(ctx: Ctx<'_>, options: TensorGet, tensor: &Tensor) {
    if options.meta {
        ctx.reply_array(if options.data.is_some() { 6 } else { 4 });
        ctx.reply_bulk(b"dtype");
        ctx.reply_bulk(tensor.dtype().name().as_bytes());
        ctx.reply_bulk(b"shape");
        let dims = tensor.shape().dims();
        ctx.reply_array(dims.len());
        dims.iter().for_each(|&dim| ctx.reply_integer(dim));
    }
    match options.data {
        None => {}
        Some(Format::Blob) => {
            if options.meta {
                ctx.reply_bulk(b"blob");
            }
            reply_buffer(ctx, tensor.buffer());
        }
        Some(Format::Values) => {
            if options.meta {
                ctx.reply_bulk(b"values");
            }
            reply_values(ctx, tensor);
        }
    }
}

/// Replies bytes; without a copy where the server can and the bytes are one of its strings.
pub(super) fn reply_buffer(ctx: Ctx<'_>, buffer: &dyn Buffer) {
    match buffer.as_any().downcast_ref::<Held>() {
        Some(held) => ctx.reply_held(held),
        None => ctx.reply_bulk(buffer.bytes()),
    }
}

fn reply_values(ctx: Ctx<'_>, tensor: &Tensor) {
    ctx.reply_array(tensor.shape().elements());
    for value in values(tensor) {
        match value {
            Value::Double(value) => ctx.reply_double(value),
            Value::Integer(value) => ctx.reply_integer(value),
            Value::Large(value) => ctx.reply_bulk(value.to_string().as_bytes()),
            Value::String(value) => ctx.reply_bulk(value),
        }
    }
}
