//! Sessions: how they are set up, and where they run.

use crate::environment::Environment;
use crate::error::{Doing, NO_CUDA, NO_DEVICE, bad_model, unsupported};
use crate::handles::{Devices, Graph, SessionOptions, check};
use crate::proto::{Config, GpuOptions, GraphOptions, OptimizerOptions, RewriterConfig};
use crate::survey::Survey;
use crate::sys::Raw;
use prost::Message;
use redisai_backend_abi::no_memory;
use redisai_core::{BackendError, Device, DeviceKind};
use std::ffi::{CStr, CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering};

/// A session and its graph.
pub(crate) struct Session {
    environment: &'static Environment,
    raw: NonNull<std::ffi::c_void>,
    closed: AtomicBool,
    pub(crate) graph: Graph,
}

// SAFETY: any number of threads may run a session, and close it meanwhile.
unsafe impl Send for Session {}
// SAFETY: likewise.
unsafe impl Sync for Session {}

impl Session {
    /// A session of a graph.
    pub(crate) fn of_graph(
        environment: &'static Environment,
        graph: Graph,
        device: &Device,
        survey: Survey,
    ) -> Result<Self, BackendError> {
        let api = environment.api;
        let options = options(environment, device, survey)?;
        // SAFETY: both are valid; the session is ours, and goes before its graph.
        let raw = check(api, Doing::Load, |status| unsafe {
            (api.new_session)(graph.as_ptr(), options.as_ptr(), status)
        })?;
        Self::take(environment, raw, graph, device)
    }

    /// The session of a SavedModel in a directory, which may go afterwards.
    pub(crate) fn of_folder(
        environment: &'static Environment,
        folder: &Path,
        device: &Device,
        survey: Survey,
    ) -> Result<Self, BackendError> {
        let api = environment.api;
        let graph = crate::graph::new(environment)?;
        let options = options(environment, device, survey)?;
        let folder = CString::new(folder.as_os_str().as_bytes()).unwrap_or_default();
        let tags: [*const c_char; 1] = [c"serve".as_ptr()];
        // SAFETY: everything is valid and lives during the call; the session is ours, and goes before
        // its graph.
        let raw = check(api, Doing::Load, |status| unsafe {
            (api.load_saved)(
                options.as_ptr(),
                std::ptr::null(),
                folder.as_ptr(),
                tags.as_ptr(),
                1,
                graph.as_ptr(),
                std::ptr::null_mut(),
                status,
            )
        })?;
        Self::take(environment, raw, graph, device)
    }

    fn take(
        environment: &'static Environment,
        raw: Raw,
        graph: Graph,
        device: &Device,
    ) -> Result<Self, BackendError> {
        let raw = NonNull::new(raw).ok_or_else(|| bad_model("ERR TensorFlow made no session"))?;
        let session = Self {
            environment,
            raw,
            closed: AtomicBool::new(false),
            graph,
        };
        if matches!(device.kind(), DeviceKind::Gpu(_)) && !session.has_gpu()? {
            return Err(unsupported(NO_CUDA));
        }
        Ok(session)
    }

    fn has_gpu(&self) -> Result<bool, BackendError> {
        let api = self.environment.api;
        // SAFETY: the session is valid; the list is ours.
        let list = check(api, Doing::Load, |status| unsafe {
            Devices::take(api, (api.list_devices)(self.as_ptr(), status))
        })?;
        let Some(list) = list else { return Ok(false) };
        // SAFETY: the list is valid.
        let count = unsafe { (api.num_devices)(list.as_ptr()) };
        Ok((0..count).any(|index| {
            // SAFETY: an index of the list; a C string that lives as long as it.
            check(api, Doing::Load, |status| unsafe {
                let kind = (api.device_type)(list.as_ptr(), index, status);
                !kind.is_null() && CStr::from_ptr(kind) == c"GPU"
            })
            .unwrap_or(false)
        }))
    }

    /// The session, valid as long as `self`.
    pub(crate) fn as_ptr(&self) -> Raw {
        self.raw.as_ptr()
    }

    /// Ends all runs of the session, which then takes no more.
    pub(crate) fn close(&self) {
        if self.closed.swap(true, Ordering::AcqRel) {
            return;
        }
        let api = self.environment.api;
        // SAFETY: the session is valid. Nothing can be done about an error.
        let _ = check(api, Doing::Run, |status| unsafe {
            (api.close_session)(self.as_ptr(), status);
        });
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.close();
        let api = self.environment.api;
        // SAFETY: no run is going on, for a run borrows the session; deleted once.
        let _ = check(api, Doing::Run, |status| unsafe {
            (api.delete_session)(self.as_ptr(), status);
        });
    }
}

fn options(
    environment: &'static Environment,
    device: &Device,
    survey: Survey,
) -> Result<SessionOptions, BackendError> {
    let api = environment.api;
    let mut config = config(environment, device)?;
    config.graph = Some(rewriting(survey));
    let config = config.encode_to_vec();
    // SAFETY: takes nothing; the options are ours.
    let options = unsafe { SessionOptions::take(api, (api.new_options)()) };
    let options = options.ok_or_else(|| no_memory(0))?;
    // SAFETY: both are valid; the bytes are copied.
    check(api, Doing::Load, |status| unsafe {
        (api.set_config)(
            options.as_ptr(),
            config.as_ptr().cast(),
            config.len(),
            status,
        );
    })?;
    Ok(options)
}

/// How TensorFlow may rewrite a graph.
fn rewriting(survey: Survey) -> GraphOptions {
    const NO_FOLDING: i32 = -1;
    const OFF: i32 = 2;
    // It is at their conditions that loops see that they were cancelled, and TensorFlow would fold one
    // that is always true.
    let (optimizer, constant_folding) = if survey.loops {
        (Some(OptimizerOptions { level: NO_FOLDING }), OFF)
    } else {
        (None, 0)
    };
    // A product that was joined with its bias keeps its weights in a layout for the rows of the first
    // run, and lays them out anew in every run of other sizes (oneDNN). Convolutions gain by joining.
    let remapping = if survey.convolves { 0 } else { OFF };
    GraphOptions {
        optimizer,
        rewrites: Some(RewriterConfig {
            constant_folding,
            remapping,
        }),
    }
}

fn config(environment: &Environment, device: &Device) -> Result<Config, BackendError> {
    let mut config = Config {
        intra_threads: environment.intra_threads,
        inter_threads: environment.inter_threads,
        ..Config::default()
    };
    match device.kind() {
        DeviceKind::Cpu => {
            config.device_count.insert("GPU".to_owned(), 0);
        }
        DeviceKind::Gpu(index) => {
            config.gpu = Some(GpuOptions {
                allow_growth: true,
                visible_device_list: index.to_string(),
            });
        }
        DeviceKind::Unknown => return Err(unsupported(NO_DEVICE)),
    }
    Ok(config)
}
