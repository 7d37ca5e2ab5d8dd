//! A session and its runs.

use crate::environment::Environment;
use crate::error::{Doing, MEMORY_LIMIT, TERMINATED};
use crate::external::{Survey, survey};
use crate::handles::{Session, Value};
use crate::hazards::Checks;
use crate::runs::Runs;
use crate::signature::{self, Names, TYPE_SEQUENCE, TYPE_TENSOR};
use crate::sys::ort;
use crate::{log, sequence, session, tensor};
use ort_sys::OrtValue;
use redisai_backend_abi::{Charge, now, tally};
use redisai_core::{
    BackendError, LoadRequest, LoadedModel, LogLevel, Run, RunOutput, Signature, Status, Tensor,
    ValueInfo, ValueKind,
};
use smallvec::SmallVec;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A loaded model.
pub(crate) struct OnnxModel {
    environment: &'static Environment,
    runs: Arc<Runs>,
    session: Session,
    signature: Signature,
    inputs: Names,
    outputs: Names,
    survey: Survey,
    checks: Checks,
    counted: Counted,
    /// Whether an output without a tensor was already told to the log.
    warned: AtomicBool,
}

impl OnnxModel {
    /// Builds a session.
    pub(crate) fn load(
        environment: &'static Environment,
        runs: Arc<Runs>,
        request: &LoadRequest<'_>,
    ) -> Result<Self, BackendError> {
        let _limited = log::Scope::load();
        let mut survey = survey(request.blob)?;
        survey
            .hazards
            .check_constants(zero_is_caught(environment))?;
        let (session, counted) = build(environment, request, &survey)?;
        let (signature, inputs, outputs) = signature::read(
            environment.api(),
            environment.allocator.as_ptr(),
            &session,
            &survey,
        )?;
        let declared = signature.functions.first();
        let declared = declared.map_or(&[][..], |function| &function.inputs);
        // Names in it are parts of the blob, which is not kept.
        let checks = std::mem::take(&mut survey.hazards).of_inputs(declared);
        Ok(Self {
            environment,
            runs,
            session,
            signature,
            inputs,
            outputs,
            survey,
            checks,
            counted,
            warned: AtomicBool::new(false),
        })
    }

    /// What an output of this place is, as the session says.
    fn declared(&self, place: usize) -> Option<&ValueInfo> {
        self.signature.functions.first()?.outputs.get(place)
    }

    /// An output of a run; `None` where it is no tensor.
    fn output(
        &self,
        place: usize,
        value: Option<Value>,
        inputs: &[Range<usize>],
    ) -> Result<Option<Arc<Tensor>>, BackendError> {
        // An optional that holds nothing has no type either, and asking for it would crash.
        let Some(value) = value.filter(|value| self.holds(value)) else {
            return Ok(None);
        };
        let api = self.environment.api();
        let mut kind = 0_i32;
        // SAFETY: the value is valid and holds something; the enumeration is written as the integer
        // that it is.
        unsafe {
            ort!(
                api,
                Doing::Run,
                GetValueType(value.as_ptr(), (&raw mut kind).cast())
            )?;
        }
        let declared = self.declared(place);
        let tensor = match kind {
            TYPE_TENSOR => Some(tensor::output(self.environment, value, inputs)?),
            TYPE_SEQUENCE if declared.is_some_and(|value| value.kind == ValueKind::ZipMap) => {
                let classes = declared.and_then(|value| self.survey.classes_of(&value.name));
                sequence::zip_map(self.environment, &value, classes)?
            }
            _ => None,
        };
        if tensor.is_none() && !self.warned.swap(true, Ordering::Relaxed) {
            let name = declared
                .map(|value| String::from_utf8_lossy(&value.name))
                .unwrap_or_default();
            self.environment.host.log(
                LogLevel::Warning,
                &format!("ONNX output {name:?} is no tensor, ignoring it (currently unsupported)"),
            );
        }
        Ok(tensor.map(Arc::new))
    }

    /// Refuses inputs that would end the process.
    fn check_inputs(&self, run: &Run<'_>) -> Result<(), BackendError> {
        self.checks
            .check(run.inputs, zero_is_caught(self.environment))?;
        match self.survey.fragile {
            Some(op) if run.inputs.iter().any(|input| input.shape().elements() == 0) => {
                let text = format!("ERR the model's {op} cannot take an input without elements");
                Err(BackendError::new(Status::BadInput, text))
            }
            _ => Ok(()),
        }
    }

