//! `AI.MODELSTORE`, `AI.MODELSET`.
//!
//! The session is built on a loader thread while the client is blocked; the key appears, with
//! replication and reply, when that is done, and also if the client has gone meanwhile. What was
//! accepted before (from a primary or the append-only file) is stored at once and built afterwards.

use crate::blocked::{self, Finish};
use crate::effects;
use crate::guard;
use crate::keyspace;
use crate::server::{Args, Ctx, Held, log_line, raw};
use crate::state::state;
use redisai_command::{Error, ModelStore, join};
use redisai_core::{AlignedBytes, BackendError, Buffer, ModelDef};
use redisai_engine::Model;
use std::ffi::CStr;
use std::os::raw::c_void;
use std::sync::Arc;

pub(super) fn store(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    let parsed = ModelStore::parse(&argv, ctx.flags().replayed())?;
    begin(ctx, args, &parsed, c"AI.MODELSTORE")
}

pub(super) fn set_deprecated(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    let parsed = ModelStore::parse_set(&argv, ctx.flags().replayed())?;
    begin(ctx, args, &parsed, c"AI.MODELSET")
}

fn begin(
    ctx: Ctx<'_>,
    args: &Args<'_>,
    parsed: &ModelStore<'_>,
    command: &'static CStr,
) -> Result<(), Error> {
    let key = args.get(ModelStore::KEY).ok_or(Error::MissingBlob)?;
    keyspace::accepts_model(ctx, key.raw())?;
    let model = state().engine.model(definition(args, parsed));
    let flags = ctx.flags();
    if flags.replayed() {
        keyspace::store_model(ctx, key.raw(), key.bytes(), Arc::clone(&model))?;
        state().engine.build_background(&model);
        ctx.replicate_verbatim();
        ctx.reply_simple(c"OK");
        return Ok(());
    }
    let effect = Effect {
        key: key.hold(),
        db: ctx.db(),
        model,
        command,
        args: replay(args, parsed),
    };
    let Some(waiting) = blocked::block::<StoreEnd>(ctx, flags) else {
        state()
            .engine
            .build_here(&effect.model)
            .map_err(|error| Error::Text(error.text))?;
        effect.apply(ctx)?;
        ctx.reply_simple(c"OK");
        return Ok(());
    };
    let model = Arc::clone(&effect.model);
    state().engine.build(
        &model,
        Box::new(move |built| {
            waiting.finish(StoreEnd {
                effect: Some(effect),
                built,
            });
        }),
    );
    Ok(())
}

/// The definition, over the held argument or the joined chunks.
fn definition(args: &Args<'_>, parsed: &ModelStore<'_>) -> ModelDef {
    let chunks = parsed.chunks.clone();
    let blob: Arc<dyn Buffer> = match args.all().get(chunks.clone()) {
        Some([single]) => Arc::new(single.hold()),
        Some(_) => Arc::new(join(&args.bytes(), chunks)),
        None => Arc::new(AlignedBytes::zeroed(0)),
    };
    parsed.definition(blob)
}

/// What replicas and the append-only file get: the command as it came, or rewritten in the form of
/// RedisAI 1.2 where it came in an older one.
fn replay(args: &Args<'_>, parsed: &ModelStore<'_>) -> Option<Vec<Held>> {
    (!parsed.rewrite).then(|| args.all().iter().skip(1).map(|arg| arg.hold()).collect())
}

/// A store that is to take effect.
struct Effect {
    key: Held,
    db: i32,
    model: Arc<Model>,
    command: &'static CStr,
    args: Option<Vec<Held>>,
}

impl Effect {
    /// Stores and replicates, in one turn.
    fn apply(&self, ctx: Ctx<'_>) -> Result<(), Error> {
        let key = &self.key;
        keyspace::store_model(ctx, key.raw(), key.bytes(), Arc::clone(&self.model))?;
        match &self.args {
            Some(args) => ctx.replicate(self.command, &mut args.iter().map(Held::raw).collect()),
            None => effects::replicate_model(ctx, key, self.model.def())?,
        }
        Ok(())
    }

    /// Stores in a turn of its own, after the client has gone.
    fn apply_later(self, ctx: Ctx<'_>) {
        ctx.run_soon(Some(late), Box::into_raw(Box::new(self)).cast());
    }
}

/// A store on its way back to the main thread.
struct StoreEnd {
    effect: Option<Effect>,
    built: Result<(), BackendError>,
}

impl Finish for StoreEnd {
    fn reply(&mut self, ctx: Ctx<'_>) {
        let Some(effect) = self.effect.take() else {
            return;
        };
        let done = match &self.built {
            Err(error) => Err(Error::Text(error.text.clone())),
            Ok(()) => effects::may_write(ctx, [&effect.key]).and_then(|()| effect.apply(ctx)),
        };
        match done {
            Ok(()) => ctx.reply_simple(c"OK"),
            Err(error) => ctx.reply_error(&error.wire()),
        }
    }

    fn gone(&mut self, ctx: Ctx<'_>) {
        if let (Some(effect), Ok(())) = (self.effect.take(), &self.built) {
            effect.apply_later(ctx);
        }
    }
}

extern "C" fn late(ctx: *mut raw::RedisModuleCtx, data: *mut c_void) {
    guard::run("timer", (), || {
        // SAFETY: the server calls this once, on the main thread, with the box of `apply_later`.
        let effect = unsafe { Box::from_raw(data.cast::<Effect>()) };
        // SAFETY: the context is valid during the callback.
        let ctx = unsafe { Ctx::new(ctx) };
        if crate::park::writes_paused() {
            crate::park::when_writable(Box::new(move |ctx| effect.apply_later(ctx)));
            return;
        }
        let name = String::from_utf8_lossy(effect.key.bytes()).into_owned();
        let stored = if ctx.select(effect.db) {
            effects::may_write(ctx, [&effect.key]).and_then(|()| effect.apply(ctx))
        } else {
            Err(Error::RoleChanged)
        };
        if let Err(error) = stored {
            log_line!(
                Warning,
                "model {name}, whose client has gone, was not stored: {error}"
            );
        }
    });
}
