//! What the key of a model or of a script holds.

use crate::build::{self, Waiter};
use crate::inline::Short;
use crate::place::{Place, policy};
use crate::scheduler::{DeviceQueue, LineId};
use crate::session::Session;
use crate::shared::Shared;
use crate::stats::Stats;
use crate::{BatchInfo, Call};
use redisai_core::BackendError;
use redisai_core::{Capabilities, Definition, Function, Signature, Status, ValueInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// A definition, its counters, and the session that is a cache of it. A script is one too: a model with
/// named functions, whose numbers of inputs and outputs its backend judges.
///
/// [`Model::def`], [`Model::names`], [`Model::signature`] and [`Model::stats`] take no lock: a
/// forked child calls them.
pub struct Model {
    def: Definition,
    stats: Stats,
    short: Short,
    pub(crate) shared: Arc<Shared>,
    /// Set by the first build. A session built anew comes from the same bytes and says the same.
    signature: OnceLock<(Signature, Names)>,
    /// Where its jobs wait. Set by the first build, before the state is ready.
    place: OnceLock<Place>,
    /// Its key has been deleted or replaced.
    gone: AtomicBool,
    /// Whether the life's stage is [`Stage::Ready`], for a look without the lock.
    ready: AtomicBool,
    life: Mutex<Life>,
}

/// Names in order.
pub type NameList<'a> = &'a [Box<[u8]>];

/// Names of inputs and of outputs.
type Names = (Vec<Box<[u8]>>, Vec<Box<[u8]>>);

/// How far a model's session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelState {
    /// Never asked for.
    Unbuilt,
    /// Asked for.
    Building,
    /// There.
    Ready,
    /// It could not be built, or broke twice: every run gets this error.
    Failed(BackendError),
}

/// The part of a model that changes.
pub(crate) struct Life {
    pub(crate) stage: Stage,
    /// Sessions lost to a panic so far.
    pub(crate) poisoned: u32,
}

pub(crate) enum Stage {
    Unbuilt,
    Building(Building),
    Ready(Arc<Session>),
    Failed(BackendError),
}

/// A build that is asked for or in progress.
#[derive(Default)]
pub(crate) struct Building {
    /// A thread is at it.
    pub(crate) claimed: bool,
    /// It stands in the loader's first line.
    pub(crate) urgent: bool,
    /// A client asked for it, so a backend that could not be loaded before is tried again.
    pub(crate) explicit: bool,
    /// Whom to tell.
    pub(crate) waiters: Vec<Waiter>,
}

impl Model {
    pub(crate) fn new(shared: Arc<Shared>, def: Definition) -> Self {
        Self {
            def,
            stats: Stats::default(),
            short: Short::default(),
            shared,
            signature: OnceLock::new(),
            place: OnceLock::new(),
            gone: AtomicBool::new(false),
            ready: AtomicBool::new(false),
            life: Mutex::new(Life {
                stage: Stage::Unbuilt,
                poisoned: 0,
            }),
        }
    }

    /// The definition.
    pub fn def(&self) -> &Definition {
        &self.def
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Names of the inputs and of the outputs: the definition's where it has any, else what the
    /// model said when its session was first built; empty before, and for a script.
    pub fn names(&self) -> (NameList<'_>, NameList<'_>) {
        let Some(def) = self.def.model() else {
            return (&[], &[]);
        };
        let (inputs, outputs): (&[_], &[_]) = match self.signature.get() {
            Some((_, (inputs, outputs))) => (inputs, outputs),
            None => (&[], &[]),
        };
        (or_else(&def.inputs, inputs), or_else(&def.outputs, outputs))
    }

    /// What the model says of itself; `None` until its session was built once.
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.get().map(|(signature, _)| signature)
    }

    /// The number of inputs and of outputs: what the model says, or before its first build what
    /// names there are. `None`: not known, or not fixed, or a script's.
    pub fn arity(&self) -> Option<(usize, usize)> {
        let def = self.def.model()?;
        if let Some(signature) = self.signature() {
            let function = signature.functions.first()?;
            let fixed = !function.variadic_inputs && !function.variadic_outputs;
            return fixed.then_some((function.inputs.len(), function.outputs.len()));
        }
        let (inputs, outputs) = (def.inputs.len(), def.outputs.len());
        (inputs > 0 && outputs > 0).then_some((inputs, outputs))
    }

    /// How far the session is.
    pub fn state(&self) -> ModelState {
        match &self.life().stage {
            Stage::Unbuilt => ModelState::Unbuilt,
            Stage::Building(_) => ModelState::Building,
            Stage::Ready(_) => ModelState::Ready,
            Stage::Failed(error) => ModelState::Failed(error.clone()),
        }
    }

    /// Bytes of memory that the object keeps, its session not counted.
    pub fn held(&self) -> usize {
        let derived = self.signature.get().map_or(0, |(_, (inputs, outputs))| {
            let names = inputs.iter().chain(outputs);
            // Each name stands in the signature too, with what is said of it.
            names
                .map(|name| 2 * (name.len() + size_of::<Box<[u8]>>()) + size_of::<ValueInfo>())
                .sum()
        });
        size_of::<Self>() - size_of::<Definition>() + self.def.held() + self.stats.held() + derived
    }

