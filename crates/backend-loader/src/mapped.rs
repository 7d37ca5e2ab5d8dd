//! Libraries that this process has mapped already, whoever did.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Another file of this library's name that is mapped: a second copy of a framework would share its
/// symbols and its registries with the first, and crash.
pub(crate) fn other_copy(library: &Path) -> Option<PathBuf> {
    let maps = fs::read("/proc/self/maps").ok()?;
    other_in(&maps, library)
}

fn other_in(maps: &[u8], library: &Path) -> Option<PathBuf> {
    let own = fs::metadata(library).ok()?;
    let same = |path: &Path| {
        fs::metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (own.dev(), own.ino()))
    };
    maps.split(|&byte| byte == b'\n')
        .filter_map(|line| {
            // The path is the last field, and the only one with a slash.
            let start = line.iter().position(|&byte| byte == b'/')?;
            Some(Path::new(OsStr::from_bytes(line.get(start..)?)))
        })
        .find(|path| path.file_name() == library.file_name() && !same(path))
        .map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_file_of_the_name_is_found_and_the_same_file_is_not() {
        let exe = std::env::current_exe().unwrap();
        assert_eq!(other_copy(&exe), None);
        let name = exe.file_name().unwrap().to_str().unwrap();
        let maps = format!(
            "7f00-7f10 r-xp 00000000 fe:00 12 /else where/{name}\n7f20-7f30 rw-p 0 00:00 0\n"
        );
        let other = Path::new("/else where").join(name);
        assert_eq!(other_in(maps.as_bytes(), &exe), Some(other));
        assert_eq!(other_in(b"7f20-7f30 rw-p 0 00:00 0 [heap]\n", &exe), None);
    }
}
