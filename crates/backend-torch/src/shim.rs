//! The shim: which file it is, and where it is looked for.
//!
//! Whoever can put a file where we look runs code in the server. So in the user's cache only a file counts
//! that the server's user (or root) owns and nobody else may write, in a folder of which the same is true.
//! Beside the backend's library the rights are those of the backend itself.

use crate::error::unsupported;
use redisai_core::BackendError;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The shim's folder, sorted by name. `redisai_rs.torch_shim` hashes the same bytes in the same order.
const SOURCES: [(&str, &[u8]); 13] = [
    ("commands.hpp", include_bytes!("../shim/commands.hpp")),
    ("description.hpp", include_bytes!("../shim/description.hpp")),
    ("division.hpp", include_bytes!("../shim/division.hpp")),
    ("errors.hpp", include_bytes!("../shim/errors.hpp")),
    ("flags.txt", include_bytes!("../shim/flags.txt")),
    ("host.hpp", include_bytes!("../shim/host.hpp")),
    ("model.hpp", include_bytes!("../shim/model.hpp")),
    ("package.hpp", include_bytes!("../shim/package.hpp")),
    (
        "redisai_torch_shim.h",
        include_bytes!("../shim/redisai_torch_shim.h"),
    ),
    ("script.hpp", include_bytes!("../shim/script.hpp")),
    ("shim.cpp", include_bytes!("../shim/shim.cpp")),
    ("stops.hpp", include_bytes!("../shim/stops.hpp")),
    ("tensors.hpp", include_bytes!("../shim/tensors.hpp")),
];

/// The name of the shim for a minor version of torch.
pub fn file_name(major: u32, minor: u32) -> String {
    let mut hash = Sha256::new();
    for (name, source) in SOURCES {
        hash.update(name);
        hash.update([0]);
        hash.update(source);
        hash.update([0]);
    }
    let mut name = format!("redisai_torch_shim-{major}.{minor}-");
    for byte in hash.finalize().iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    name + ".so"
}

/// The shim for a minor version of torch.
pub(crate) fn find(major: u32, minor: u32) -> Result<PathBuf, BackendError> {
    let name = file_name(major, minor);
    search(&name, own_folder().as_deref(), cache_folder().as_deref()).map_err(|why| {
        unsupported(format!(
            "ERR the library that joins the backend to torch {major}.{minor} is not there: run \
             `redisai-rs backend build torch` as the server's user ({name} was looked for{why})"
        ))
    })
}

/// The file, or where it was not.
fn search(name: &str, own: Option<&Path>, cache: Option<&Path>) -> Result<PathBuf, String> {
    let mut looked = String::new();
    if let Some(folder) = own {
        let file = folder.join(name);
        if file.is_file() {
            return Ok(file);
        }
        let _ = write!(looked, " in {}", folder.display());
    }
    if let Some(folder) = cache {
        match trusted(folder, name) {
            Ok(file) => return Ok(file),
            Err(why) => {
                let _ = write!(looked, " in {}: {why}", folder.display());
            }
        }
    }
    Err(looked)
}

/// A file of the cache that only we can have written.
fn trusted(folder: &Path, name: &str) -> Result<PathBuf, String> {
    let file = folder.join(name);
    let kind = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => "not there".to_owned(),
        _ => error.to_string(),
    };
    for path in [folder, &file] {
        let facts = fs::metadata(path).map_err(|error| kind(&error))?;
        // SAFETY: asks for a number, never fails.
        let user = unsafe { libc::geteuid() };
        if facts.uid() != user && facts.uid() != 0 {
            return Err(format!(
                "{} belongs to another user (number {}) and is not used",
                path.display(),
                facts.uid()
            ));
        }
        if facts.mode() & 0o022 != 0 {
            return Err(format!(
                "others may write to {}, so it is not used",
                path.display()
            ));
        }
    }
    Ok(file)
}

/// The folder of this library, or of the program that it is part of.
fn own_folder() -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let address = own_folder as *const ();
    // SAFETY: any address may be asked for; zeros are a valid answer too.
    let info = unsafe {
        (libc::dladdr(address.cast(), info.as_mut_ptr()) != 0).then(|| info.assume_init())
    }?;
    if info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: a C string of the system's loader, which lives as long as the library.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    let path = std::path::absolute(OsStr::from_bytes(name.to_bytes())).ok()?;
    path.parent().map(Path::to_owned)
}

/// The user's cache, by the rules of XDG.
fn cache_folder() -> Option<PathBuf> {
    let var = |name| {
        let value = PathBuf::from(std::env::var_os(name)?);
        value.is_absolute().then_some(value)
    };
    let root = var("XDG_CACHE_HOME").or_else(|| Some(var("HOME")?.join(".cache")));
    root.map(|root| root.join("redisai-rs"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("redisai-shim-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn write(path: &Path, mode: u32) {
        fs::write(path, "x").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_hash_covers_every_file_of_the_folder() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("shim");
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, SOURCES.map(|source| source.0.to_owned()));
    }

    #[test]
    fn beside_the_backend_wins_over_the_cache() {
        let (own, cache) = (folder("own"), folder("cache"));
        write(&cache.join("a.so"), 0o644);
        assert_eq!(
            search("a.so", Some(&own), Some(&cache)),
            Ok(cache.join("a.so"))
        );
        write(&own.join("a.so"), 0o644);
        assert_eq!(
            search("a.so", Some(&own), Some(&cache)),
            Ok(own.join("a.so"))
        );
        let why = search("b.so", Some(&own), Some(&cache)).unwrap_err();
        assert!(
            why.contains("not there") && why.contains(own.to_str().unwrap()),
            "{why}"
        );
        for folder in [own, cache] {
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn what_others_may_write_is_refused() {
        let cache = folder("open");
        write(&cache.join("a.so"), 0o664);
        assert!(trusted(&cache, "a.so").unwrap_err().contains("may write"));
        write(&cache.join("a.so"), 0o644);
        assert!(trusted(&cache, "a.so").is_ok());
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(trusted(&cache, "a.so").unwrap_err().contains("may write"));
        fs::remove_dir_all(cache).unwrap();
    }
}
