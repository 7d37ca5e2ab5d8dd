//! Owned objects of the C API.

use crate::error::{Doing, from_status};
use crate::sys::{Api, Raw};
use redisai_core::BackendError;
use std::ffi::CStr;
use std::ptr::NonNull;

/// An owned object that is released when dropped.
macro_rules! owned {
    ($(#[$doc:meta])* $name:ident, $release:ident) => {
        $(#[$doc])*
        pub(crate) struct $name {
            api: &'static Api,
            raw: NonNull<std::ffi::c_void>,
        }

        impl $name {
            /// Takes `raw` over; none for null.
            ///
            /// # Safety
            /// `raw` is null, or valid and nobody else releases it.
            pub(crate) unsafe fn take(api: &'static Api, raw: Raw) -> Option<Self> {
                NonNull::new(raw).map(|raw| Self { api, raw })
            }

            /// The pointer, valid as long as `self`.
            pub(crate) fn as_ptr(&self) -> Raw {
                self.raw.as_ptr()
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: owned by `self`, valid, released only here.
                unsafe { (self.api.$release)(self.raw.as_ptr()) }
            }
        }

        // SAFETY: the C API ties none of its objects to a thread, and locks a graph itself.
        unsafe impl Send for $name {}
        // SAFETY: likewise.
        unsafe impl Sync for $name {}
    };
}

owned!(
    /// A graph. It must outlive its sessions.
    Graph,
    delete_graph
);
owned!(
    /// Options of an import.
    ImportOptions,
    delete_import_options
);
owned!(
    /// Options of a session.
    SessionOptions,
    delete_options
);
owned!(
    /// The devices of a session.
    Devices,
    delete_devices
);
owned!(
    /// A tensor of TensorFlow.
    Value,
    delete_tensor
);
owned!(
    /// What a call said. A fresh one for each: not every success clears it.
    Status,
    delete_status
);

impl Status {
    /// A status that says nothing yet.
    pub(crate) fn new(api: &'static Api) -> Option<Self> {
        // SAFETY: takes nothing; the status is ours.
        unsafe { Self::take(api, (api.new_status)()) }
    }

    fn outcome(&self, doing: Doing) -> Result<(), BackendError> {
        // SAFETY: the status is valid.
        let code = unsafe { (self.api.code)(self.as_ptr()) };
        if code == 0 {
            return Ok(());
        }
        // SAFETY: a C string that lives as long as the status.
        let text = unsafe { CStr::from_ptr((self.api.message)(self.as_ptr())) };
        Err(from_status(
            code,
            text.to_string_lossy().into_owned(),
            doing,
        ))
    }
}

/// Makes a call with a status of its own.
pub(crate) fn check<T>(
    api: &'static Api,
    doing: Doing,
    call: impl FnOnce(Raw) -> T,
) -> Result<T, BackendError> {
    let status = Status::new(api).ok_or_else(|| redisai_backend_abi::no_memory(0))?;
    let result = call(status.as_ptr());
    status.outcome(doing)?;
    Ok(result)
}
