//! The crate edges of ARCHITECTURE.md, and what else the manifests and sources promise. Every check says
//! how much it saw, so that none passes on nothing.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates under `crates/` and the crates of this workspace that each may use.
const EDGES: [(&str, &[&str]); 14] = [
    ("core", &[]),
    ("command", &["core"]),
    ("codec", &["core"]),
    ("engine", &["core"]),
    ("backend-abi", &["core"]),
    ("backend-loader", &["core", "backend-abi"]),
    ("backend-onnx", &["core", "backend-abi"]),
    ("backend-torch", &["core", "backend-abi"]),
    ("backend-tflite", &["core", "backend-abi"]),
    ("backend-tensorflow", &["core", "backend-abi"]),
    ("backend-mock", &["core", "backend-abi"]),
    (
        "module",
        &["core", "command", "codec", "engine", "backend-loader"],
    ),
    ("python", &["core", "command", "engine", "backend-loader"]),
    ("testkit", &["core", "backend-abi", "backend-loader"]),
];

/// What tests may use besides: the kit, what it works with, and the mock.
const IN_TESTS: [&str; 4] = ["testkit", "core", "backend-loader", "backend-mock"];

/// Crates from outside that belong to one place; `benches` may use anything.
const RESERVED: [(&str, &[&str]); 4] = [
    ("redis-module", &["module"]),
    ("pyo3", &["python"]),
    ("ort-sys", &["backend-onnx"]),
    (
        "libloading",
        &[
            "backend-loader",
            "backend-abi",
            "backend-onnx",
            "backend-torch",
        ],
    ),
];

/// Crates that stay small: direct dependencies at most.
const SMALL: [(&str, usize); 3] = [("core", 5), ("command", 5), ("codec", 5)];

/// Crates without unsafe code.
const SAFE: [&str; 4] = ["core", "command", "codec", "testkit"];

struct Package {
    /// The folder: `core` for `redisai-core`.
    folder: PathBuf,
    /// Names of normal and build dependencies.
    dependencies: BTreeSet<String>,
    dev_dependencies: BTreeSet<String>,
}

impl Package {
    fn short(&self) -> &str {
        self.folder.file_name().unwrap().to_str().unwrap()
    }

    fn in_benches(&self) -> bool {
        self.folder.starts_with(root().join("benches"))
    }
}

fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap().to_owned()
}

fn packages() -> BTreeMap<String, Package> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root())
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo metadata: {errors}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(package).collect()
}

