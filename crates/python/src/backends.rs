//! Which backends there are, and whether they start.

use crate::services::Services;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use redisai_backend_loader::{Environment, Loader, LoaderConfig};
use redisai_core::BackendKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A loader that looks where the module at this path would look.
fn loader(module: PathBuf) -> Loader {
    Loader::new(LoaderConfig {
        module: Some(module),
        backends_path: None,
        python: None,
        environment: Environment::of_process(),
        test_backends: false,
        options: Vec::new(),
        services: Arc::new(Services),
    })
}

/// Looks for each backend that this release has, and its framework, as the module at this path
/// would; loads nothing.
#[pyfunction]
pub(crate) fn discover_backends(py: Python<'_>, module: PathBuf) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for found in py.detach(|| loader(module).discover()) {
        // Not of this release: no library, and no framework that anything would look for.
        if found.searched.is_empty() && !Path::new(&found.library).exists() {
            continue;
        }
        let facts = PyDict::new(py);
        facts.set_item("name", found.backend)?;
        facts.set_item("library", found.library)?;
        facts.set_item("framework", found.framework.unwrap_or_default())?;
        facts.set_item("framework_version", found.version.unwrap_or_default())?;
        facts.set_item("searched", found.searched)?;
        facts.set_item("problem", found.problem.unwrap_or_default())?;
        list.append(facts)?;
    }
    Ok(list)
}

/// Loads a backend into this process, for good, as the module at this path would; gives the
/// framework's version and path. RuntimeError says why it does not start.
#[pyfunction]
pub(crate) fn load_backend<'py>(
    py: Python<'py>,
    name: &str,
    module: PathBuf,
) -> PyResult<Bound<'py, PyDict>> {
    let kind = BackendKind::parse(name.as_bytes())
        .ok_or_else(|| PyValueError::new_err(format!("{name} is no backend")))?;
    let backend = py
        .detach(|| loader(module).open(kind, None))
        .map_err(|error| PyRuntimeError::new_err(error.text))?;
    let info = backend.info();
    let facts = PyDict::new(py);
    facts.set_item("framework_version", &info.version)?;
    facts.set_item("framework", &info.framework)?;
    Ok(facts)
}
