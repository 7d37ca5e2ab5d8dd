//! Options of a compilation: small texts of `key = value` lines.

use crate::environment::{CPU, Environment};
use crate::error::unsupported;
use crate::handles::Options;
use redisai_core::BackendError;
use std::ffi::{CStr, CString, c_char, c_void};

/// Fresh options, for one compilation: LiteRT writes to them.
pub(crate) fn make(environment: &'static Environment) -> Result<Options, BackendError> {
    let api = environment.api;
    // SAFETY: the function writes options that the caller owns.
    let options = unsafe { Options::make(api, |out| (api.create_options)(out)) }.map_err(failed)?;
    // SAFETY: the options are valid.
    check(unsafe { (api.set_accelerators)(options.as_ptr(), CPU) })?;
    let threads = format!("num_threads = {}\n", environment.threads);
    add(environment, &options, c"xnnpack", threads)?;
    // Error texts are kept, to be asked for, instead of printed.
    let reporter = "error_reporter_mode = 2\n".to_owned();
    add(environment, &options, c"runtime_options_string", reporter)?;
    Ok(options)
}

fn add(
    environment: &'static Environment,
    options: &Options,
    id: &CStr,
    text: String,
) -> Result<(), BackendError> {
    let api = environment.api;
    let text = CString::new(text).unwrap_or_default().into_raw();
    let mut opaque = std::ptr::null_mut();
    // SAFETY: the id is a C string that is copied; the text is given away with what frees it.
    let status =
        unsafe { (api.create_opaque)(id.as_ptr(), text.cast(), free_text, &raw mut opaque) };
    if status != 0 {
        // SAFETY: not taken.
        unsafe { free_text(text.cast()) };
        return check(status);
    }
    // SAFETY: both are valid; the second belongs to the first from here on.
    check(unsafe { (api.add_opaque)(options.as_ptr(), opaque) })
}

/// Frees a text of [`add`].
unsafe extern "C" fn free_text(text: *mut c_void) {
    // SAFETY: from `CString::into_raw`, given back once.
    drop(unsafe { CString::from_raw(text.cast::<c_char>()) });
}

fn check(status: i32) -> Result<(), BackendError> {
    if status == 0 {
        Ok(())
    } else {
        Err(failed(status))
    }
}

fn failed(status: i32) -> BackendError {
    unsupported(format!("ERR LiteRT refused its options (status {status})"))
}
