//! What an exported library keeps.

use crate::guard::guard;
use crate::host::put_error;
use crate::{
    DLDataType, Host, RAI_CAN_BATCH, RAI_CAN_CANCEL, RAI_DYNAMIC_SHAPES, RAI_HAS_FUNCTIONS, RAI_OK,
    RaiBytes, RaiCapabilities, RaiInfo, RaiText,
};
use redisai_core::{Backend, BackendError, BackendInfo, LogLevel, Status};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// What a backend library keeps for the life of the process.
pub struct State {
    pub(super) host: OnceLock<Host>,
    pub(super) loaded: OnceLock<Loaded>,
    /// Keeps two calls of `init` apart.
    pub(super) init: Mutex<()>,
    poisoned: AtomicBool,
}

/// An initialised backend and what `init` told of it.
pub(super) struct Loaded {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) lists: Lists,
}

/// The lists of the capabilities in the form of the ABI.
pub(super) struct Lists {
    _info: Box<BackendInfo>,
    info: RaiInfo,
    _devices: Vec<RaiBytes>,
    _dtypes: Vec<DLDataType>,
    _formats: Vec<RaiBytes>,
}

// SAFETY: the pointers lead into the values beside them, which nobody changes.
unsafe impl Send for Lists {}
// SAFETY: as above.
unsafe impl Sync for Lists {}

impl State {
    /// The state of a library that nobody has entered yet.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            host: OnceLock::new(),
            loaded: OnceLock::new(),
            init: Mutex::new(()),
            poisoned: AtomicBool::new(false),
        }
    }

    pub(super) fn host(&self) -> Host {
        self.host.get().copied().unwrap_or_else(Host::system)
    }

    pub(super) fn backend(&self) -> Result<&dyn Backend, BackendError> {
        self.usable()?;
        let loaded = self.loaded.get().ok_or_else(|| {
            BackendError::new(Status::Unsupported, "ERR the backend is not initialised")
        })?;
        Ok(loaded.backend.as_ref())
    }

    pub(super) fn usable(&self) -> Result<(), BackendError> {
        if self.poisoned.load(Ordering::Acquire) {
            let text = "ERR the backend panicked before and is not used any more";
            return Err(BackendError::new(Status::Poisoned, text));
        }
        Ok(())
    }

    /// Runs work whose panic poisons the whole backend, and answers with a code.
    ///
    /// # Safety
    /// As [`put_error`].
    pub(super) unsafe fn guarded(
        &self,
        error: *mut RaiText,
        work: impl FnOnce() -> Result<(), BackendError>,
    ) -> i32 {
        let outcome = guard(work).unwrap_or_else(|panic| {
            self.poisoned.store(true, Ordering::Release);
            Err(poisoned("the backend", &panic))
        });
        // SAFETY: the caller's promise.
        outcome.map_or_else(|failure| unsafe { put_error(error, failure) }, |()| RAI_OK)
    }

    /// Runs work that has no way to report: a panic is logged.
    pub(super) fn quiet(&self, what: &str, work: impl FnOnce()) {
        if let Err(panic) = guard(work) {
            let host = self.host();
            host.log(LogLevel::Warning, &format!("panic in {what}: {panic}"));
        }
    }
}

pub(super) fn poisoned(what: &str, panic: &str) -> BackendError {
    let text = format!("ERR {what} panicked: {panic}");
    BackendError::new(Status::Poisoned, text)
}

impl Lists {
    pub(super) fn new(info: BackendInfo) -> Self {
        let info = Box::new(info);
        let can = &info.capabilities;
        let bytes = |texts: &[String]| -> Vec<RaiBytes> {
            texts.iter().map(|it| RaiBytes::of(it.as_bytes())).collect()
        };
        let (devices, formats) = (bytes(&can.devices), bytes(&can.formats));
        let dtypes: Vec<DLDataType> = can
            .dtypes
            .iter()
            .map(|&dtype| DLDataType::from_dtype(dtype))
            .collect();
        let flag = |set, bit| if set { bit } else { 0 };
        let capabilities = RaiCapabilities {
            flags: flag(can.batching, RAI_CAN_BATCH)
                | flag(can.cancellation, RAI_CAN_CANCEL)
                | flag(can.functions, RAI_HAS_FUNCTIONS)
                | flag(can.dynamic_shapes, RAI_DYNAMIC_SHAPES),
            max_concurrent_runs: can.max_concurrent_runs,
            min_align: can.min_align,
            tail_bytes: can.tail_bytes,
            reserved: 0,
            devices: devices.as_ptr(),
            n_devices: devices.len(),
            dtypes: dtypes.as_ptr(),
            n_dtypes: dtypes.len(),
            formats: formats.as_ptr(),
            n_formats: formats.len(),
        };
        let raw = RaiInfo {
            size: size_of::<RaiInfo>(),
            version: RaiBytes::of(info.version.as_bytes()),
            framework: RaiBytes::of(info.framework.as_bytes()),
            capabilities,
        };
        Self {
            _info: info,
            info: raw,
            _devices: devices,
            _dtypes: dtypes,
            _formats: formats,
        }
    }

    /// Writes as much as the host's struct holds; its `size` stays.
    ///
    /// # Safety
    /// `place` is null or the host's struct, its `size` set.
    pub(super) unsafe fn write(&self, place: *mut RaiInfo) {
        if place.is_null() {
            return;
        }
        // SAFETY: the host's struct has `size` bytes; ours is read as bytes only up to its own size.
        unsafe {
            let size = (*place).size;
            let len = size.min(size_of::<RaiInfo>());
            place
                .cast::<u8>()
                .copy_from_nonoverlapping((&raw const self.info).cast(), len);
            (*place).size = size;
        }
    }
}