    /// Whether a value is more than an empty optional.
    fn holds(&self, value: &Value) -> bool {
        let api = self.environment.api();
        let mut holds = 0;
        // SAFETY: the value is valid.
        let asked = unsafe { ort!(api, Doing::Run, HasValue(value.as_ptr(), &raw mut holds)) };
        asked.is_ok() && holds != 0
    }

    /// Runs the session.
    fn execute(
        &self,
        id: u64,
        values: &[Value],
    ) -> Result<SmallVec<[Option<Value>; 4]>, BackendError> {
        let api = self.environment.api();
        let inputs: SmallVec<[*const OrtValue; 8]> = values
            .iter()
            .map(|value| value.as_ptr().cast_const())
            .collect();
        let mut outputs: SmallVec<[*mut OrtValue; 4]> =
            SmallVec::from_elem(std::ptr::null_mut(), self.outputs.len());
        let running = self.runs.begin(id)?;
        let quiet = log::Scope::run();
        // SAFETY: names and values are as many as is said and live during the call; ONNX Runtime
        // makes the outputs. Any number of threads may run one session.
        let ran = unsafe {
            ort!(
                api,
                Doing::Run,
                Run(
                    self.session.as_ptr(),
                    running.options(),
                    self.inputs.as_ptr(),
                    inputs.as_ptr(),
                    inputs.len(),
                    self.outputs.as_ptr(),
                    outputs.len(),
                    outputs.as_mut_ptr(),
                )
            )
        };
        drop((quiet, running));
        // SAFETY: each is null or a value that the run made for us, whatever the run's end was.
        let outputs = outputs
            .into_iter()
            .map(|raw| unsafe { Value::take(api, raw) })
            .collect();
        ran.map(|()| outputs)
    }
}

impl LoadedModel for OnnxModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        check_counts(run, self.inputs.len(), self.outputs.len())?;
        if run.deadline != 0 && now() >= run.deadline {
            return Err(BackendError::new(Status::Cancelled, TERMINATED));
        }
        self.check_inputs(run)?;
        let values: SmallVec<[Value; 8]> = run
            .inputs
            .iter()
            .map(|tensor| tensor::input(self.environment, tensor))
            .collect::<Result<_, _>>()?;
        let outputs = self.execute(run.id, &values)?;
        let places: SmallVec<[Range<usize>; 8]> = run
            .inputs
            .iter()
            .map(|tensor| {
                let range = tensor.bytes().as_ptr_range();
                range.start as usize..range.end as usize
            })
            .collect();
        outputs
            .into_iter()
            .enumerate()
            .map(|(place, value)| self.output(place, value, &places))
            .collect()
    }

    fn figures(&self) -> Vec<(String, String)> {
        vec![("memory".to_owned(), self.counted.total().to_string())]
    }
}

/// Whether ONNX Runtime looks for integer divisions by zero itself.
fn zero_is_caught(environment: &Environment) -> bool {
    environment.ort.is_at_least(1, 26)
}

/// A session's memory.
struct Counted {
    /// Taken from our allocator.
    allocated: usize,
    /// Weights that ONNX Runtime keeps elsewhere.
    charge: Charge,
}

impl Counted {
    fn total(&self) -> usize {
        self.allocated + self.charge.bytes()
    }
}

/// Builds the session, within the memory limit. Libraries since 1.22 copy weights into memory that is
/// not our allocator's, unless they pack them; so what the model's weights need and our allocator was
/// not asked for is counted besides.
fn build(
    environment: &'static Environment,
    request: &LoadRequest<'_>,
    survey: &Survey,
) -> Result<(Session, Counted), BackendError> {
    let memory = environment.allocator.memory();
    let refused = || {
        let text = format!("Exception during initialization: {MEMORY_LIMIT}");
        BackendError::new(Status::NoMemory, text)
    };
    if !memory.has_room(survey.weights) {
        return Err(refused());
    }
    let (session, allocated) = tally(|| session::build(environment, request, survey.folding));
    let session = session?;
    let elsewhere = survey.weights.saturating_sub(allocated);
    let charge = memory.charge(elsewhere).ok_or_else(refused)?;
    Ok((session, Counted { allocated, charge }))
}

/// Numbers of inputs and outputs, with the contract's texts.
fn check_counts(run: &Run<'_>, inputs: usize, outputs: usize) -> Result<(), BackendError> {
    let text = if run.inputs.len() != inputs {
        format!("ERR Expected {inputs} inputs but got {}", run.inputs.len())
    } else if run.outputs != outputs {
        format!("ERR Expected {outputs} outputs but got {}", run.outputs)
    } else {
        return Ok(());
    };
    Err(BackendError::new(Status::BadInput, text))
}
