//! `AI.MODELSTORE`, `AI.MODELSET`; the way of `AI.SCRIPTSTORE` and `AI.SCRIPTSET`.
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
use redisai_codec::MODELSTORE;
use redisai_command::{Error, ModelStore, join};
use redisai_core::{AlignedBytes, BackendError, Buffer, Definition, ModelDef};
use redisai_engine::Model;
use std::ffi::CStr;
use std::os::raw::c_void;
use std::sync::Arc;

pub(super) fn store(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    let parsed = ModelStore::parse(&argv, ctx.flags().replayed())?;
    let def = definition(args, &parsed);
    begin(ctx, args, def, Replay::of(parsed.rewrite, MODELSTORE))
}

pub(super) fn set_deprecated(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let argv = args.bytes();
    let parsed = ModelStore::parse_set(&argv, ctx.flags().replayed())?;
    let def = definition(args, &parsed);
    begin(ctx, args, def, Replay::of(parsed.rewrite, c"AI.MODELSET"))
}

/// What replicas and the append-only file get.
#[derive(Clone, Copy)]
pub(super) enum Replay {
    /// The command as it came.
    AsItCame(&'static CStr),
    /// It came in a form that RedisAI 1.2 does not read: the one that it reads.
    Rewritten,
}

impl Replay {
    pub(super) fn of(rewrite: bool, command: &'static CStr) -> Self {
        if rewrite {
            Self::Rewritten
        } else {
            Self::AsItCame(command)
        }
    }
}

/// Stores a definition at argument 1, as said above.
pub(super) fn begin(
    ctx: Ctx<'_>,
    args: &Args<'_>,
    def: impl Into<Definition>,
    replay: Replay,
) -> Result<(), Error> {
    let key = args.get(ModelStore::KEY).ok_or(Error::MissingBlob)?;
    let model = state().engine.model(def);
    keyspace::accepts_model(ctx, key.raw(), model.def())?;
    let flags = ctx.flags();
    if flags.replayed() {
        keyspace::store_model(ctx, key.raw(), key.bytes(), Arc::clone(&model))?;
        state().engine.build_background(&model);
        ctx.replicate_verbatim();
        ctx.reply_simple(c"OK");
        return Ok(());
    }
    let as_it_came = || args.all().iter().skip(1).map(|arg| arg.hold()).collect();
    let effect = Effect {
        key: key.hold(),
        db: ctx.db(),
        model,
        args: match replay {
            Replay::AsItCame(command) => Some((command, as_it_came())),
            Replay::Rewritten => None,
        },
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

/// A store that is to take effect.
struct Effect {
    key: Held,
    db: i32,
    model: Arc<Model>,
    /// The command as it came, or it is to be rewritten.
    args: Option<(&'static CStr, Vec<Held>)>,
}

impl Effect {
    /// Stores and replicates, in one turn.
    fn apply(&self, ctx: Ctx<'_>) -> Result<(), Error> {
        let key = &self.key;
        keyspace::store_model(ctx, key.raw(), key.bytes(), Arc::clone(&self.model))?;
        match &self.args {
            Some((command, args)) => {
                ctx.replicate(command, &mut args.iter().map(Held::raw).collect());
            }
            None => effects::replicate_definition(ctx, key, self.model.def())?,
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
    fn stores(&self) -> bool {
        self.built.is_ok()
    }

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
        let what = if effect.model.def().is_script() {
            "script"
        } else {
            "model"
        };
        let stored = if ctx.select(effect.db) {
            effects::may_write(ctx, [&effect.key]).and_then(|()| effect.apply(ctx))
        } else {
            Err(Error::RoleChanged)
        };
        if let Err(error) = stored {
            log_line!(
                Warning,
                "{what} {name}, whose client has gone, was not stored: {error}"
            );
        }
    });
}
