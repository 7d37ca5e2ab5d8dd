//! A model and its runs.

use crate::compiled::{Compiled, Source};
use crate::element::dtype_of;
use crate::environment::Environment;
use crate::error::{
    INPUT_TYPE, INPUTS, MEMORY, NO_DEVICE, NO_GPU, NO_INPUT_TYPE, NO_MODEL, NO_OUTPUT_TYPE,
    OUTPUTS, STOPPED, bad_input, bad_model, unsupported,
};
use crate::handles::Model;
use crate::padded::Fitting;
use crate::pool::Pool;
use crate::run;
use crate::signature::{self, Signature};
use crate::survey::survey;
use redisai_backend_abi::{Stops, now};
use redisai_core::{
    BackendError, DType, DeviceKind, LoadRequest, LoadedModel, Run, RunOutput,
    Signature as CoreSignature, Status, Tensor,
};
use std::sync::Arc;

/// A loaded model.
pub(crate) struct TfLiteModel {
    environment: &'static Environment,
    stops: Arc<Stops>,
    source: Arc<Source>,
    pool: Pool,
    /// The default one first.
    signatures: Vec<Signature>,
    core: CoreSignature,
}

impl TfLiteModel {
    /// Parses a model and compiles it once.
    pub(crate) fn load(
        environment: &'static Environment,
        stops: Arc<Stops>,
        request: &LoadRequest<'_>,
    ) -> Result<Self, BackendError> {
        match request.device.kind() {
            DeviceKind::Cpu => {}
            DeviceKind::Gpu(_) => return Err(unsupported(NO_GPU)),
            DeviceKind::Unknown => return Err(unsupported(NO_DEVICE)),
        }
        let source = parse(environment, request)?;
        let signatures = signature::read(environment.api, &source.model)?;
        let core = signature::to_core(&signatures, &source.survey);
        let first = signatures.first().ok_or_else(|| bad_model(NO_MODEL))?;
        let compiled = Compiled::make(environment, &source, first)?;
        Ok(Self {
            environment,
            stops,
            pool: Pool::new(compiled, source.survey.stateful),
            source,
            signatures,
            core,
        })
    }

    /// The signature of a name; the default one where none is given.
    fn find(&self, name: &[u8]) -> Result<&Signature, BackendError> {
        let found = if name.is_empty() {
            self.signatures.first()
        } else {
            self.signatures
                .iter()
                .find(|signature| *signature.key == *name)
        };
        found.ok_or_else(|| {
            let name = String::from_utf8_lossy(name);
            bad_input(format!("ERR the model has no signature {name:?}"))
        })
    }
}

impl LoadedModel for TfLiteModel {
    fn signature(&self) -> &CoreSignature {
        &self.core
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        let signature = self.find(run.function)?;
        check(signature, run)?;
        if run.deadline != 0 && now() >= run.deadline {
            return Err(BackendError::new(Status::Cancelled, STOPPED));
        }
        let compile = || {
            let first = self.signatures.first().unwrap_or(signature);
            Compiled::make(self.environment, &self.source, first)
        };
        self.pool.with(compile, |compiled| {
            let _stoppable = self.stops.begin(run.id, compiled.stop());
            run::run(self.environment, compiled, signature, run.inputs)
        })
    }

    fn figures(&self) -> Vec<(String, String)> {
        let bytes = self.source.bytes.taken();
        vec![("memory".to_owned(), bytes.to_string())]
    }
}

fn parse(
    environment: &'static Environment,
    request: &LoadRequest<'_>,
) -> Result<Arc<Source>, BackendError> {
    let bytes = Fitting::of(environment.host, request.blob)?;
    let (data, len) = (bytes.bytes().as_ptr(), bytes.bytes().len());
    let api = environment.api;
    // SAFETY: the environment is valid; the bytes live as long as the model that is written.
    let model = unsafe {
        Model::make(api, |out| {
            (api.create_model)(environment.as_ptr(), data.cast(), len, out)
        })
    };
    let model = model.map_err(|status| match status {
        MEMORY => BackendError::new(Status::NoMemory, NO_MODEL),
        _ => bad_model(NO_MODEL),
    })?;
    let survey = survey(bytes.bytes())?;
    Ok(Arc::new(Source {
        model,
        bytes,
        survey,
    }))
}

/// Numbers and types of inputs and outputs, which LiteRT does not check.
fn check(signature: &Signature, run: &Run<'_>) -> Result<(), BackendError> {
    if run.inputs.len() != signature.inputs.len() {
        return Err(bad_input(INPUTS));
    }
    if run.outputs != signature.outputs.len() {
        return Err(bad_input(OUTPUTS));
    }
    for (value, input) in signature.inputs.iter().zip(run.inputs) {
        check_type(dtype_of(value.element), input)?;
    }
    let known = |output: &signature::Value| dtype_of(output.element).is_some();
    if signature.outputs.iter().all(known) {
        Ok(())
    } else {
        Err(unsupported(NO_OUTPUT_TYPE))
    }
}

fn check_type(declared: Option<DType>, input: &Tensor) -> Result<(), BackendError> {
    if input.dtype() == DType::String {
        return Err(unsupported(NO_INPUT_TYPE));
    }
    if declared == Some(input.dtype()) {
        Ok(())
    } else {
        Err(bad_input(INPUT_TYPE))
    }
}
