//! Several operations in one request.

use crate::engine::PyEngine;
use crate::input;
use crate::life;
use crate::model::PyModel;
use crate::pending::{Done, PyJob, seconds};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use redisai_engine::{DagOp, DagRequest, Slots};
use std::sync::Arc;

/// Model, function of a script, keys, arguments, slots that it reads, slots that it writes.
pub(crate) type Op<'py> = (
    PyRef<'py, PyModel>,
    Option<String>,
    Vec<Vec<u8>>,
    Vec<Vec<u8>>,
    Vec<usize>,
    Vec<usize>,
);

/// Hands a DAG in. `given`: slots that are filled before; `done` gets a list of the slots `wanted`,
/// or the error of the first operation that failed.
#[allow(clippy::too_many_arguments, reason = "those of one Python method")]
pub(crate) fn submit(
    engine: &PyEngine,
    py: Python<'_>,
    slots: usize,
    given: Vec<(usize, Bound<'_, PyAny>)>,
    ops: Vec<Op<'_>>,
    wanted: Vec<usize>,
    done: Py<PyAny>,
    timeout: Option<f64>,
) -> PyResult<PyJob> {
    life::check()?;
    let mut filled: Slots = vec![None; slots];
    for (slot, value) in given {
        let place = filled.get_mut(slot).ok_or_else(no_slot)?;
        *place = Some(input::tensor(&value, None)?);
    }
    let outside = |op: &Op<'_>| op.4.iter().chain(&op.5).any(|&slot| slot >= slots);
    if ops.iter().any(outside) || wanted.iter().any(|&slot| slot >= slots) {
        return Err(no_slot());
    }
    let ops = ops
        .into_iter()
        .map(operation)
        .collect::<PyResult<Vec<_>>>()?;
    // Kept until Python is back: what holds memory of Python's is dropped with the GIL.
    let kept = filled.clone();
    let request = DagRequest {
        slots: filled,
        ops,
        timeout: seconds(timeout)?,
    };
    let done = Done::new(done);
    let shared = Arc::clone(engine.shared());
    let handle = life::detached(py, || {
        shared.engine.submit_dag(
            request,
            Box::new(move |outcome| done.dag_ended(outcome, &wanted)),
        )
    });
    life::release(py, kept);
    Ok(PyJob::of_dag(handle))
}

fn operation(op: Op<'_>) -> PyResult<DagOp> {
    let (model, function, keys, args, inputs, outputs) = op;
    let call = function
        .map(|name| model.call(&name, keys, args))
        .transpose()?;
    Ok(DagOp {
        model: Arc::clone(model.model()),
        call: call.map(Arc::new).or_else(|| model.called()),
        inputs: inputs.into(),
        outputs: outputs.into(),
    })
}

fn no_slot() -> PyErr {
    PyIndexError::new_err("a slot is out of the DAG's range")
}
