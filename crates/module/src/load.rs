//! `RedisModule_OnLoad`: from the options to a registered module.

use crate::commands;
use crate::events;
use crate::exit;
use crate::guard;
use crate::info;
use crate::server::{self, Args, Ctx, log, log_line, raw, rm, set_main_thread};
use crate::services::{self, Services};
use crate::state::{self, State};
use crate::types;
use redisai_backend_loader::{
    Environment, Loader, LoaderConfig, RAI_OPTION_INTER_OP_THREADS, RAI_OPTION_INTRA_OP_THREADS,
    RAI_OPTION_MEMORY_LIMIT, RAI_OPTION_NATIVE_MODELS, file_of,
};
use redisai_command::{BuildSessions, LoadOptions};
use redisai_core::{Backend, BackendError, BackendKind, LogLevel, Status};
use redisai_engine::{BackendSource, Config, Engine, SystemClock};
use std::ffi::OsStr;
use std::os::raw::c_int;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const OK: c_int = raw::REDISMODULE_OK as c_int;
const ERR: c_int = raw::REDISMODULE_ERR as c_int;

/// The module's entry point, called by the server on its main thread.
///
/// # Safety
/// `ctx` and `argv` are what the server passes to a module that it loads.
#[unsafe(no_mangle)]
#[allow(unreachable_pub, reason = "the server finds it by name")]
pub unsafe extern "C" fn RedisModule_OnLoad(
    ctx: *mut raw::RedisModuleCtx,
    argv: *mut *mut raw::RedisModuleString,
    argc: c_int,
) -> c_int {
    guard::run("load", ERR, || {
        // Nothing may be allocated before this: the allocator is the server's.
        // SAFETY: the server's context; the name ends with a NUL.
        let init = unsafe {
            raw::Export_RedisModule_Init(
                ctx.cast(),
                c"ai".as_ptr(),
                version_number(),
                raw::REDISMODULE_APIVER_1 as c_int,
            )
        };
        if init != OK {
            return ERR;
        }
        // SAFETY: valid for the call, on the main thread.
        let (ctx, args) = unsafe { (Ctx::new(ctx), Args::new(argv, argc)) };
        match load(ctx, &args) {
            Ok(()) => OK,
            Err(reason) => {
                log(LogLevel::Warning, &reason);
                ERR
            }
        }
    })
}

/// `major · 10000 + minor · 100 + patch`, as RedisAI counts.
fn version_number() -> c_int {
    let part = |text: &str| text.parse::<c_int>().unwrap_or(0);
    part(env!("CARGO_PKG_VERSION_MAJOR")) * 10_000
        + part(env!("CARGO_PKG_VERSION_MINOR")) * 100
        + part(env!("CARGO_PKG_VERSION_PATCH"))
}

fn load(ctx: Ctx<'_>, args: &Args<'_>) -> Result<(), String> {
    server::probe().map_err(|name| {
        format!("this server lacks {name}: redisai-rs needs Redis 6.2 or newer, or Valkey")
    })?;
    let options = LoadOptions::parse(&args.bytes()).map_err(|error| error.to_string())?;
    // Not the address of `OnLoad`: a server may export that name too, and its own comes first.
    let module = file_of(load as *const ()).ok_or("the path of redisai.so cannot be found")?;
    pin(&module);
    guard::install_hook();
    set_main_thread();
    services::remember_context(ctx);
    log_line!(
        Notice,
        "RedisAI version {}, git_sha={}",
        version_number(),
        option_env!("REDISAI_GIT_SHA").unwrap_or("unknown")
    );
    let state = start(&module, options);
    exit::begin();
    // First what may fail: a server does not take every registration back after a failed load.
    load_backends(state)
        .and_then(|()| open_first_queue(state))
        .inspect_err(|_| exit::ended(state.engine.shutdown()))?;
    if register(ctx, state).is_none() {
        exit::ended(state.engine.shutdown());
        return Err("the server refused a type, a command or a subscription of the module".into());
    }
    declare(ctx);
    Ok(())
}

/// Valkey's bit for atomic slot migration (9.0).
const ATOMIC_SLOT_MIGRATION: u32 = 1 << 5;

/// Tells the server what the module can do that not every module can.
fn declare(ctx: Ctx<'_>) {
    // A short read is survived; names that a replica loads beside the old data are kept aside.
    let mut options =
        raw::REDISMODULE_OPTIONS_HANDLE_IO_ERRORS | raw::REDISMODULE_OPTIONS_HANDLE_REPL_ASYNC_LOAD;
    // Keys come as commands, as from a primary; nothing is applied while the slot is handed over.
    // Another product may give another meaning to the bit.
    if server::valkey_version(ctx).is_some() {
        options |= server::known_options() & ATOMIC_SLOT_MIGRATION;
    }
    // SAFETY: the context is the load's.
    unsafe {
        rm!(RedisModule_SetModuleOptions(
            ctx.raw(),
            options.cast_signed()
        ));
    }
}

