//! Owned objects of the C API.

use crate::sys::{Api, Raw};
use std::ffi::{CStr, c_char};

/// An owned object that is released when dropped.
macro_rules! owned {
    ($(#[$doc:meta])* $name:ident, $release:ident) => {
        $(#[$doc])*
        pub(crate) struct $name {
            api: &'static Api,
            raw: std::ptr::NonNull<std::ffi::c_void>,
        }

        impl $name {
            /// Makes one with a function that writes it to a pointer; LiteRT's status where it fails.
            ///
            /// # Safety
            /// What the function writes on success is valid and owned by the caller.
            pub(crate) unsafe fn make(
                api: &'static Api,
                function: impl FnOnce(*mut Raw) -> i32,
            ) -> Result<Self, i32> {
                let mut raw: Raw = std::ptr::null_mut();
                match function(&raw mut raw) {
                    0 => std::ptr::NonNull::new(raw).map(|raw| Self { api, raw }).ok_or(0),
                    status => Err(status),
                }
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

        // SAFETY: the C API ties none of its objects to a thread. A model is only read; a compiled
        // model is used by one thread at a time, since all that changes it takes `&mut`.
        unsafe impl Send for $name {}
        // SAFETY: likewise.
        unsafe impl Sync for $name {}
    };
}

owned!(
    /// A parsed model. Its bytes must outlive it.
    Model,
    destroy_model
);
owned!(
    /// A model that can run. It must go before its model does.
    Compiled,
    destroy_compiled
);
owned!(
    /// Options of a compilation.
    Options,
    destroy_options
);
owned!(
    /// Memory of ours as an input or output of one run. The memory must outlive it.
    TensorBuffer,
    destroy_buffer
);

/// A copy of a C string; empty for null.
///
/// # Safety
/// `text` is null or a C string.
pub(crate) unsafe fn text_of(text: *const c_char) -> Box<[u8]> {
    if text.is_null() {
        return Box::default();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_bytes().into()
}
