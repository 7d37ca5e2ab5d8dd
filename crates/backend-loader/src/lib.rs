//! Finds a backend library and its framework, loads them, and puts core's traits over the table.
//!
//! One library exports one symbol that gives one table (`redisai-backend-abi`). The alternative, a
//! symbol for each function as in RedisAI, was refused: what is missing shows only when it is called.
//!
//! Libraries are opened with `RTLD_NOW | RTLD_LOCAL` and never unloaded: frameworks start threads and
//! register what outlives them. Signal handlers are put back after each load. Every error says in
//! words what was looked for, where, and what to do.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod aligned;
mod discover;
mod elf;
mod error;
mod frameworks;
mod host;
mod library;
mod loader;
mod mapped;
mod places;
mod proxy;
mod signals;

pub use discover::Discovery;
pub use error::{LoadError, Reason};
pub use host::can_have;
pub use loader::{Loader, LoaderConfig, is_below};
pub use places::Environment;

/// Names of the pairs that [`LoaderConfig::options`] may hold.
pub use redisai_backend_abi::{
    RAI_OPTION_EXECUTION_TIMEOUT_MS, RAI_OPTION_INTER_OP_THREADS, RAI_OPTION_INTRA_OP_THREADS,
    RAI_OPTION_MEMORY_LIMIT, RAI_OPTION_NATIVE_MODELS,
};

/// DLPack, in which tensors cross into another library of the process: structs and conversions.
pub mod dlpack {
    pub use redisai_backend_abi::{
        DLDevice, DLManagedTensor, DLManagedTensorVersioned, DLPACK_FLAG_BITMASK_READ_ONLY,
        DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION, DLPackVersion, DLTensor, RaiTensor,
        export_host_tensor, import_tensor,
    };
}

use std::path::PathBuf;

/// The file of the library or program that holds this address: how a module finds itself.
pub fn file_of(address: *const ()) -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: any address may be asked for; zeros are a valid answer too.
    let info = unsafe {
        (libc::dladdr(address.cast(), info.as_mut_ptr()) != 0).then(|| info.assume_init())
    }?;
    if info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: a C string of the system's loader, which lives as long as the library.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
    // The server may have been started in another directory than it works in by now.
    Some(std::path::absolute(&path).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_finds_itself() {
        let own = file_of(file_of as *const ()).unwrap();
        let exe = std::env::current_exe().unwrap();
        assert_eq!(own.canonicalize().unwrap(), exe.canonicalize().unwrap());
        assert_eq!(file_of(std::ptr::null()), None);
    }
}