/// Makes the engine and the state; starts no framework.
fn start(module: &Path, options: LoadOptions) -> &'static State {
    let loader = Arc::new(Loader::new(loader_config(module, &options)));
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let config = Config {
        threads_per_queue: number(options.threads_per_queue),
        queue_limit: number(options.queue_limit),
        max_queues: number(options.max_queues),
        loader_threads: number(options.loader_threads),
        model_execution_timeout_ms: options.model_execution_timeout,
        batch_wait: options.batch_wait,
        eager: options.build_sessions == BuildSessions::Eager,
        inline_runs: options.inline_runs && one_thread(&options),
        log: Arc::new(log),
        ..Config::default()
    };
    let source = Arc::new(Source(Arc::clone(&loader)));
    let engine = Engine::new(config, source, Arc::new(SystemClock));
    state::install(engine, loader, options)
}

/// Whether a run uses one thread. Not given, a framework takes one for each core.
fn one_thread(options: &LoadOptions) -> bool {
    match options.intra_op_parallelism {
        0 => std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1),
        threads => threads == 1,
    }
}

fn loader_config(module: &Path, options: &LoadOptions) -> LoaderConfig {
    let path = |path: &Option<Box<[u8]>>| {
        path.as_deref()
            .map(|path| PathBuf::from(OsStr::from_bytes(path)))
    };
    let pair = |name: &str, value: u64| (name.to_owned(), value.to_string().into_bytes());
    // In the reference the limit is in megabytes of 1,000,000.
    let limit = options.backend_memory_limit.saturating_mul(1_000_000);
    let native: &[u8] = if options.allow_native_models {
        b"yes"
    } else {
        b"no"
    };
    LoaderConfig {
        module: Some(module.to_owned()),
        backends_path: path(&options.backends_path),
        python: path(&options.python),
        environment: Environment::of_process(),
        test_backends: options.test_backends,
        options: vec![
            pair(RAI_OPTION_INTRA_OP_THREADS, options.intra_op_parallelism),
            pair(RAI_OPTION_INTER_OP_THREADS, options.inter_op_parallelism),
            pair(RAI_OPTION_MEMORY_LIMIT, limit),
            (RAI_OPTION_NATIVE_MODELS.to_owned(), native.to_vec()),
        ],
        services: Arc::new(Services),
    }
}

fn register(ctx: Ctx<'_>, state: &State) -> Option<()> {
    info::register(ctx).then_some(())?;
    let tensor = types::register_tensor(ctx)?;
    state.tensor_type.store(tensor.as_ptr(), Ordering::Relaxed);
    let model = types::register_model(ctx)?;
    state.model_type.store(model.as_ptr(), Ordering::Relaxed);
    let script = types::register_script(ctx)?;
    state.script_type.store(script.as_ptr(), Ordering::Relaxed);
    commands::register(ctx)?;
    events::subscribe(ctx).then_some(())
}

fn open_first_queue(state: &State) -> Result<(), String> {
    let opened = state.engine.open_queue(&redisai_core::Device::cpu());
    opened.map_err(|error| format!("{error}: give a smaller THREADS_PER_QUEUE"))
}

/// The libraries that the options name, in their order.
fn load_backends(state: &State) -> Result<(), String> {
    for (kind, path) in &state.options.backends {
        state
            .engine
            .load_backend(*kind, Some(path))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The loader as the engine's source of backends.
struct Source(Arc<Loader>);

impl BackendSource for Source {
    fn open(
        &self,
        kind: BackendKind,
        path: Option<&[u8]>,
    ) -> Result<Arc<dyn Backend>, BackendError> {
        let path = path.map(|path| Path::new(OsStr::from_bytes(path)));
        let backend = self
            .0
            .open(kind, path)
            .map_err(|error| BackendError::new(Status::Unsupported, error.to_string()))?;
        let info = backend.info();
        log_line!(
            Notice,
            "backend {} loaded from {}: version {}, framework {}",
            kind.name(),
            info.library,
            info.version,
            info.framework
        );
        Ok(backend)
    }
}

/// Keeps this library in memory even if the load fails: threads and the panic hook point into it.
fn pin(module: &Path) {
    let Ok(path) = std::ffi::CString::new(module.as_os_str().as_bytes()) else {
        return;
    };
    // SAFETY: opens what is open already; the handle is kept for ever on purpose.
    unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_NODELETE) };
}
