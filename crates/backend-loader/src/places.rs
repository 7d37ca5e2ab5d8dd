//! Where frameworks and backends may lie.

use crate::frameworks::Framework;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// The file beside the module in which an editable install wrote down its site-packages.
const NOTE: &str = "site-packages.txt";

/// Environment variables that the search reads, as a value so that tests need not set them.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `REDISAI_PYTHON`: a prefix or an interpreter.
    pub redisai_python: Option<PathBuf>,
    /// `VIRTUAL_ENV`: a prefix.
    pub virtual_env: Option<PathBuf>,
    /// `LD_LIBRARY_PATH`, for the report only; the system's loader reads it itself.
    pub library_path: Vec<PathBuf>,
    /// `PATH`, where an interpreter is given by its bare name.
    pub path: Vec<PathBuf>,
}

impl Environment {
    /// Those of the process.
    pub fn of_process() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let list = |name| {
            let value = var(name).unwrap_or_default();
            std::env::split_paths(&value).collect()
        };
        Self {
            redisai_python: var("REDISAI_PYTHON").map(PathBuf::from),
            virtual_env: var("VIRTUAL_ENV").map(PathBuf::from),
            library_path: list("LD_LIBRARY_PATH"),
            path: list("PATH"),
        }
    }
}

/// A place that was or would be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Why this place, for messages.
    pub(crate) why: &'static str,
    /// A site-packages directory; none where what was named has none.
    pub(crate) site_packages: Option<PathBuf>,
    /// What was named.
    pub(crate) named: PathBuf,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.site_packages {
            Some(site) => write!(f, "{} ({})", site.display(), self.why),
            None => write!(
                f,
                "{} ({}: it has no site-packages)",
                self.named.display(),
                self.why
            ),
        }
    }
}

/// The places for frameworks, in order. Whoever names a Python means that one: then it is the only
/// place.
pub(crate) fn of(
    python: Option<&Path>,
    module: Option<&Path>,
    environment: &Environment,
) -> Vec<Place> {
    if let Some(python) = python {
        return of_python("PYTHON", python, environment);
    }
    if let Some(python) = &environment.redisai_python {
        return of_python("REDISAI_PYTHON", python, environment);
    }
    let mut places = Vec::new();
    if let Some(site) = module.and_then(enclosing_site_packages) {
        places.push(place("around the module", site));
    }
    if let Some(site) = module.and_then(noted_site_packages) {
        places.push(place("of the editable install", site));
    }
    if let Some(prefix) = &environment.virtual_env {
        places.extend(of_python("VIRTUAL_ENV", prefix, environment));
    }
    places
}

fn place(why: &'static str, site: PathBuf) -> Place {
    Place {
        why,
        named: site.clone(),
        site_packages: Some(site),
    }
}

/// The site-packages of a prefix or an interpreter; one place without any where it has none.
fn of_python(why: &'static str, python: &Path, environment: &Environment) -> Vec<Place> {
    let found = site_packages_of(python, environment);
    if found.is_empty() {
        return vec![Place {
            why,
            site_packages: None,
            named: python.to_owned(),
        }];
    }
    let with = |site| Place {
        why,
        site_packages: Some(site),
        named: python.to_owned(),
    };
    found.into_iter().map(with).collect()
}

fn site_packages_of(python: &Path, environment: &Environment) -> Vec<PathBuf> {
    if python.is_dir() {
        if is_site_packages(python) {
            return vec![python.to_owned()];
        }
        return below_prefix(python);
    }
    let interpreter = if python.components().count() == 1 {
        environment
            .path
            .iter()
            .map(|folder| folder.join(python))
            .find(|file| file.is_file())
    } else {
        python.is_file().then(|| python.to_owned())
    };
    // <prefix>/bin/python. Its links are not followed: a virtual environment's interpreter is a link
    // to one outside it.
    interpreter
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::parent)
        .map(below_prefix)
        .unwrap_or_default()
}

