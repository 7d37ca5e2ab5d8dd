//! Tensors, models and scripts in keys: typed lookups and stores.

use crate::release;
use crate::server::{Arg, Ctx, Key, Kind, raw};
use crate::state::state;
use crate::types::{from_value, into_value, share_value};
use redisai_command::Error;
use redisai_core::{Definition, Tensor};
use redisai_engine::Model;
use std::ffi::CStr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The key's name and what a lookup says when it is empty.
fn lookup<T>(
    ctx: Ctx<'_>,
    key: *mut raw::RedisModuleString,
    of: *mut raw::RedisModuleType,
    empty: Error,
) -> Result<Arc<T>, Error> {
    match Key::read(ctx, key).kind(of) {
        Kind::Empty => Err(empty),
        Kind::Other => Err(Error::WrongType),
        // SAFETY: a key of this type holds what `into_value` made of the type's value, and the main
        // thread, which alone changes keys, is here.
        Kind::Ours(value) => Ok(unsafe { share_value(value) }),
    }
}

/// The tensor of a key.
pub(crate) fn tensor(ctx: Ctx<'_>, key: *mut raw::RedisModuleString) -> Result<Arc<Tensor>, Error> {
    lookup(ctx, key, tensor_type(), Error::TensorKeyEmpty)
}

/// The model of a key.
pub(crate) fn model(ctx: Ctx<'_>, key: *mut raw::RedisModuleString) -> Result<Arc<Model>, Error> {
    lookup(ctx, key, Family::Model.kind(), Error::ModelKeyEmpty)
}

/// The script of a key.
pub(crate) fn script(ctx: Ctx<'_>, key: *mut raw::RedisModuleString) -> Result<Arc<Model>, Error> {
    lookup(ctx, key, Family::Script.kind(), Error::ScriptKeyEmpty)
}

/// The two types whose keys hold an engine's model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    Model,
    Script,
}

impl Family {
    fn kind(self) -> *mut raw::RedisModuleType {
        let of = match self {
            Self::Model => &state().model_type,
            Self::Script => &state().script_type,
        };
        of.load(Ordering::Relaxed)
    }

    /// The family of what a definition makes.
    pub(crate) fn of(def: &Definition) -> Self {
        if def.is_script() {
            Self::Script
        } else {
            Self::Model
        }
    }
}

/// The model or script of a key by name, without counting as a use of it.
pub(crate) fn peek(ctx: Ctx<'_>, name: *mut raw::RedisModuleString) -> Option<Arc<Model>> {
    let key = Key::peek(ctx, name);
    let families = [Family::Model, Family::Script].into_iter();
    families
        .map(|family| key.kind(family.kind()))
        .find_map(|kind| match kind {
            // SAFETY: as in `lookup`.
            Kind::Ours(value) => Some(unsafe { share_value(value) }),
            Kind::Empty | Kind::Other => None,
        })
}

/// Whether a tensor may be stored here: the key is empty or holds one.
pub(crate) fn accepts_tensor(ctx: Ctx<'_>, key: *mut raw::RedisModuleString) -> Result<(), Error> {
    accepts(ctx, key, tensor_type())
}

/// Whether a model, or a script, may be stored here.
pub(crate) fn accepts_model(
    ctx: Ctx<'_>,
    key: *mut raw::RedisModuleString,
    def: &Definition,
) -> Result<(), Error> {
    accepts(ctx, key, Family::of(def).kind())
}

fn accepts(
    ctx: Ctx<'_>,
    key: *mut raw::RedisModuleString,
    of: *mut raw::RedisModuleType,
) -> Result<(), Error> {
    match Key::read(ctx, key).kind(of) {
        Kind::Other => Err(Error::WrongType),
        Kind::Empty | Kind::Ours(_) => Ok(()),
    }
}

/// Stores a tensor, in place of one that is there; a time to live goes.
pub(crate) fn store_tensor(
    ctx: Ctx<'_>,
    key: *mut raw::RedisModuleString,
    tensor: Arc<Tensor>,
) -> Result<(), Error> {
    let old = store(ctx, key, tensor_type(), tensor, Error::CouldNotSave)?;
    if let Some(old) = old {
        release::replaced(ctx, old);
    }
    notify(ctx, c"ai.tensorset", key);
    Ok(())
}

/// Stores a model or a script, in place of one that is there.
pub(crate) fn store_model(
    ctx: Ctx<'_>,
    key: *mut raw::RedisModuleString,
    name: &[u8],
    model: Arc<Model>,
) -> Result<(), Error> {
    let family = Family::of(model.def());
    let (refused, event) = match family {
        Family::Model => (Error::CouldNotSaveModel, c"ai.modelstore"),
        Family::Script => (Error::CouldNotSaveScript, c"ai.scriptstore"),
    };
    let old = store(ctx, key, family.kind(), model, refused)?;
    if let Some(old) = old {
        // The last reference hands the session to the engine's reaper by itself.
        old.key_gone();
    }
    state().index().seen(ctx.db(), name);
    notify(ctx, event, key);
    Ok(())
}

/// Deletes the key of a model or of a script.
pub(crate) fn delete(ctx: Ctx<'_>, key: Arg<'_>, family: Family) -> Result<(), Error> {
    let event = match family {
        Family::Model => model(ctx, key.raw()).map(|_| c"ai.modeldel"),
        Family::Script => script(ctx, key.raw()).map(|_| c"ai.scriptdel"),
    }?;
    Key::write(ctx, key.raw()).delete();
    state().index().forget(ctx.db(), key.bytes());
    ctx.notify(raw::REDISMODULE_NOTIFY_GENERIC, c"del", key.raw());
    notify(ctx, event, key.raw());
    Ok(())
}

fn store<T>(
    ctx: Ctx<'_>,
    key: *mut raw::RedisModuleString,
    of: *mut raw::RedisModuleType,
    value: Arc<T>,
    refused: Error,
) -> Result<Option<Arc<T>>, Error> {
    let open = Key::write(ctx, key);
    let value = into_value(value);
    let done = match open.kind(of) {
        Kind::Other => Err(Error::WrongType),
        Kind::Empty => open.set(of, value).then_some(None).ok_or(refused),
        Kind::Ours(_) => open.replace(of, value).map(Some).ok_or(refused),
    };
    match done {
        // SAFETY: the old value was the key's, of the same type, and is ours now.
        Ok(old) => Ok(old.map(|old| unsafe { from_value(old) })),
        Err(error) => {
            // SAFETY: the key did not take the value, so the reference is still ours.
            drop(std::ptr::NonNull::new(value).map(|value| unsafe { from_value::<T>(value) }));
            Err(error)
        }
    }
}

fn notify(ctx: Ctx<'_>, event: &CStr, key: *mut raw::RedisModuleString) {
    ctx.notify(raw::REDISMODULE_NOTIFY_MODULE, event, key);
}

fn tensor_type() -> *mut raw::RedisModuleType {
    state().tensor_type.load(Ordering::Relaxed)
}
