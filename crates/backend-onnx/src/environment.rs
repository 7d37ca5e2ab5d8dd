//! ONNX Runtime's environment: one for the process, never released.
//!
//! The library allows one environment at a time and none after the first was released; its thread
//! pools and our allocator hang on it.

use crate::error::{Doing, unsupported};
use crate::handles::ThreadingOptions;
use crate::log;
use crate::memory::Allocator;
use crate::sys::{Ort, check, ort};
use ort_sys::{OrtApi, OrtEnv, OrtLoggingLevel};
use redisai_backend_abi::{Host, Settings};
use redisai_core::BackendError;
use std::ffi::CStr;
use std::sync::{Mutex, PoisonError};

/// The library, its environment and our allocator.
pub(crate) struct Environment {
    pub(crate) ort: Ort,
    pub(crate) settings: Settings,
    pub(crate) allocator: &'static Allocator,
    pub(crate) host: Host,
    /// Whether the library has the CUDA execution provider.
    pub(crate) cuda: bool,
    env: *mut OrtEnv,
}

// SAFETY: the environment's functions may be called from any thread; everything else is `Sync` itself.
unsafe impl Send for Environment {}
// SAFETY: likewise.
unsafe impl Sync for Environment {}

/// The process's environment, once it is made.
static ENVIRONMENT: Mutex<Option<&'static Environment>> = Mutex::new(None);

impl Environment {
    /// The environment of the process, made on the first call.
    pub(crate) fn get(host: Host, settings: Settings) -> Result<&'static Self, BackendError> {
        let mut slot = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
        match *slot {
            Some(made) if made.settings == settings => Ok(made),
            Some(_) => Err(unsupported(
                "ERR ONNX Runtime is already set up in this process, with other options",
            )),
            None => {
                let made: &'static Self = Box::leak(Box::new(Self::make(host, settings)?));
                *slot = Some(made);
                Ok(made)
            }
        }
    }

    fn make(host: Host, settings: Settings) -> Result<Self, BackendError> {
        forbid_telemetry();
        let ort = Ort::open(&settings.framework)?;
        let api = ort.api();
        let allocator = Allocator::leak(api, host, ort.throw(), settings.memory_limit)?;
        let env = create(api, host, &settings)?;
        // SAFETY: the environment is valid; the allocator lives for good.
        unsafe {
            ort!(api, Doing::Init, DisableTelemetryEvents(env))?;
            ort!(api, Doing::Init, RegisterAllocator(env, allocator.as_ptr()))?;
        }
        let cuda = has_provider(api, c"CUDAExecutionProvider")?;
        Ok(Self {
            ort,
            settings,
            allocator,
            host,
            cuda,
            env,
        })
    }

    /// The function table.
    pub(crate) fn api(&self) -> &'static OrtApi {
        self.ort.api()
    }

    /// The environment.
    pub(crate) fn as_ptr(&self) -> *const OrtEnv {
        self.env
    }
}

/// Keeps ONNX Runtime from reporting to its maker. The library (1.32, say) has a client for it on
/// Linux too, and making an environment starts its thread, which wakes every few seconds for good;
/// `DisableTelemetryEvents` needs an environment, and so comes too late.
fn forbid_telemetry() {
    // SAFETY: both are C strings. Other threads may read the environment meanwhile: this happens once
    // a process, and the C library leaves the list that they read in place. A value that the operator
    // has set is kept.
    unsafe { libc::setenv(c"ORT_DISABLE_TELEMETRY".as_ptr(), c"1".as_ptr(), 0) };
}

/// Makes the environment with thread pools that all sessions share, and our log.
fn create(
    api: &'static OrtApi,
    host: Host,
    settings: &Settings,
) -> Result<*mut OrtEnv, BackendError> {
    // SAFETY: each call gets valid options and plain numbers.
    let threading = unsafe {
        let threading =
            ThreadingOptions::make(api, Doing::Init, |out| (api.CreateThreadingOptions)(out))?;
        let raw = threading.as_ptr();
        ort!(
            api,
            Doing::Init,
            SetGlobalIntraOpNumThreads(raw, settings.intra_threads)
        )?;
        ort!(
            api,
            Doing::Init,
            SetGlobalInterOpNumThreads(raw, settings.inter_threads)
        )?;
        // Spinning would burn the cores that the server's own thread needs.
        ort!(api, Doing::Init, SetGlobalSpinControl(raw, 0))?;
        threading
    };
    let host: *const Host = Box::leak(Box::new(host));
    let mut env = std::ptr::null_mut();
    // SAFETY: the log function and what it is given live for good; the name is a C string.
    unsafe {
        check(
            api,
            (api.CreateEnvWithCustomLoggerAndGlobalThreadPools)(
                log::function(),
                host.cast_mut().cast(),
                OrtLoggingLevel::ORT_LOGGING_LEVEL_WARNING,
                c"RedisAI".as_ptr(),
                threading.as_ptr(),
                &raw mut env,
            ),
            Doing::Init,
        )?;
    }
    Ok(env)
}

/// Whether the library was built with this execution provider.
fn has_provider(api: &'static OrtApi, wanted: &CStr) -> Result<bool, BackendError> {
    let mut names = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: the function writes an array of C strings and its length; it is given back once.
    unsafe {
        ort!(
            api,
            Doing::Init,
            GetAvailableProviders(&raw mut names, &raw mut count)
        )?;
        let found = (0..usize::try_from(count).unwrap_or(0))
            .any(|index| CStr::from_ptr(*names.add(index)) == wanted);
        ort!(api, Doing::Init, ReleaseAvailableProviders(names, count))?;
        Ok(found)
    }
}