/// `lib*/python3*/{site,dist}-packages` below a prefix, the newest Python first.
fn below_prefix(prefix: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u64>, PathBuf)> = Vec::new();
    // Debian's own packages go to /usr/lib, what pip installs for all users to /usr/local/lib.
    let roots = [
        prefix.join("lib"),
        prefix.join("lib64"),
        prefix.join("local/lib"),
    ];
    for python in roots.iter().flat_map(|root| children(root)) {
        let name = file_name(&python);
        let Some(version) = name.strip_prefix("python3") else {
            continue;
        };
        let version = numbers(version);
        for leaf in ["site-packages", "dist-packages"] {
            let site = python.join(leaf);
            if site.is_dir() {
                found.push((version.clone(), site));
            }
        }
    }
    // Of one Python, in the order of the roots: the sort is stable.
    found.sort_by(|one, other| other.0.cmp(&one.0));
    let mut sites: Vec<PathBuf> = Vec::new();
    for (_, site) in found {
        // lib64 is often a link to lib.
        let same = |other: &PathBuf| fs::canonicalize(other).ok() == fs::canonicalize(&site).ok();
        if !sites.iter().any(same) {
            sites.push(site);
        }
    }
    sites
}

fn is_site_packages(path: &Path) -> bool {
    matches!(
        path.file_name().and_then(OsStr::to_str),
        Some("site-packages" | "dist-packages")
    )
}

fn enclosing_site_packages(module: &Path) -> Option<PathBuf> {
    let found = module.ancestors().find(|path| is_site_packages(path));
    found.map(Path::to_owned)
}

fn noted_site_packages(module: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(module.parent()?.join(NOTE)).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| PathBuf::from(line))
}

/// The framework's main library in a site-packages: of several the one of the highest version.
pub(crate) fn library_in(site: &Path, framework: &Framework) -> Option<PathBuf> {
    children(&site.join(framework.directory))
        .into_iter()
        .filter_map(|path| {
            let rest = file_name(&path).strip_prefix(framework.file)?.to_owned();
            let versioned = rest.is_empty() || rest.starts_with('.');
            (versioned && path.is_file()).then(|| (numbers(&rest), path))
        })
        .max()
        .map(|(_, path)| path)
}

/// The framework's version by its wheel's own record, and the wheel's name.
pub(crate) fn version_in(site: &Path, framework: &Framework) -> Option<(String, String)> {
    let folders = children(site);
    framework.wheels.iter().find_map(|wheel| {
        folders.iter().find_map(|folder| {
            let name = file_name(folder).to_ascii_lowercase();
            let version = name
                .strip_suffix(".dist-info")?
                .strip_prefix(wheel)?
                .strip_prefix('-')?;
            Some(((*wheel).to_owned(), version.to_owned()))
        })
    })
}

/// Where the system's loader would find a framework, as far as one can see from outside, and the name
/// that it would be asked for.
pub(crate) fn system_library(
    framework: &Framework,
    environment: &Environment,
) -> Option<(&'static str, PathBuf)> {
    let arch = std::env::consts::ARCH;
    let usual = [
        "/usr/local/lib".to_owned(),
        format!("/usr/lib/{arch}-linux-gnu"),
        format!("/lib/{arch}-linux-gnu"),
        "/usr/lib64".to_owned(),
        "/usr/lib".to_owned(),
        "/lib64".to_owned(),
        "/lib".to_owned(),
    ];
    let folders: Vec<PathBuf> = environment
        .library_path
        .iter()
        .cloned()
        .chain(usual.map(PathBuf::from))
        .collect();
    framework.sonames.iter().find_map(|&soname| {
        let mut files = folders.iter().map(|folder| folder.join(soname));
        let path = files.find(|path| path.is_file())?;
        Some((soname, path))
    })
}

/// The version in a library's real name: `libonnxruntime.so.1` may be a link to `….so.1.32.0`.
pub(crate) fn version_of_file(library: &Path, framework: &Framework) -> Option<String> {
    let real = fs::canonicalize(library).ok()?;
    let version = file_name(&real)
        .strip_prefix(framework.file)?
        .strip_prefix('.')?;
    Some(version.to_owned())
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}

/// The numbers of a version, to compare: `.1.32.0` → 1, 32, 0.
fn numbers(version: &str) -> Vec<u64> {
    version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests;
