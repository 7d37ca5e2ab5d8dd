//! A model and its runs.

use crate::archive::{Form, Unpacked};
use crate::environment::Environment;
use crate::error::{KERAS, NO_INPUTS, NO_OUTPUTS, STOPPED, bad_model, unsupported};
use crate::names::Names;
use crate::proto::GraphDef;
use crate::run::{self, Place};
use crate::runs::Runs;
use crate::session::Session;
use crate::survey::{Survey, no_graph, survey};
use crate::sys::Output;
use crate::{graph, saved};
use prost::Message;
use redisai_backend_abi::now;
use redisai_core::{
    BackendError, Buffer, Device, Function, LoadRequest, LoadedModel, Run, RunOutput, Signature,
    Status, ValueInfo,
};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A run of this many nanoseconds is one that may last.
const LONG: u64 = 10_000_000;
/// So many runs after it happen where their deadlines end them. A busy machine may hold up a short run.
const WARY: u32 = 64;
/// Sessions that a run may see closed by others before it gives up.
const TRIES: usize = 5;

/// A loaded model.
pub(crate) struct TensorFlowModel {
    recipe: Recipe,
    runs: Arc<Runs>,
    signature: Signature,
    survey: Survey,
    /// How many runs are still to happen where their deadlines end them, since one has lasted.
    wary: AtomicU32,
    current: Mutex<Arc<Built>>,
}

/// What a session is built from, again where one was closed.
struct Recipe {
    environment: &'static Environment,
    blob: Arc<dyn Buffer>,
    device: Device,
    names: Names,
}

/// A session, and where its inputs and outputs are.
struct Built {
    session: Arc<Session>,
    feeds: Vec<Output>,
    fetches: Vec<Output>,
    /// Whether a run has begun: in the first one TensorFlow prepares the graph, which tells nothing of
    /// the others.
    used: AtomicBool,
}

/// What building tells besides.
struct Told {
    signature: Signature,
    survey: Survey,
}

impl TensorFlowModel {
    /// Builds a session.
    pub(crate) fn load(
        environment: &'static Environment,
        runs: Arc<Runs>,
        request: &LoadRequest<'_>,
    ) -> Result<Self, BackendError> {
        let recipe = Recipe {
            environment,
            blob: Arc::clone(request.blob),
            device: request.device.clone(),
            names: Names::of(&request.options),
        };
        let (built, told) = recipe.build()?;
        Ok(Self {
            recipe,
            runs,
            signature: told.signature,
            survey: told.survey,
            wary: AtomicU32::new(0),
            current: Mutex::new(Arc::new(built)),
        })
    }

    /// A session that takes runs.
    fn built(&self) -> Result<Arc<Built>, BackendError> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.session.is_closed() {
            *current = Arc::new(self.recipe.build()?.0);
        }
        Ok(Arc::clone(&current))
    }

    fn learn(&self, lasted: bool) {
        if lasted {
            self.wary.store(WARY, Ordering::Relaxed);
            return;
        }
        let less = |left: u32| left.checked_sub(1);
        let order = Ordering::Relaxed;
        // An error says that there was none left.
        let _ = self.wary.fetch_update(order, order, less);
    }

    fn place(&self, deadline: u64) -> Place {
        if self.survey.loops || self.wary.load(Ordering::Relaxed) > 0 {
            Place::Pool(deadline)
        } else {
            Place::Here
        }
    }
}

impl Recipe {
    fn build(&self) -> Result<(Built, Told), BackendError> {
        let bytes = self.blob.bytes();
        match Form::of(bytes) {
            Form::Graph => self.build_graph(bytes),
            Form::Hdf5 => Err(unsupported(KERAS)),
            form => self.build_saved(form, bytes),
        }
    }

    fn build_graph(&self, bytes: &[u8]) -> Result<(Built, Told), BackendError> {
        let environment = self.environment;
        let def = GraphDef::decode(bytes).map_err(|_| no_graph())?;
        // An empty graph would be imported without an error.
        if def.node.is_empty() {
            return Err(no_graph());
        }
        let survey = survey(&def)?;
        drop(def);
        let graph = graph::import(environment, bytes)?;
        let names = &self.names;
        if names.inputs.is_empty() && names.outputs.is_empty() {
            return Err(bad_model(NO_INPUTS));
        }
        if names.outputs.is_empty() {
            return Err(bad_model(NO_OUTPUTS));
        }
        for name in &names.inputs {
            let found = graph::find(environment, &graph, name);
            if !found.is_some_and(|output| graph::is_placeholder(environment, output)) {
                return Err(graph::no_input(name));
            }
        }
        let session = Session::of_graph(environment, graph, &self.device, survey)?;
        self.finish(session, names, names, survey)
    }

    fn build_saved(&self, form: Form, bytes: &[u8]) -> Result<(Built, Told), BackendError> {
        let unpacked = Unpacked::of(form, bytes)?;
        let plan = saved::plan(&unpacked.graph()?, self.names.clone())?;
        let session =
            Session::of_folder(self.environment, unpacked.root(), &self.device, plan.survey)?;
        self.finish(session, &plan.names, &plan.tensors, plan.survey)
    }

    fn finish(
        &self,
        session: Session,
        names: &Names,
        tensors: &Names,
        survey: Survey,
    ) -> Result<(Built, Told), BackendError> {
        let environment = self.environment;
        let find = |names: &[Vec<u8>], missing: fn(&[u8]) -> BackendError| {
            let found = names.iter().map(|name| {
                graph::find(environment, &session.graph, name).ok_or_else(|| missing(name))
            });
            found.collect::<Result<Vec<Output>, _>>()
        };
        let feeds = find(&tensors.inputs, graph::no_input)?;
        let fetches = find(&tensors.outputs, graph::no_output)?;
        let describe = |names: &[Vec<u8>], outputs: &[Output]| -> Vec<ValueInfo> {
            let pairs = names.iter().zip(outputs);
            pairs
                .map(|(name, &output)| graph::describe(environment, &session.graph, name, output))
                .collect()
        };
        let function = Function {
            inputs: describe(&names.inputs, &feeds),
            outputs: describe(&names.outputs, &fetches),
            ..Function::default()
        };
        let told = Told {
            signature: Signature {
                functions: vec![function],
                control_flow: survey.control_flow,
            },
            survey,
        };
        let built = Built {
            session: Arc::new(session),
            feeds,
            fetches,
            used: AtomicBool::new(false),
        };
        Ok((built, told))
    }
}

impl LoadedModel for TensorFlowModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        let environment = self.recipe.environment;
        for _ in 0..TRIES {
            let built = self.built()?;
            check_counts(run, built.feeds.len(), built.fetches.len())?;
            if run.deadline != 0 && now() >= run.deadline {
                return Err(BackendError::new(Status::Cancelled, STOPPED));
            }
            let place = self.place(run.deadline);
            let running = self.runs.begin(run.id, &built.session, place.is_timed());
            let used = built.used.swap(true, Ordering::Relaxed);
            let start = now();
            let outcome = run::run(
                environment,
                &built.session,
                &built.feeds,
                run.inputs,
                &built.fetches,
                place,
            );
            self.learn(used && now().saturating_sub(start) > LONG);
            match outcome {
                Err(_) if running.stopped() => {
                    return Err(BackendError::new(Status::Cancelled, STOPPED));
                }
                // Somebody else's run was stopped by closing the session.
                Err(_) if built.session.is_closed() => {}
                outcome => return outcome,
            }
        }
        let text = "ERR the model's session was closed again and again";
        Err(BackendError::new(Status::RunFailed, text))
    }
}

/// Numbers of inputs and outputs.
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
