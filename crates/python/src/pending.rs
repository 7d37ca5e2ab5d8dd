//! Requests in flight: whom to tell how they ended.

use crate::errors;
use crate::life;
use crate::output;
use pyo3::prelude::*;
use pyo3::types::PyList;
use redisai_core::{BackendError, RunOutput};
use redisai_engine::{DagHandle, DagOutcome, Inputs, JobHandle, OpEnd, Outcome};
use std::time::Duration;

/// A timeout in seconds, as it came.
pub(crate) fn seconds(timeout: Option<f64>) -> PyResult<Option<Duration>> {
    let timeout = timeout.map(Duration::try_from_secs_f64).transpose();
    timeout.map_err(|_| errors::input("the timeout is no number of seconds from 0 on"))
}

/// The outputs: one as it is, several as a list.
pub(crate) fn finished(
    py: Python<'_>,
    ran: Result<RunOutput, BackendError>,
) -> PyResult<Bound<'_, PyAny>> {
    let outputs = ran.map_err(|error| errors::backend(&error))?;
    let several = outputs.len() != 1;
    let mut results = outputs.into_iter().map(|output| output::result(py, output));
    if several {
        let results = results.collect::<PyResult<Vec<_>>>()?;
        return Ok(PyList::new(py, results)?.into_any());
    }
    results
        .next()
        .unwrap_or_else(|| Ok(py.None().into_bound(py)))
}

/// A request that was taken.
#[pyclass(frozen, name = "Job", module = "redisai_rs._core")]
pub(crate) struct PyJob(Handle);

enum Handle {
    Run(JobHandle),
    Dag(DagHandle),
}

impl PyJob {
    pub(crate) fn of_run(job: JobHandle) -> Self {
        Self(Handle::Run(job))
    }

    pub(crate) fn of_dag(dag: DagHandle) -> Self {
        Self(Handle::Dag(dag))
    }
}

#[pymethods]
impl PyJob {
    /// Nobody waits any more: it never runs if it has not started.
    fn gone(&self, py: Python<'_>) -> PyResult<()> {
        life::check()?;
        life::detached(py, || match &self.0 {
            Handle::Run(job) => job.gone(),
            Handle::Dag(dag) => dag.gone(),
        });
        Ok(())
    }
}

/// Whom to tell, once.
pub(crate) struct Done(Option<Py<PyAny>>);

impl Done {
    pub(crate) fn new(done: Py<PyAny>) -> Self {
        Self(Some(done))
    }

    /// A run has ended.
    pub(crate) fn run_ended(self, outcome: Outcome, inputs: Inputs) {
        let mut inputs = std::mem::ManuallyDrop::new(inputs);
        self.tell(move |py| {
            // Where Python cannot be entered they are left to the end of the process.
            inputs.clear();
            match outcome {
                Outcome::Done(ran) => Some(finished(py, ran)),
                Outcome::TimedOut => Some(Err(errors::timed_out())),
                Outcome::Gone => None,
            }
        });
    }

    /// A DAG has ended; `wanted`: the slots of its result.
    pub(crate) fn dag_ended(self, outcome: DagOutcome, wanted: &[usize]) {
        let outcome = std::mem::ManuallyDrop::new(outcome);
        self.tell(
            move |py| match std::mem::ManuallyDrop::into_inner(outcome) {
                DagOutcome::Done(mut ended) => {
                    let failed = ended.ops.iter().find_map(|end| match end {
                        OpEnd::Failed(error) => Some(errors::backend(error)),
                        _ => None,
                    });
                    let values = wanted.iter().map(|&slot| {
                        let tensor = ended.slots.get_mut(slot).and_then(Option::take);
                        output::result(py, tensor)
                    });
                    Some(match failed {
                        Some(error) => Err(error),
                        None => values
                            .collect::<PyResult<Vec<_>>>()
                            .and_then(|values| Ok(PyList::new(py, values)?.into_any())),
                    })
                }
                DagOutcome::TimedOut => Some(Err(errors::timed_out())),
                DagOutcome::Gone => None,
            },
        );
    }

    /// Calls the function with what `result` makes of the end; not at all for one that nobody
    /// waits for.
    fn tell(
        mut self,
        result: impl for<'py> FnOnce(Python<'py>) -> Option<PyResult<Bound<'py, PyAny>>>,
    ) {
        let mut done = std::mem::ManuallyDrop::new(self.0.take());
        life::attached(|py| {
            let Some(done) = done.take() else {
                return;
            };
            let told = match result(py) {
                Some(Ok(value)) => done.call1(py, (value, py.None())),
                Some(Err(error)) => done.call1(py, (py.None(), error)),
                None => return,
            };
            // It is ours and does not raise; if it does, nobody else is there to hear of it.
            if let Err(error) = told {
                error.write_unraisable(py, None);
            }
        });
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            let done = std::mem::ManuallyDrop::new(done);
            life::attached(|_| drop(std::mem::ManuallyDrop::into_inner(done)));
        }
    }
}