    /// Figures of the session from its backend, such as bytes held; none without a session.
    pub fn figures(&self) -> Vec<(String, String)> {
        self.session()
            .map(|session| session.figures())
            .unwrap_or_default()
    }

    /// The session, if it is there.
    pub(crate) fn session(&self) -> Option<Arc<Session>> {
        match &self.life().stage {
            Stage::Ready(session) => Some(Arc::clone(session)),
            _ => None,
        }
    }

    /// Whether the session was there a moment ago.
    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }

    /// Changes the life under its lock. `change` must call nothing that waits.
    pub(crate) fn with_life<T>(&self, change: impl FnOnce(&mut Life) -> T) -> T {
        let mut life = self.life();
        let result = change(&mut life);
        self.ready
            .store(matches!(life.stage, Stage::Ready(_)), Ordering::Release);
        result
    }

    fn life(&self) -> crate::shared::Guard<'_, Life> {
        crate::shared::lock(&self.life)
    }

    /// What the engine has learned about batches of this model; `None` before its first build, or
    /// where its requests never share runs.
    pub fn batching(&self) -> Option<BatchInfo> {
        let place = self.place.get().filter(|_| self.def.batch().size > 1)?;
        place.queue.gate().learned(place.line)
    }

    /// Says that the model's key has been deleted, or holds something else now: what waits for
    /// `MINBATCHSIZE` runs at once, now and from now on. Takes a lock for a moment.
    pub fn key_gone(&self) {
        self.gone.store(true, Ordering::SeqCst);
        if let Some(place) = self.place.get() {
            place.queue.gate().hurry(place.line);
        }
    }

    /// Gives the session back, for a door whose models are no keys: runs in progress end as they
    /// will, what waits is no longer held up for others, and every later run is an error.
    pub fn unload(self: &Arc<Self>) {
        build::unload(self);
        self.key_gone();
    }

    /// Keeps what a first build found.
    pub(crate) fn learn(
        &self,
        signature: Signature,
        queue: Arc<DeviceQueue>,
        capabilities: &Capabilities,
    ) {
        self.signature.get_or_init(|| {
            let script = self.def.is_script();
            let names = if script {
                Names::default()
            } else {
                names_of(&signature)
            };
            (signature, names)
        });
        let place = self.place.get_or_init(|| {
            let wait = self.shared.config.batch_wait;
            let policy = policy(self.def.batch(), self.signature(), capabilities, wait);
            Place::new(queue, policy, capabilities.max_concurrent_runs as usize)
        });
        // The key may have gone before there was a line to tell.
        if self.gone.load(Ordering::SeqCst) {
            place.queue.gate().hurry(place.line);
        }
    }

    /// How long its runs take.
    pub(crate) fn short(&self) -> &Short {
        &self.short
    }

    /// Where its jobs wait; `None` before its first build.
    pub(crate) fn queue(&self) -> Option<&Arc<DeviceQueue>> {
        self.place.get().map(|place| &place.queue)
    }

    /// Its line there.
    pub(crate) fn line(&self) -> LineId {
        self.place.get().map_or(LineId::MAX, |place| place.line)
    }

    /// Its line, if runs at one time are limited: where permits are had.
    pub(crate) fn limited_line(&self) -> Option<(&Arc<DeviceQueue>, LineId)> {
        let place = self.place.get().filter(|place| place.limited)?;
        Some((&place.queue, place.line))
    }

    /// Refuses counts that the model cannot take, with the contract's texts. A script's functions
    /// have texts of their own, which its backend knows.
    pub(crate) fn check_counts(
        &self,
        call: Option<&Call>,
        inputs: usize,
        outputs: usize,
    ) -> Result<(), BackendError> {
        if self.def.is_script() {
            return Ok(());
        }
        let functions = self.signature().map_or(&[][..], |sig| &sig.functions);
        let function = match call {
            None => functions.first(),
            Some(call) => functions.iter().find(|it| it.name == call.function),
        };
        let Some(function) = function else {
            return Ok(());
        };
        let Function {
            variadic_inputs,
            variadic_outputs,
            ..
        } = *function;
        if !variadic_inputs && inputs != function.inputs.len() {
            return Err(mismatch(
                "Number of keys given as INPUTS here does not match model definition",
            ));
        }
        if !variadic_outputs && outputs != function.outputs.len() {
            return Err(mismatch(
                "Number of keys given as OUTPUTS here does not match model definition",
            ));
        }
        Ok(())
    }
}

fn mismatch(text: &'static str) -> BackendError {
    BackendError::new(Status::BadInput, text)
}

fn or_else<'a>(given: NameList<'a>, derived: NameList<'a>) -> NameList<'a> {
    if given.is_empty() { derived } else { given }
}

fn names_of(signature: &Signature) -> Names {
    let names = |values: &[ValueInfo]| values.iter().map(|value| value.name.clone()).collect();
    signature
        .functions
        .first()
        .map(|function| (names(&function.inputs), names(&function.outputs)))
        .unwrap_or_default()
}
