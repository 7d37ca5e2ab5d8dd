//! A backend's library as the server loads it, with its framework found in a site-packages directory.

use crate::{built_library, own_copy};
use redisai_backend_loader::{Environment, LoadError, Loader, LoaderConfig};
use redisai_core::{Backend, BackendKind, HostServices, LogLevel};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A door that says nothing.
struct Silent;

impl HostServices for Silent {
    fn log(&self, _: LogLevel, _: &str) {}
}

fn open(kind: BackendKind, library: &Path, python: &Path) -> Result<Arc<dyn Backend>, LoadError> {
    let config = LoaderConfig {
        module: None,
        backends_path: None,
        python: Some(python.to_owned()),
        environment: Environment::default(),
        test_backends: false,
        options: vec![("intra_op_threads".to_owned(), b"2".to_vec())],
        services: Arc::new(Silent),
    };
    Loader::new(config).open(kind, Some(library))
}

/// The backend of a package, loaded with the framework of a site-packages directory.
pub fn loaded(kind: BackendKind, package: &str, site_packages: &Path) -> Arc<dyn Backend> {
    open(kind, &built_library(package), site_packages).expect("the backend loads")
}

/// Where the framework is missing, the error holds `part`.
pub fn says_what_is_missing(kind: BackendKind, package: &str, part: &str) {
    let copy = own_copy(&built_library(package));
    let opened = open(kind, &copy, &std::env::temp_dir());
    std::fs::remove_file(&copy).unwrap();
    let error = opened.err().expect("refused");
    assert!(error.text.contains(part), "{error}");
}

/// The site-packages that holds a framework's library, `depth` directories above it: the loader finds
/// the library in it by itself. One of another name (`pip install --target`) gets a link of that name.
pub fn site_packages(library: &Path, depth: usize) -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let find = || {
        let place = library.ancestors().nth(depth).expect("a site-packages");
        if place.ends_with("site-packages") {
            return place.to_owned();
        }
        let folder = std::env::temp_dir().join(format!("redisai-site-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a directory");
        let link = folder.join("site-packages");
        std::os::unix::fs::symlink(place, &link).expect("a link");
        link
    };
    FOUND.get_or_init(find).clone()
}
