//! The Python extension `redisai_rs._core`: the engine in process, tensors, the discovery of backends.
//!
//! Private to the package: users see the typed wrappers in `python/redisai_rs`, so that names and
//! signatures there can be Python's own. `python/redisai_rs/_core.pyi` repeats what is here.

mod array;
mod backends;
mod dag;
mod dlpack;
mod engine;
mod errors;
mod function;
mod input;
mod life;
mod lists;
mod memory;
mod model;
mod output;
mod pending;
mod sequence;
mod services;
mod wire;

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Facts about how this package was built. An empty text means that it is not known.
#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let facts = PyDict::new(py);
    facts.set_item("version", env!("CARGO_PKG_VERSION"))?;
    // `build_backend/native.py` tells it.
    let commit = option_env!("REDISAI_GIT_SHA").unwrap_or_default();
    facts.set_item("commit", commit)?;
    facts.set_item("rustc", env!("REDISAI_RUSTC"))?;
    facts.set_item("target", env!("REDISAI_TARGET"))?;
    facts.set_item("profile", env!("REDISAI_PROFILE"))?;
    Ok(facts)
}

/// The extension module.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(build_info, module)?)?;
    module.add_function(wrap_pyfunction!(backends::discover_backends, module)?)?;
    module.add_function(wrap_pyfunction!(backends::load_backend, module)?)?;
    module.add_class::<engine::PyEngine>()?;
    module.add_class::<model::PyModel>()?;
    module.add_class::<pending::PyJob>()?;
    module.add_class::<output::PyTensor>()?;
    module.add_function(wrap_pyfunction!(life::ending, module)?)?;
    module.add_function(wrap_pyfunction!(life::forked_child, module)?)?;
    Ok(())
}
