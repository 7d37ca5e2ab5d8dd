//! `AI.CONFIG`.

use crate::server::{Args, Ctx, log_line};
use crate::state::{State, state};
use redisai_backend_loader::is_below;
use redisai_command::{Config, Error, LoadBackendRule, Setting, SettingValue};
use redisai_core::BackendKind;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::Ordering;

pub(super) fn config(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), Error> {
    let state = state();
    match Config::parse(&args.bytes())? {
        Config::LoadBackend { backend, path } => load_backend(state, backend, path)?,
        Config::BackendsPath(path) => set_backends_path(state, path)?,
        Config::ModelChunkSize(size) => state.chunk_size.store(size, Ordering::Relaxed),
        Config::Get(setting) => {
            get(ctx, state, setting);
            return Ok(());
        }
    }
    ctx.reply_simple(c"OK");
    Ok(())
}

fn load_backend(state: &State, backend: BackendKind, path: &[u8]) -> Result<(), Error> {
    let full = state
        .loader
        .library_path(backend, Some(Path::new(OsStr::from_bytes(path))));
    match state.options.load_backend {
        LoadBackendRule::No => return Err(Error::LoadBackendOff),
        LoadBackendRule::BackendsPath => {
            let inside = state
                .loader
                .backends_path()
                .is_some_and(|base| is_below(&base, &full) || is_missing_below(&base, &full));
            inside.then_some(()).ok_or(Error::LoadBackendOutside)?;
        }
        LoadBackendRule::Any => {}
    }
    let loaded = state
        .engine
        .load_backend(backend, Some(full.as_os_str().as_bytes()));
    loaded.map(|_| ()).map_err(|error| {
        log_line!(Warning, "{error}");
        Error::LoadingBackend
    })
}

/// Whether a file is not there whose path, without `..`, is below the directory. Trying to load it
/// harms nobody, and says what is wrong.
fn is_missing_below(directory: &Path, file: &Path) -> bool {
    let up = |part| part == Component::ParentDir;
    file.starts_with(directory) && !file.components().any(up) && !file.exists()
}

fn set_backends_path(state: &State, path: &[u8]) -> Result<(), Error> {
    match state.options.load_backend {
        LoadBackendRule::No => Err(Error::LoadBackendOff),
        LoadBackendRule::BackendsPath => Err(Error::BackendsPathFixed),
        LoadBackendRule::Any => {
            state
                .loader
                .set_backends_path(PathBuf::from(OsStr::from_bytes(path)));
            Ok(())
        }
    }
}

fn get(ctx: Ctx<'_>, state: &State, setting: Option<Setting>) {
    let integer = |value: u64| ctx.reply_integer(i64::try_from(value).unwrap_or(i64::MAX));
    match setting {
        None => ctx.reply_null(),
        Some(Setting::BackendsPath) => {
            let path = state.loader.backends_path().unwrap_or_default();
            ctx.reply_bulk(path.as_os_str().as_bytes());
        }
        Some(Setting::ModelChunkSize) => integer(state.chunk_size.load(Ordering::Relaxed)),
        Some(setting) => match state.options.get(setting) {
            SettingValue::Bytes(bytes) => ctx.reply_bulk(bytes),
            SettingValue::Integer(value) => integer(value),
            SettingValue::Null => ctx.reply_null(),
        },
    }
}
