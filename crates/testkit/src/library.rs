//! Backend libraries as cargo builds them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Libraries built by this process, by package.
static BUILT: Mutex<Option<HashMap<String, PathBuf>>> = Mutex::new(None);

/// The cdylib of a package of this workspace, built in the profile and target directory of the
/// running test. Cargo's own lock keeps builds of several tests apart.
pub fn built_library(package: &str) -> PathBuf {
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    if let Some(path) = built.get(package) {
        return path.clone();
    }
    let path = build(package);
    built.insert(package.to_owned(), path.clone());
    path
}

fn build(package: &str) -> PathBuf {
    // <target>/<profile>/deps/<test>, or …/examples/<example>
    let test = std::env::current_exe().expect("the test's own path");
    let profile = test
        .ancestors()
        .find(|path| path.ends_with("deps") || path.ends_with("examples"))
        .and_then(Path::parent)
        .expect("a test lies in deps");
    let target = profile
        .parent()
        .expect("a profile lies in a target directory");
    // Built with --target (as for a sanitizer), it is <target>/<triple>/<profile>.
    let triple = target
        .file_name()
        .and_then(|name| name.to_str())
        .filter(|name| name.contains("-linux-"));
    let target = match triple {
        Some(_) => target
            .parent()
            .expect("a triple lies in a target directory"),
        None => target,
    };
    let profile = match profile.file_name().and_then(|name| name.to_str()) {
        None | Some("debug") => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace_root())
        .args(["build", "--package", package, "--profile", profile])
        .arg("--target-dir")
        .arg(target)
        .arg("--message-format=json-render-diagnostics")
        .args(triple.iter().flat_map(|triple| ["--target", triple]))
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "cargo build of {package}: {errors}"
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| library_of(line, package))
        .next_back()
        .unwrap_or_else(|| panic!("cargo built no cdylib of {package}: {errors}"))
}

/// The shared library that a message of cargo names, if it is this package's.
fn library_of(line: &str, package: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let id = message.get("package_id")?.as_str()?;
    // `path+file:///…/crates/backend-mock#redisai-backend-mock@2.0.0`
    let name = id.rsplit(['#', '/']).next()?.split('@').next()?;
    if message.get("reason")?.as_str()? != "compiler-artifact" || name != package {
        return None;
    }
    let files = message.get("filenames")?.as_array()?;
    files
        .iter()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|extension| extension == "so"))
}

/// The root of the workspace.
pub(crate) fn workspace_root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors()
        .nth(2)
        .expect("crates/testkit lies two below the root")
        .to_owned()
}

/// A copy of a library under a new name, so that the process loads it as another one: with its own
/// state, to poison or to initialise. The copy may be deleted once it is loaded; it lies in the
/// system's directory for temporary files.
pub fn own_copy(library: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("redisai-copy-{}-{number}.so", std::process::id());
    let copy = std::env::temp_dir().join(name);
    std::fs::copy(library, &copy).expect("a library can be copied");
    copy
}
