//! Graphs: imported, and asked for their operations.

use crate::environment::Environment;
use crate::error::{Doing, bad_model};
use crate::handles::{Graph, ImportOptions, check};
use crate::sys::{Buffer, Output};
use crate::tensor::dtype_of;
use redisai_backend_abi::no_memory;
use redisai_core::{BackendError, ValueInfo};
use std::ffi::{CStr, CString};

/// A graph without operations.
pub(crate) fn new(environment: &'static Environment) -> Result<Graph, BackendError> {
    let api = environment.api;
    // SAFETY: takes nothing; the graph is ours.
    unsafe { Graph::take(api, (api.new_graph)()) }.ok_or_else(|| no_memory(0))
}

/// A graph of a GraphDef.
pub(crate) fn import(
    environment: &'static Environment,
    bytes: &[u8],
) -> Result<Graph, BackendError> {
    let api = environment.api;
    let graph = new(environment)?;
    // SAFETY: takes nothing; the options are ours.
    let options = unsafe { ImportOptions::take(api, (api.new_import_options)()) };
    let options = options.ok_or_else(|| no_memory(0))?;
    let buffer = Buffer::over(bytes);
    // SAFETY: everything is valid; the bytes live during the call.
    check(api, Doing::Load, |status| unsafe {
        (api.import)(graph.as_ptr(), &raw const buffer, options.as_ptr(), status);
    })?;
    Ok(graph)
}

/// An output of a graph by its name, `node` or `node:index`; none where there is none.
pub(crate) fn find(
    environment: &'static Environment,
    graph: &Graph,
    name: &[u8],
) -> Option<Output> {
    let name = std::str::from_utf8(name).ok()?;
    let (node, index) = match name.rsplit_once(':') {
        Some((node, index)) => (node, index.parse().ok()?),
        None => (name, 0),
    };
    let node = CString::new(node).ok()?;
    let api = environment.api;
    // SAFETY: the graph is valid and the name a C string.
    let operation = unsafe { (api.operation)(graph.as_ptr(), node.as_ptr()) };
    if operation.is_null() {
        return None;
    }
    // SAFETY: the operation is one of the graph.
    let outputs = unsafe { (api.num_outputs)(operation) };
    (0..outputs)
        .contains(&index)
        .then_some(Output { operation, index })
}

/// Whether an output is that of a placeholder.
pub(crate) fn is_placeholder(environment: &'static Environment, output: Output) -> bool {
    // SAFETY: the operation is one of a graph that lives; a C string of it.
    let kind = unsafe { CStr::from_ptr((environment.api.op_type)(output.operation)) };
    kind == c"Placeholder"
}

/// What the graph says of an output.
pub(crate) fn describe(
    environment: &'static Environment,
    graph: &Graph,
    name: &[u8],
    output: Output,
) -> ValueInfo {
    let api = environment.api;
    // SAFETY: the operation is one of the graph.
    let kind = unsafe { (api.output_type)(output) };
    ValueInfo {
        name: name.into(),
        // A reference to a variable has the type of it and 100.
        dtype: dtype_of(kind % 100),
        dims: dims(environment, graph, output),
        ..ValueInfo::default()
    }
}

fn dims(
    environment: &'static Environment,
    graph: &Graph,
    output: Output,
) -> Option<Vec<Option<i64>>> {
    let api = environment.api;
    // SAFETY: the output is one of the graph.
    let rank = check(api, Doing::Load, |status| unsafe {
        (api.num_dims)(graph.as_ptr(), output, status)
    });
    // Below 0 the rank is not known.
    let rank = usize::try_from(rank.ok()?).ok()?;
    let mut dims = vec![0_i64; rank];
    // SAFETY: as many dimensions are written as the rank says.
    check(api, Doing::Load, |status| unsafe {
        let count = i32::try_from(rank).unwrap_or(0);
        (api.shape)(graph.as_ptr(), output, dims.as_mut_ptr(), count, status);
    })
    .ok()?;
    Some(
        dims.into_iter()
            .map(|dim| (dim >= 0).then_some(dim))
            .collect(),
    )
}

/// The contract's text for an input that is none.
pub(crate) fn no_input(name: &[u8]) -> BackendError {
    let name = String::from_utf8_lossy(name);
    bad_model(format!(
        "ERR Input node named \"{name}\" not found in TF graph."
    ))
}

/// The contract's text for an output that is none.
pub(crate) fn no_output(name: &[u8]) -> BackendError {
    let name = String::from_utf8_lossy(name);
    bad_model(format!(
        "ERR Output node named \"{name}\" not found in TF graph"
    ))
}
