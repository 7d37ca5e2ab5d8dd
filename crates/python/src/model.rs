//! Models and scripts of an engine.

use crate::engine::{Shared, drop_engine};
use crate::errors;
use crate::function::{described, place_of};
use crate::input;
use crate::life;
use crate::pending::{Done, PyJob, finished, seconds};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use redisai_core::DType;
use redisai_engine::{Call, Inputs, Model, Percentiles, Request};
use std::sync::Arc;

/// Room is made for the outputs that a caller asks for before anything runs.
const MOST_OUTPUTS: usize = 65_536;

/// A model or a script.
#[pyclass(frozen, name = "Model", module = "redisai_rs._core")]
pub(crate) struct PyModel {
    /// `None` only while it is dropped.
    shared: Option<Arc<Shared>>,
    model: Arc<Model>,
    /// Place of the function that runs, and how it is called; none where it is the model's first.
    named: Option<(usize, Arc<Call>)>,
    /// What the model declares of its inputs.
    dtypes: Vec<Option<DType>>,
    outputs: Option<usize>,
}

impl PyModel {
    /// A model that is built; `signature`: which of its functions runs, if not its first.
    pub(crate) fn new(
        shared: Arc<Shared>,
        model: Arc<Model>,
        signature: Option<&str>,
    ) -> PyResult<Self> {
        let named = match signature {
            Some(name) => place_of(&model, name)?,
            None => None,
        };
        let place = named.as_ref().map_or(0, |(place, _)| *place);
        let functions = model.signature().map_or(&[][..], |it| &it.functions);
        let function = functions
            .get(place)
            .filter(|_| model.def().model().is_some());
        let dtypes = function.map_or(Vec::new(), |function| {
            function.inputs.iter().map(|input| input.dtype).collect()
        });
        let outputs = function
            .filter(|it| !it.variadic_inputs && !it.variadic_outputs)
            .map(|it| it.outputs.len());
        Ok(Self {
            shared: Some(shared),
            model,
            named,
            dtypes,
            outputs,
        })
    }

    fn shared(&self) -> PyResult<&Arc<Shared>> {
        self.shared
            .as_ref()
            .ok_or_else(|| PyTypeError::new_err("the model is being dropped"))
    }

    /// How the model's own runs are called.
    pub(crate) fn called(&self) -> Option<Arc<Call>> {
        self.named.as_ref().map(|(_, call)| Arc::clone(call))
    }

    fn inputs(&self, values: &Bound<'_, PyTuple>) -> PyResult<Inputs> {
        let wanted = self.dtypes.iter().copied().chain(std::iter::repeat(None));
        let pairs = values.iter_borrowed().zip(wanted);
        pairs
            .map(|(value, dtype)| input::tensor(&value, dtype))
            .collect()
    }

    fn request(
        &self,
        values: &Bound<'_, PyTuple>,
        outputs: Option<usize>,
        timeout: Option<f64>,
        call: Option<Call>,
    ) -> PyResult<Request> {
        let timeout = seconds(timeout)?;
        let outputs = outputs.or(self.outputs).unwrap_or(1);
        if outputs > MOST_OUTPUTS {
            let text = format!("{outputs} outputs are more than the {MOST_OUTPUTS} of any model");
            return Err(errors::input(text));
        }
        Ok(Request {
            model: Arc::clone(&self.model),
            call: call.map(Arc::new).or_else(|| self.called()),
            inputs: self.inputs(values)?,
            outputs,
            timeout,
        })
    }
}

impl Drop for PyModel {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            drop_engine(shared);
        }
    }
}

