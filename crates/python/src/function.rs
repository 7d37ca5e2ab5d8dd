//! The functions of a model: what each says of itself, and which one a name means.

use crate::errors;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use redisai_core::{DType, Function, ValueInfo};
use redisai_engine::{Call, Model};
use std::sync::Arc;

/// A function of this name, with its place; none where it is the first.
pub(crate) fn place_of(model: &Model, name: &str) -> PyResult<Option<(usize, Arc<Call>)>> {
    let functions = model.signature().map_or(&[][..], |it| &it.functions);
    let place = functions
        .iter()
        .position(|function| *function.name == *name.as_bytes());
    match place {
        Some(0) => Ok(None),
        Some(place) => {
            let function = name.as_bytes().into();
            let call = Call {
                function,
                ..Call::default()
            };
            Ok(Some((place, Arc::new(call))))
        }
        None => {
            let names = functions.iter().map(|function| text(&function.name));
            let names: Vec<_> = names.filter(|name| !name.is_empty()).collect();
            Err(errors::input(match names.as_slice() {
                [] => format!("the model has no signature {name:?}: its signatures have no names"),
                _ => format!(
                    "the model has no signature {name:?}: it has {}",
                    names.join(", ")
                ),
            }))
        }
    }
}

/// What a function takes and gives: a dictionary.
pub(crate) fn described<'py>(py: Python<'py>, function: &Function) -> PyResult<Bound<'py, PyDict>> {
    let facts = PyDict::new(py);
    facts.set_item(intern!(py, "name"), text(&function.name))?;
    facts.set_item(intern!(py, "inputs"), values(py, &function.inputs)?)?;
    facts.set_item(intern!(py, "outputs"), values(py, &function.outputs)?)?;
    facts.set_item(intern!(py, "variadic_inputs"), function.variadic_inputs)?;
    facts.set_item(intern!(py, "variadic_outputs"), function.variadic_outputs)?;
    Ok(facts)
}

fn values<'py>(py: Python<'py>, values: &[ValueInfo]) -> PyResult<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for value in values {
        let facts = PyDict::new(py);
        facts.set_item("name", text(&value.name))?;
        facts.set_item("dtype", value.dtype.map(DType::name))?;
        facts.set_item("dims", value.dims.clone())?;
        list.append(facts)?;
    }
    Ok(list)
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
