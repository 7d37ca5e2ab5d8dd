//! libtorch's libraries and the shim: opened in order, each checked before the next.
//!
//! A shim that was built for another minor version of torch may load and then use wrong memory, so the
//! version is asked first, through a function in plain C.

use crate::error::unsupported;
use crate::{shim, sys};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use redisai_core::BackendError;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// The oldest that this backend is tested with. With 2.11 a script that is refused elsewhere ended the
/// process.
const OLDEST: (u32, u32) = (2, 13);

const VERSION: &CStr = c"aoti_torch_abi_version";
const ENTRY: &CStr = c"redisai_torch_shim";

/// The opened libraries. They stay in the process for good.
pub(crate) struct Libtorch {
    pub(crate) table: &'static sys::Table,
    /// Such as `2.15.0`.
    pub(crate) version: String,
}

impl Libtorch {
    /// Opens libtorch at `path` (its `libtorch_cpu.so`) and the shim for its version.
    pub(crate) fn open(path: &[u8]) -> Result<Self, BackendError> {
        let shown = String::from_utf8_lossy(path);
        if path.is_empty() {
            return Err(unsupported(
                "ERR PyTorch was not found: install it with `pip install torch`",
            ));
        }
        wait_without_spinning();
        let path = Path::new(OsStr::from_bytes(path));
        if let Some(folder) = path.parent() {
            // What is not there is told by what needs it.
            let _ = open(&folder.join("libc10.so"));
            // Torch looks for CUDA once. Without a driver its library would only take memory.
            let cuda = folder.join("libtorch_cuda.so");
            if cuda.is_file() && open(Path::new("libcuda.so.1")).is_ok() {
                open(&cuda)?;
            }
        }
        let torch = open(path)?;
        let version = version_of(torch).ok_or_else(|| {
            unsupported(format!(
                "ERR {shown} does not say which PyTorch it is; 2.13 or newer is needed"
            ))
        })?;
        let [major, minor, patch] = version;
        if (major, minor) < OLDEST {
            return Err(unsupported(format!(
                "ERR PyTorch {major}.{minor}.{patch} at {shown} is too old: {}.{} or newer is needed",
                OLDEST.0, OLDEST.1
            )));
        }
        let file = shim::find(major, minor)?;
        let library = open(&file)?;
        let refused = |why: &str| unsupported(format!("ERR {} {why}", file.display()));
        // SAFETY: the symbol's type is the header's, and the header's hash is in the file's name.
        let entry = unsafe {
            library.get::<unsafe extern "C" fn() -> *const sys::Table>(ENTRY.to_bytes_with_nul())
        }
        .map_err(|_| refused("is no shim of this project"))?;
        // SAFETY: takes nothing, gives a static table.
        let table = unsafe { entry().as_ref() }.ok_or_else(|| refused("gives no functions"))?;
        let built_for = (
            table.torch_major.cast_unsigned(),
            table.torch_minor.cast_unsigned(),
        );
        if table.size != size_of::<sys::Table>() || built_for != (major, minor) {
            return Err(refused("was built for another torch"));
        }
        Ok(Self {
            table,
            version: format!("{major}.{minor}.{patch}"),
        })
    }
}

/// Packages are linked to `libtorch.so`, which holds nothing but brings CUDA's libraries along.
pub(crate) fn open_for_packages(path: &[u8]) -> Result<(), BackendError> {
    static OPENED: Mutex<bool> = Mutex::new(false);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*opened {
        let path = Path::new(OsStr::from_bytes(path));
        let folder = path.parent().unwrap_or(Path::new(""));
        open(&folder.join("libtorch.so"))?;
        *opened = true;
    }
    Ok(())
}

/// Keeps OpenMP's threads from spinning between two operators: the server's own thread needs the cores.
/// OpenMP reads it when it is loaded.
fn wait_without_spinning() {
    // SAFETY: both are C strings. Other threads may read the environment meanwhile: this happens once a
    // process, and the C library leaves the list that they read in place. A value that the operator has
    // set is kept.
    unsafe { libc::setenv(c"OMP_WAIT_POLICY".as_ptr(), c"passive".as_ptr(), 0) };
}

/// Opens a library for good.
fn open(path: &Path) -> Result<&'static Library, BackendError> {
    // SAFETY: opening a library runs its initialisers; torch's touch nothing of ours. The path comes
    // from the operator's environment, never from a client.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    match library {
        Ok(library) => Ok(Box::leak(Box::new(library))),
        Err(cause) => Err(unsupported(format!(
            "ERR could not load PyTorch: {}",
            reason(&cause)
        ))),
    }
}

/// Major, minor and patch, where the library says them.
fn version_of(torch: &Library) -> Option<[u32; 3]> {
    // SAFETY: a plain C function since torch 2.4: `uint64_t aoti_torch_abi_version(void)`.
    let number = unsafe {
        let ask = torch.get::<unsafe extern "C" fn() -> u64>(VERSION.to_bytes_with_nul());
        (ask.ok()?)()
    };
    let byte = |shift: u32| (number >> shift) as u32 & 0xff;
    Some([byte(56), byte(48), byte(40)])
}

/// The dynamic loader's own words.
fn reason(cause: &libloading::Error) -> String {
    use std::error::Error;
    cause
        .source()
        .map_or_else(|| cause.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_torch_is_said() {
        let text = |path: &str| {
            let opened = Libtorch::open(path.as_bytes());
            opened.err().expect("refused").text.into_owned()
        };
        assert!(text("").contains("pip install torch"));
        assert!(text("/nowhere/libtorch_cpu.so").contains("/nowhere/libtorch_cpu.so"));
        assert!(text(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).contains("Cargo.toml"));
        assert!(text("libm.so.6").contains("2.13 or newer"));
    }
}