#[pymethods]
impl PyModel {
    /// Runs on the calling thread. `NotImplemented` where a dictionary is the only value.
    #[pyo3(signature = (values, outputs = None))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        values: &Bound<'py, PyTuple>,
        outputs: Option<usize>,
    ) -> PyResult<Bound<'py, PyAny>> {
        life::check()?;
        let mut given = values.iter_borrowed();
        if given.len() == 1
            && given
                .next()
                .is_some_and(|only| only.is_instance_of::<PyDict>())
        {
            return Ok(py.NotImplemented().into_bound(py));
        }
        let request = self.request(values, outputs, None, None)?;
        self.run_here(py, request)
    }

    /// Runs a function of a script on the calling thread.
    fn run_function<'py>(
        &self,
        py: Python<'py>,
        function: &str,
        values: &Bound<'py, PyTuple>,
        outputs: Option<usize>,
        keys: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        life::check()?;
        let call = self.call(function, keys, args)?;
        let request = self.request(values, outputs, None, Some(call))?;
        self.run_here(py, request)
    }

    /// Queues a run; `done` is called once with the result and the error, one of them `None`, on a thread of the
    /// engine.
    #[pyo3(signature = (values, done, *, outputs = None, timeout = None, function = None, keys = Vec::new(), args = Vec::new()))]
    #[allow(
        clippy::too_many_arguments,
        reason = "keyword arguments of one Python method"
    )]
    fn submit(
        &self,
        py: Python<'_>,
        values: &Bound<'_, PyTuple>,
        done: Py<PyAny>,
        outputs: Option<usize>,
        timeout: Option<f64>,
        function: Option<&str>,
        keys: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> PyResult<PyJob> {
        life::check()?;
        let call = function
            .map(|name| self.call(name, keys, args))
            .transpose()?;
        let request = self.request(values, outputs, timeout, call)?;
        let shared = Arc::clone(self.shared()?);
        let done = Done::new(done);
        let taken = py.detach(|| {
            shared.engine.submit(
                request,
                Box::new(move |outcome, inputs| done.run_ended(outcome, inputs)),
            )
        });
        match taken {
            Ok(job) => Ok(PyJob::of_run(job)),
            Err(refused) => {
                let error = errors::engine(&refused.error);
                drop(refused);
                Err(error)
            }
        }
    }

    /// Whether `run` does all that a caller of a model wants: runs of several requests are never
    /// one, and there is one output.
    #[getter]
    fn is_direct(&self) -> bool {
        self.model.def().batch().size <= 1 && self.outputs == Some(1)
    }

    /// Whether runs of several requests may be one.
    #[getter]
    fn batches(&self) -> bool {
        self.model.def().batch().size > 1
    }

    /// The backend's name.
    #[getter]
    fn backend(&self) -> &'static str {
        self.model.def().backend().name()
    }

    /// The device as it was given.
    #[getter]
    fn device(&self) -> String {
        String::from_utf8_lossy(self.model.def().device().text()).into_owned()
    }

    /// What the model says of the function that runs: a dictionary, empty for a script.
    #[getter]
    fn function<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let place = self.named.as_ref().map_or(0, |(place, _)| *place);
        match self
            .model
            .signature()
            .and_then(|it| it.functions.get(place))
        {
            Some(function) => described(py, function),
            None => Ok(PyDict::new(py)),
        }
    }

    /// Gives the session back; later runs are errors.
    fn unload(&self, py: Python<'_>) -> PyResult<()> {
        life::check()?;
        life::detached(py, || self.model.unload());
        Ok(())
    }

    /// Counters, as `AI.INFO` has them, and times in microseconds.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        life::check()?;
        let (view, runs) = (self.model.stats().view(), self.model.stats().runs());
        let facts = PyDict::new(py);
        facts.set_item("duration_us", view.duration_us)?;
        facts.set_item("samples", view.samples)?;
        facts.set_item("calls", view.calls)?;
        facts.set_item("errors", view.errors)?;
        facts.set_item("late", runs.late)?;
        facts.set_item("batches", runs.batches)?;
        facts.set_item("queued_us", times(py, &runs.queued)?)?;
        facts.set_item("ran_us", times(py, &runs.ran)?)?;
        Ok(facts)
    }

    /// Back to zero.
    fn reset_stats(&self) -> PyResult<()> {
        life::check()?;
        self.model.stats().reset();
        Ok(())
    }
}

impl PyModel {
    pub(crate) fn model(&self) -> &Arc<Model> {
        &self.model
    }

    pub(crate) fn call(
        &self,
        function: &str,
        keys: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> PyResult<Call> {
        Ok(Call {
            function: function.as_bytes().into(),
            keys,
            args,
            context: self.shared()?.number,
        })
    }

    fn run_here<'py>(&self, py: Python<'py>, request: Request) -> PyResult<Bound<'py, PyAny>> {
        // Kept until Python is back: what holds memory of Python's is dropped with the GIL.
        let inputs = request.inputs.clone();
        let shared = self.shared()?;
        let ran = life::detached(py, || shared.engine.run_here(request));
        life::release(py, inputs);
        finished(py, ran)
    }
}

fn times<'py>(py: Python<'py>, times: &Percentiles) -> PyResult<Bound<'py, PyDict>> {
    let micros = |nanos: u64| nanos as f64 / 1_000.0;
    let facts = PyDict::new(py);
    facts.set_item("count", times.count)?;
    facts.set_item("p50", micros(times.p50))?;
    facts.set_item("p90", micros(times.p90))?;
    facts.set_item("p99", micros(times.p99))?;
    facts.set_item("max", micros(times.max))?;
    Ok(facts)
}