fn package(package: &Value) -> (String, Package) {
    let manifest = Path::new(package["manifest_path"].as_str().unwrap());
    let of_kind = |dev: bool| {
        let all = package["dependencies"].as_array().unwrap().iter();
        all.filter(|dependency| (dependency["kind"].as_str() == Some("dev")) == dev)
            .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let name = package["name"].as_str().unwrap().to_owned();
    let package = Package {
        folder: manifest.parent().unwrap().to_owned(),
        dependencies: of_kind(false),
        dev_dependencies: of_kind(true),
    };
    (name, package)
}

/// The folder's name of one of our crates.
fn ours(name: &str) -> Option<&str> {
    name.strip_prefix("redisai-")
}

#[test]
fn every_crate_is_seen_and_named_after_its_folder() {
    let packages = packages();
    let seen: BTreeSet<&str> = packages
        .values()
        .filter(|package| !package.in_benches())
        .map(Package::short)
        .collect();
    let known: BTreeSet<&str> = EDGES.iter().map(|edge| edge.0).collect();
    assert_eq!(
        seen, known,
        "a crate has no row in EDGES, or a row no crate"
    );
    let folders: BTreeSet<String> = fs::read_dir(root().join("crates"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let known: BTreeSet<String> = known.into_iter().map(str::to_owned).collect();
    assert_eq!(folders, known, "a folder under crates/ is no member");
    for (name, package) in &packages {
        if !package.in_benches() {
            assert_eq!(ours(name), Some(package.short()), "{name}");
        }
    }
}

#[test]
fn edges_are_those_that_are_allowed() {
    let packages = packages();
    let mut seen = 0;
    for (folder, allowed) in EDGES {
        let package = &packages[&format!("redisai-{folder}")];
        for name in package.dependencies.iter().filter_map(|name| ours(name)) {
            seen += 1;
            assert!(allowed.contains(&name), "{folder} may not use {name}");
        }
        for name in package
            .dev_dependencies
            .iter()
            .filter_map(|name| ours(name))
        {
            let ok = allowed.contains(&name) || IN_TESTS.contains(&name);
            assert!(ok, "tests of {folder} may not use {name}");
        }
    }
    assert!(seen >= 15, "only {seen} edges were seen");
}

#[test]
fn what_belongs_to_one_crate_stays_there() {
    let packages = packages();
    for (name, owners) in RESERVED {
        let mut users = 0;
        for package in packages.values().filter(|package| !package.in_benches()) {
            let all = package.dependencies.union(&package.dev_dependencies);
            if all.into_iter().any(|dependency| dependency == name) {
                users += 1;
                let user = package.short();
                assert!(owners.contains(&user), "{user} may not use {name}");
            }
        }
        assert!(users > 0, "nobody uses {name}: does the check still look?");
    }
    // Of the benches only the floor names Redis.
    for (name, package) in &packages {
        if package.in_benches() && package.dependencies.contains("redis-module") {
            let floor = package.folder.ends_with("benches/floor");
            assert!(floor, "{name} may not use redis-module");
        }
    }
}

#[test]
fn small_crates_stay_small() {
    let packages = packages();
    for (folder, most) in SMALL {
        let count = packages[&format!("redisai-{folder}")].dependencies.len();
        assert!(
            (1..=most).contains(&count),
            "{folder} has {count} dependencies"
        );
    }
}

#[test]
fn safe_crates_forbid_unsafe_code() {
    for folder in SAFE {
        let path = root().join("crates").join(folder).join("src/lib.rs");
        let text = fs::read_to_string(&path).unwrap();
        let attribute = text.lines().any(|line| line == "#![forbid(unsafe_code)]");
        assert!(attribute, "{} does not forbid unsafe code", path.display());
    }
}

#[test]
fn only_the_scheduler_starts_threads() {
    let mut files = 0;
    let mut starts = 0;
    for (folder, _) in EDGES.iter().filter(|edge| edge.0 != "testkit") {
        let source = root().join("crates").join(folder).join("src");
        for path in rust_files(&source) {
            files += 1;
            let text = fs::read_to_string(&path).unwrap();
            let found = ["spawn(", "thread::scope"]
                .iter()
                .any(|word| without_tests(&text).contains(word));
            if found {
                starts += 1;
                let scheduler = root().join("crates/engine/src/scheduler");
                assert!(
                    path.starts_with(&scheduler),
                    "{} starts threads",
                    path.display()
                );
            }
        }
    }
    assert!(files > 50, "only {files} files were seen");
    assert!(
        starts > 0,
        "the scheduler starts no thread: does the check still look?"
    );
}

/// Every function that the other side calls is behind a guard: a panic in it would end the process.
#[test]
fn no_panic_crosses_the_border() {
    // What cannot panic: they call the system, or nothing.
    let plain = [
        "alloc",
        "tensor_alloc",
        "release",
        "system_alloc",
        "system_tensor_alloc",
        "system_free",
        "system_log",
        "system_retain",
    ];
    let mut seen = 0;
    for folder in ["backend-abi", "backend-loader"] {
        for path in rust_files(&root().join("crates").join(folder).join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            let text = without_tests(&text);
            // Definitions, not types of pointers.
            for body in text.split("unsafe extern \"C\" fn ").skip(1) {
                let name = body.split(['<', '(']).next().unwrap();
                if name.is_empty() || body.starts_with('(') || name.contains(char::is_whitespace) {
                    continue;
                }
                seen += 1;
                let body = body.split("\n}\n").next().unwrap();
                let guarded = ["guard(", "guarded(", "quiet(", "::entry::<"]
                    .iter()
                    .any(|it| body.contains(it));
                let at = path.display();
                assert!(
                    guarded || plain.contains(&name),
                    "{name} in {at} has no guard"
                );
            }
        }
    }
    assert!(seen >= 12, "only {seen} functions were seen");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let name = path.file_name().unwrap();
        if path.is_dir() && name != "tests" {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") && name != "tests.rs" {
            files.push(path);
        }
    }
    files
}

/// A file up to its tests, which come last.
fn without_tests(text: &str) -> &str {
    let at = ["\n#[cfg(test)]\nmod", "\n#[cfg(all(test"];
    let end = at.iter().filter_map(|start| text.find(start)).min();
    &text[..end.unwrap_or(text.len())]
}
