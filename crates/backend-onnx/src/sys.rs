//! ONNX Runtime's library: opened, checked, and its function table.
//!
//! Only the types of `ort-sys` are used, with our own `dlopen`: the `ort` crate deadlocks in its IO
//! bindings, wants `&mut` to run, takes no binary strings and drops its environment for good.
//!
//! Enumerations of the C API are read as plain integers: a newer library may return a value that the
//! Rust `enum` has not, and that would be undefined behaviour.

use crate::error::{self, Doing, unsupported};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use ort_sys::{OrtApi, OrtApiBase, OrtStatus, OrtStatusPtr};
use redisai_core::BackendError;
use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

/// The version of the function table that we ask for; every library since 1.17 has it.
pub(crate) const API_VERSION: u32 = 17;

/// The oldest library that this backend is tested with.
const OLDEST: (u32, u32) = (1, 20);

/// libstdc++'s `std::__throw_runtime_error(char const*)`.
const THROW: &CStr = c"_ZSt21__throw_runtime_errorPKc";

/// Throws a C++ `std::runtime_error` of that text; it copies the text.
pub(crate) type Throw = unsafe extern "C-unwind" fn(*const c_char) -> !;

/// An opened library. It stays in the process for good, so the table is `'static`.
pub(crate) struct Ort {
    api: &'static OrtApi,
    throw: Throw,
    version: String,
    number: (u32, u32),
}

impl Ort {
    /// Opens the library at `path` and checks its version.
    pub(crate) fn open(path: &[u8]) -> Result<Self, BackendError> {
        let shown = String::from_utf8_lossy(path);
        if path.is_empty() {
            return Err(unsupported(
                "ERR ONNX Runtime was not found: install it with `pip install onnxruntime`",
            ));
        }
        // SAFETY: opening a library runs its initialisers; ONNX Runtime's touch nothing of ours. The
        // path comes from the operator's environment, never from a client.
        let library =
            unsafe { Library::open(Some(OsStr::from_bytes(path)), RTLD_NOW | RTLD_LOCAL) }
                .map_err(|cause| {
                    unsupported(format!(
                        "ERR could not load ONNX Runtime: {}",
                        reason(&cause)
                    ))
                })?;
        // SAFETY: the type is the C API's own since its first version.
        let base = unsafe {
            library.get::<unsafe extern "C" fn() -> *const OrtApiBase>(
                c"OrtGetApiBase".to_bytes_with_nul(),
            )
        }
        .map_err(|_| {
            unsupported(format!(
                "ERR {shown} is not ONNX Runtime: it has no OrtGetApiBase"
            ))
        })?;
        // SAFETY: the function takes nothing and returns a pointer to a static table, or null.
        let base = unsafe { base().as_ref() }
            .ok_or_else(|| unsupported(format!("ERR {shown} has no API of ONNX Runtime")))?;
        let version = library_version(base);
        let number = check_version(&version, &shown)?;
        // SAFETY: asked only after the version said that the library has this table.
        let api = unsafe { (base.GetApi)(API_VERSION).as_ref() }.ok_or_else(|| {
            unsupported(format!(
                "ERR ONNX Runtime {version} at {shown} refused its own API {API_VERSION}"
            ))
        })?;
        let throw = find_throw(&library, &shown)?;
        // The table and all that comes from it live as long as the process: never unloaded.
        std::mem::forget(library);
        Ok(Self {
            api,
            throw,
            version,
            number,
        })
    }

    /// The function table.
    pub(crate) fn api(&self) -> &'static OrtApi {
        self.api
    }

    /// How to throw what ONNX Runtime catches.
    pub(crate) fn throw(&self) -> Throw {
        self.throw
    }

    /// Whether the library is of this version or a newer one.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.number >= (major, minor)
    }

    /// The library's version, such as `1.22.1`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }
}

/// The dynamic loader's own words.
fn reason(cause: &libloading::Error) -> String {
    use std::error::Error;
    cause
        .source()
        .map_or_else(|| cause.to_string(), ToString::to_string)
}

