//! TensorFlow's library and how its sessions are set up.

use crate::sys::Api;
use redisai_backend_abi::{Host, InitOptions, Settings};
use redisai_core::{BackendError, BackendKind};

/// The library, which stays for good.
pub(crate) struct Environment {
    pub(crate) api: &'static Api,
    pub(crate) host: Host,
    /// Path of the library.
    pub(crate) framework: String,
    /// The library's version.
    pub(crate) version: String,
    /// Threads that share the work of one operation.
    pub(crate) intra_threads: i32,
    /// Threads of TensorFlow's pool, for the runs that may last.
    pub(crate) inter_threads: i32,
}

impl Environment {
    /// Opens the library of the `framework` pair.
    pub(crate) fn leak(host: Host, options: &InitOptions) -> Result<&'static Self, BackendError> {
        let settings = Settings::read(BackendKind::Tf.name(), options)?;
        let api: &'static Api = Box::leak(Box::new(Api::open(&settings.framework)?));
        // With one thread a second run would wait for the first.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = i32::try_from(cores).unwrap_or(1);
        Ok(Box::leak(Box::new(Self {
            api,
            host,
            framework: String::from_utf8_lossy(&settings.framework).into_owned(),
            version: api.version_text(),
            intra_threads: settings.intra_threads,
            inter_threads: settings.inter_threads.max(cores).max(4),
        })))
    }
}
