//! LiteRT's library and its environment.

use crate::error::unsupported;
use crate::sys::{Any, Api, Raw, Tagged};
use redisai_backend_abi::{Host, InitOptions, RAI_OPTION_INTRA_OP_THREADS, Settings};
use redisai_core::{BackendError, BackendKind};
use std::ffi::{OsStr, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Tags of the environment's options: which accelerators to look for, and the least severe line that
/// the log shows.
const ACCELERATORS: c_int = 24;
const LOG_SEVERITY: c_int = 25;
/// The kind of an option's value.
const WHOLE_NUMBER: c_int = 2;
/// The processor, as a bit.
pub(crate) const CPU: c_int = 1;
/// No line at all: LiteRT knows no log but stderr.
const SILENT: i64 = 4;

/// The library and an environment of it, which stay for good.
pub(crate) struct Environment {
    pub(crate) api: &'static Api,
    pub(crate) host: Host,
    /// Path of the library.
    pub(crate) framework: String,
    /// The library's version, or `NA`.
    pub(crate) version: String,
    /// Threads of each compiled model.
    pub(crate) threads: i32,
    raw: Raw,
}

// SAFETY: the environment is only read once it is made.
unsafe impl Send for Environment {}
// SAFETY: likewise.
unsafe impl Sync for Environment {}

impl Environment {
    /// Opens the library of the `framework` pair and makes an environment.
    pub(crate) fn leak(host: Host, options: &InitOptions) -> Result<&'static Self, BackendError> {
        let settings = Settings::read(BackendKind::TfLite.name(), options)?;
        // LiteRT has no threads that models share: one each, unless somebody asks for more.
        let asked = options.number(RAI_OPTION_INTRA_OP_THREADS).unwrap_or(0) > 0;
        let threads = if asked { settings.intra_threads } else { 1 };
        let api: &'static Api = Box::leak(Box::new(Api::open(&settings.framework)?));
        let raw = make(api)?;
        Ok(Box::leak(Box::new(Self {
            api,
            host,
            framework: String::from_utf8_lossy(&settings.framework).into_owned(),
            version: version_beside(Path::new(OsStr::from_bytes(&settings.framework))),
            threads,
            raw,
        })))
    }

    /// The environment.
    pub(crate) fn as_ptr(&self) -> Raw {
        self.raw
    }
}

fn make(api: &Api) -> Result<Raw, BackendError> {
    let option = |tag, value| Tagged {
        tag,
        any: Any {
            kind: WHOLE_NUMBER,
            value,
        },
    };
    // Without the first it would look for libraries of GPUs, which takes milliseconds.
    let options = [
        option(ACCELERATORS, i64::from(CPU)),
        option(LOG_SEVERITY, SILENT),
    ];
    let mut raw = std::ptr::null_mut();
    // SAFETY: two options are given, and a place for the environment.
    let status = unsafe { (api.create_environment)(2, options.as_ptr(), &raw mut raw) };
    if status != 0 || raw.is_null() {
        return Err(unsupported(format!(
            "ERR LiteRT made no environment (status {status})"
        )));
    }
    Ok(raw)
}

/// The version by the record of the wheel that brought the library, which cannot tell it itself.
fn version_beside(library: &Path) -> String {
    let site = library.parent().and_then(Path::parent);
    let entries = site.and_then(|site| std::fs::read_dir(site).ok());
    entries
        .into_iter()
        .flatten()
        .flatten()
        .find_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.strip_suffix(".dist-info")?;
            Some(version.strip_prefix("ai_edge_litert-")?.to_owned())
        })
        .unwrap_or_else(|| "NA".to_owned())
}