/// The library's word for its version; empty if it has none.
fn library_version(base: &OrtApiBase) -> String {
    // SAFETY: takes nothing; returns a static C string or null.
    let text = unsafe { (base.GetVersionString)() };
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and a C string that is never freed.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}

/// Refuses a library that is too old. Asking `GetApi` instead would make the library print to stderr.
fn check_version(version: &str, path: &str) -> Result<(u32, u32), BackendError> {
    let mut parts = version.split('.').map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        return Err(unsupported(format!(
            "ERR {path} says no version of ONNX Runtime: {version:?}"
        )));
    };
    if (major, minor) < OLDEST {
        return Err(unsupported(format!(
            "ERR ONNX Runtime {version} at {path} is too old: {}.{} or newer is needed",
            OLDEST.0, OLDEST.1
        )));
    }
    Ok((major, minor))
}

/// libstdc++'s throwing function, from the library that ONNX Runtime itself uses.
fn find_throw(library: &Library, path: &str) -> Result<Throw, BackendError> {
    // SAFETY: the mangled name fixes the signature: `void (char const*)`, which never returns.
    let found = unsafe { library.get::<Throw>(THROW.to_bytes_with_nul()) };
    found.map(|symbol| *symbol).map_err(|_| {
        unsupported(format!(
            "ERR {path} does not use the C++ library libstdc++, without which its memory cannot be limited"
        ))
    })
}

/// An error of ONNX Runtime, or nothing. Takes the status over and releases it.
pub(crate) fn check(api: &OrtApi, status: OrtStatusPtr, doing: Doing) -> Result<(), BackendError> {
    if status.0.is_null() {
        return Ok(());
    }
    // SAFETY: `OrtErrorCode` is `repr(i32)`, so the two function types differ only in how the caller
    // reads the register; as an integer every value is valid.
    let get_code = unsafe {
        std::mem::transmute::<
            unsafe extern "system" fn(*const OrtStatus) -> ort_sys::OrtErrorCode,
            unsafe extern "system" fn(*const OrtStatus) -> i32,
        >(api.GetErrorCode)
    };
    // SAFETY: a status that is not null is ours until it is released, below.
    let code = unsafe { get_code(status.0) };
    // SAFETY: likewise; the text is a C string that lives as long as the status.
    let text = unsafe { CStr::from_ptr((api.GetErrorMessage)(status.0)) }
        .to_string_lossy()
        .into_owned();
    // SAFETY: released once, and not used again.
    unsafe { (api.ReleaseStatus)(status.0) };
    Err(error::from_status(code, text, doing))
}

/// Calls one function of the table. The caller's `unsafe` block covers the arguments.
macro_rules! ort {
    ($api:expr, $doing:expr, $function:ident($($argument:expr),* $(,)?)) => {
        $crate::sys::check($api, ($api.$function)($($argument),*), $doing)
    };
}
pub(crate) use ort;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_before_anything_is_asked() {
        assert!(check_version("1.20.1", "x").is_ok());
        assert!(check_version("1.32.0", "x").is_ok());
        assert!(check_version("2.0.0-rc1", "x").is_ok());
        for (version, part) in [
            ("1.19.2", "too old"),
            ("0.30", "too old"),
            ("", "says no version"),
            ("x.y", "says no version"),
        ] {
            let error = check_version(version, "/lib/x.so").unwrap_err();
            assert!(
                error.text.contains(part) && error.text.contains("/lib/x.so"),
                "{error}"
            );
        }
    }

    #[test]
    fn what_is_no_library_is_said() {
        let text = |path: &str| {
            Ort::open(path.as_bytes())
                .err()
                .expect("refused")
                .text
                .into_owned()
        };
        assert!(text("").contains("pip install onnxruntime"));
        assert!(text("/nowhere/libonnxruntime.so").contains("/nowhere/libonnxruntime.so"));
        assert!(text(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).contains("Cargo.toml"));
        assert!(text("libm.so.6").contains("no OrtGetApiBase"));
    }
}
