//! What a finished command leaves behind: keys stored and replicated in one turn.

use crate::keyspace;
use crate::park;
use crate::server::{Ctx, Held, Words};
use redisai_codec::{Arg, MODELSTORE, TENSORSET, model_args, script_args, tensor_args};
use redisai_command::Error;
use redisai_core::{Definition, RunOutput, Tensor};
use std::ffi::CStr;
use std::sync::Arc;

/// Whether keys may be written now, in the callback of a command that was blocked.
pub(crate) fn may_write<'k>(
    ctx: Ctx<'_>,
    keys: impl IntoIterator<Item = &'k Held>,
) -> Result<(), Error> {
    if park::writes_paused() {
        return Err(Error::ReadOnlyNow);
    }
    let flags = ctx.flags();
    if !flags.primary() {
        return Err(Error::RoleChanged);
    }
    if flags.cluster() && keys.into_iter().any(|key| ctx.slot_moved(key.raw())) {
        return Err(Error::RoleChanged);
    }
    Ok(())
}

/// Stores the outputs of a run under these keys, all or none, and replicates each.
pub(crate) fn store_outputs(ctx: Ctx<'_>, keys: &[Held], outputs: RunOutput) -> Result<(), Error> {
    may_write(ctx, keys)?;
    // One key alone is checked as it is stored.
    if keys.len() > 1 {
        for key in keys {
            keyspace::accepts_tensor(ctx, key.raw())?;
        }
    }
    for (key, tensor) in keys.iter().zip(outputs) {
        // No tensor (a sequence, say): the key stays as it is.
        let Some(tensor) = tensor else { continue };
        keyspace::store_tensor(ctx, key.raw(), Arc::clone(&tensor))?;
        replicate_tensor(ctx, key, &tensor)?;
    }
    Ok(())
}

/// Sends the command that makes this tensor.
fn replicate_tensor(ctx: Ctx<'_>, key: &Held, tensor: &Tensor) -> Result<(), Error> {
    replicate(ctx, TENSORSET, key, &tensor_args(tensor))
}

/// Sends the command that makes this model or script, in the form of RedisAI 1.2.
pub(crate) fn replicate_definition(
    ctx: Ctx<'_>,
    key: &Held,
    def: &Definition,
) -> Result<(), Error> {
    let (command, args) = match def {
        Definition::Model(model) => (MODELSTORE, model_args(model, u64::MAX)),
        Definition::Script(script) => script_args(script),
    };
    replicate(ctx, command, key, &args)
}

fn replicate(ctx: Ctx<'_>, command: &CStr, key: &Held, args: &[Arg<'_>]) -> Result<(), Error> {
    let words = Words::new(args).ok_or(Error::OutOfMemory)?;
    ctx.replicate(command, &mut words.vector(&[key.raw()]));
    Ok(())
}
