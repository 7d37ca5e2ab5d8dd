//! A framework's library: opened by path, its functions looked up by name.

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use redisai_core::{BackendError, Status};
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;

/// An opened library of a framework. It stays in the process for good, so what comes from it is
/// `'static`.
pub struct FrameworkLibrary {
    library: Library,
    /// What errors call the framework.
    name: &'static str,
    shown: String,
}

impl FrameworkLibrary {
    /// Opens the library at `path`. `package` is what pip installs, for the error.
    ///
    /// # Safety
    /// Opening a library runs its initialisers: the path is of the operator's environment, never of a
    /// client.
    pub unsafe fn open(
        name: &'static str,
        package: &str,
        path: &[u8],
    ) -> Result<Self, BackendError> {
        if path.is_empty() {
            return Err(unsupported(format!(
                "ERR {name} was not found: install it with `pip install {package}`"
            )));
        }
        // SAFETY: the caller's promise.
        let library =
            unsafe { Library::open(Some(OsStr::from_bytes(path)), RTLD_NOW | RTLD_LOCAL) };
        let library = library.map_err(|cause| {
            unsupported(format!("ERR could not load {name}: {}", reason(&cause)))
        })?;
        Ok(Self {
            library,
            name,
            shown: String::from_utf8_lossy(path).into_owned(),
        })
    }

    /// Whether the library has this symbol.
    pub fn has(&self, symbol: &CStr) -> bool {
        // SAFETY: the address is not used.
        unsafe { self.library.get::<usize>(symbol.to_bytes_with_nul()) }.is_ok()
    }

    /// A function of the library; an error that names it where there is none.
    ///
    /// # Safety
    /// `T` is the function pointer type of this symbol.
    pub unsafe fn function<T: Copy>(&self, symbol: &CStr) -> Result<T, BackendError> {
        // SAFETY: the caller's promise.
        let found = unsafe { self.library.get::<T>(symbol.to_bytes_with_nul()) };
        found.map(|function| *function).map_err(|_| {
            unsupported(format!(
                "ERR {} is not the {} that is needed: it has no {}",
                self.shown,
                self.name,
                symbol.to_string_lossy()
            ))
        })
    }

    /// Leaves the library in the process for good.
    pub fn keep(self) {
        std::mem::forget(self.library);
    }
}

/// The dynamic loader's own words.
fn reason(cause: &libloading::Error) -> String {
    use std::error::Error;
    cause
        .source()
        .map_or_else(|| cause.to_string(), ToString::to_string)
}

fn unsupported(text: String) -> BackendError {
    BackendError::new(Status::Unsupported, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_library_is_said() {
        let text = |path: &str| {
            // SAFETY: none of these is a library.
            let opened = unsafe { FrameworkLibrary::open("Frame", "frame", path.as_bytes()) };
            opened.err().expect("refused").text.into_owned()
        };
        assert!(text("").contains("pip install frame"));
        assert!(text("/nowhere/libframe.so").contains("/nowhere/libframe.so"));
        assert!(text(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).contains("Cargo.toml"));
    }

    #[test]
    fn a_missing_function_is_named() {
        // SAFETY: the C library's own mathematics, loaded in every process of ours.
        let library = unsafe { FrameworkLibrary::open("Frame", "frame", b"libm.so.6") }.unwrap();
        assert!(library.has(c"cos") && !library.has(c"FrameRun"));
        // SAFETY: cos has this type; the other is not there.
        let (cos, none) = unsafe {
            (
                library.function::<unsafe extern "C" fn(f64) -> f64>(c"cos"),
                library.function::<unsafe extern "C" fn()>(c"FrameRun"),
            )
        };
        // SAFETY: as above.
        assert!((unsafe { cos.unwrap()(0.0) } - 1.0).abs() < 1e-9);
        assert!(none.unwrap_err().text.contains("FrameRun"));
        library.keep();
    }
}
