//! libtorch as the process has it: opened and set up once, for good.

use crate::error::{Doing, FORBIDDEN, from_shim, unsupported};
use crate::libtorch::{self, Libtorch};
use crate::package;
use crate::sys::{self, Table, Text};
use crate::{callbacks, log, memory};
use redisai_backend_abi::{CountedMemory, Host, Settings};
use redisai_core::BackendError;
use std::ffi::{c_char, c_int};
use std::sync::{Mutex, PoisonError};

/// libtorch, set up.
pub(crate) struct Torch {
    pub(crate) table: &'static Table,
    pub(crate) version: String,
    pub(crate) settings: Settings,
    pub(crate) host: Host,
    pub(crate) memory: &'static CountedMemory,
    /// CUDA devices that torch can use.
    pub(crate) cuda_devices: u32,
}

static TORCH: Mutex<Option<&'static Torch>> = Mutex::new(None);

impl Torch {
    /// The process's libtorch, opened on the first call.
    pub(crate) fn get(host: Host, settings: Settings) -> Result<&'static Self, BackendError> {
        let mut slot = TORCH.lock().unwrap_or_else(PoisonError::into_inner);
        match *slot {
            Some(made) if made.settings == settings => Ok(made),
            Some(_) => Err(unsupported(
                "ERR PyTorch is already set up in this process, with other options",
            )),
            None => {
                let made: &'static Self = Box::leak(Box::new(Self::make(host, settings)?));
                *slot = Some(made);
                Ok(made)
            }
        }
    }

    /// Opens what packages are linked to, and turns their checks on.
    pub(crate) fn prepare_packages(&self) -> Result<(), BackendError> {
        libtorch::open_for_packages(&self.settings.framework)
    }

    fn make(host: Host, settings: Settings) -> Result<Self, BackendError> {
        let Libtorch { table, version } = Libtorch::open(&settings.framework)?;
        let memory = memory::set(CountedMemory::new(host, settings.memory_limit));
        if settings.native_models {
            package::checks_on();
        }
        log::set(host);
        callbacks::set(host, table);
        let forbidden: [*const c_char; FORBIDDEN.len()] = FORBIDDEN.map(std::ffi::CStr::as_ptr);
        let setup = sys::RawSetup {
            host: &raw const callbacks::TABLE,
            intra_op_threads: settings.intra_threads,
            inter_op_threads: settings.inter_threads,
            forbidden: forbidden.as_ptr(),
            n_forbidden: forbidden.len(),
        };
        // SAFETY: everything in the setup lives through the call, the host's table for ever.
        check(Doing::Setup, |error| unsafe {
            (table.setup)(&raw const setup, error)
        })?;
        let mut devices: c_int = 0;
        // SAFETY: the place is ours.
        check(Doing::Setup, |error| unsafe {
            (table.cuda_devices)(&raw mut devices, error)
        })?;
        Ok(Self {
            table,
            version,
            settings,
            host,
            memory,
            cuda_devices: u32::try_from(devices).unwrap_or(0),
        })
    }
}

/// Calls a function of the shim that gives a code and a text.
pub(crate) fn check(
    doing: Doing,
    call: impl FnOnce(*mut Text) -> c_int,
) -> Result<(), BackendError> {
    let mut text = Text::EMPTY;
    let code = call(&raw mut text);
    if code == sys::OK {
        return Ok(());
    }
    // SAFETY: the shim filled it, or it is empty.
    let text = unsafe { text.take() };
    Err(from_shim(code, &text, doing))
}
