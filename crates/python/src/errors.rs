//! Errors as Python's exceptions. Texts are those of the server.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use redisai_core::{BackendError, Status, TensorError};
use redisai_engine::EngineError;

/// An exception of `redisai_rs.exceptions`.
fn raise(class: &str, text: &str) -> PyErr {
    Python::attach(|py| {
        let made = py
            .import("redisai_rs.exceptions")
            .and_then(|module| module.getattr(class))
            .and_then(|class| class.call1((text,)));
        match made {
            Ok(error) => PyErr::from_value(error),
            Err(_) => PyRuntimeError::new_err(text.to_owned()),
        }
    })
}

/// The argument is no tensor that can be used.
pub(crate) fn input(text: impl AsRef<str>) -> PyErr {
    raise("InputError", text.as_ref())
}

/// Bytes that make no tensor.
pub(crate) fn tensor(error: TensorError) -> PyErr {
    match error {
        TensorError::Memory => raise("OutOfMemoryError", "the tensor's memory was refused"),
        TensorError::Bool => input("a BOOL tensor holds bytes other than 0 and 1"),
        other => input(format!("the tensor cannot be used: {other:?}")),
    }
}

/// What a backend says.
pub(crate) fn backend(error: &BackendError) -> PyErr {
    let class = match error.status {
        Status::BadModel => "InvalidModelError",
        Status::BadInput => "InputError",
        Status::Unsupported if error.text == "ERR Could not load backend" => "BackendMissingError",
        Status::Unsupported => "UnsupportedError",
        Status::NoMemory => "OutOfMemoryError",
        _ => "RunError",
    };
    raise(class, &error.text)
}

/// What the engine says.
pub(crate) fn engine(error: &EngineError) -> PyErr {
    match error {
        EngineError::QueueFull { .. } => raise("QueueFullError", &error.to_string()),
        // What the server says, and why, which there stands in the log.
        EngineError::Backend(why) => raise(
            "BackendMissingError",
            &format!("ERR Could not load backend: {why}"),
        ),
        _ => raise("Error", &error.to_string()),
    }
}

/// The deadline came first.
pub(crate) fn timed_out() -> PyErr {
    raise("TimeoutError", "TIMEDOUT")
}

/// Something that is not installed.
pub(crate) fn missing(what: &str, package: &str) -> PyErr {
    raise(
        "NotInstalledError",
        &format!("{what} is not installed: pip install {package}"),
    )
}
