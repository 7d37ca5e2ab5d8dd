//! Tests of the engine with a backend and a clock made for them.

mod batches;
mod builds;
mod deadlines;
mod halving;
mod limits;
mod memory;
mod minimum;
mod overruns;
mod runs;
mod scripts;
mod stress;
mod unload;
mod waits;

use crate::testing::{FakeBackends, FakeClock, FakeSource};
use crate::{Config, Engine, Inputs, JobHandle, Model, Outcome, Request};
use redisai_core::{
    BackendError, BackendKind, Batch, Buffer, DType, Device, ModelDef, RunOutput, ScriptDef, Shape,
    Tensor,
};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An engine with everything made by hand.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) backends: Arc<FakeBackends>,
    pub(crate) log: Arc<Log>,
}

/// The lines of a log.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<Vec<String>>,
    bell: Bell,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let (clock, backends) = (FakeClock::new(), FakeBackends::new());
        let log = Arc::new(Log::default());
        let writer = Arc::clone(&log);
        let config = Config {
            log: Arc::new(move |_, line| {
                writer.lines.lock().unwrap().push(line.to_owned());
                writer.bell.ring();
            }),
            ..config
        };
        let source = Arc::new(FakeSource(Arc::clone(&backends)));
        Self {
            engine: Engine::new(config, source, clock.clone()),
            clock,
            backends,
            log,
        }
    }

    /// A model that nobody has built.
    pub(crate) fn unbuilt(&self, blob: &str) -> Arc<Model> {
        self.engine.model(def(BackendKind::Onnx, blob, "CPU"))
    }

    /// A model that is ready.
    pub(crate) fn model(&self, blob: &str) -> Arc<Model> {
        let model = self.unbuilt(blob);
        self.engine.build_here(&model).unwrap();
        model
    }

    /// A model that is ready and joins requests.
    pub(crate) fn batched(&self, blob: &str, batch: Batch) -> Arc<Model> {
        let model = self.engine.model(ModelDef {
            batch,
            ..def(BackendKind::Onnx, blob, "CPU")
        });
        self.engine.build_here(&model).unwrap();
        model
    }

    /// Keeps the one worker busy until the next [`FakeBackends::release`].
    pub(crate) fn occupy(&self) -> Pending {
        let started = self.backends.runs().len();
        let job = self.submit(&self.model("hold"), None);
        self.backends.wait_started(started + 1);
        job
    }

    /// Hands in a run of these inputs and one output.
    pub(crate) fn submit_inputs(
        &self,
        model: &Arc<Model>,
        inputs: impl IntoIterator<Item = Arc<Tensor>>,
        timeout_ms: Option<u64>,
    ) -> Pending {
        let (completion, ended) = watcher();
        let request = Request {
            timeout: timeout_ms.map(Duration::from_millis),
            inputs: inputs.into_iter().collect(),
            ..request(model)
        };
        let handle = self.engine.submit(request, completion).unwrap();
        Pending { handle, ended }
    }

    /// Hands in a run of one input and one output.
    pub(crate) fn submit(&self, model: &Arc<Model>, timeout_ms: Option<u64>) -> Pending {
        let (completion, ended) = watcher();
        let request = Request {
            timeout: timeout_ms.map(Duration::from_millis),
            ..request(model)
        };
        let handle = self.engine.submit(request, completion).unwrap();
        Pending { handle, ended }
    }

    /// Waits until the log has so many lines; gives them.
    pub(crate) fn log(&self, count: usize) -> Vec<String> {
        self.log.bell.wait_for(count);
        self.log.lines.lock().unwrap().clone()
    }

    /// Waits until the engine has so many threads.
    pub(crate) fn wait_threads(&self, count: usize) {
        let begun = std::time::Instant::now();
        while self.engine.info().threads != count {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.engine.info());
            std::thread::yield_now();
        }
    }

    /// Moves the clock.
    pub(crate) fn pass(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Waits for a build.
    pub(crate) fn built(&self, model: &Arc<Model>) -> Result<(), BackendError> {
        let (send, receive) = channel();
        self.engine
            .when_built(model, Box::new(move |result| send.send(result).unwrap()));
        receive.recv_timeout(PATIENCE).unwrap()
    }
}

/// A job in flight.
pub(crate) struct Pending {
    pub(crate) handle: JobHandle,
    ended: Receiver<(Outcome, Inputs)>,
}

impl Pending {
    /// How it ended.
    pub(crate) fn end(&self) -> (Outcome, Inputs) {
        let ended = self.ended.recv_timeout(PATIENCE).unwrap();
        assert!(self.ended.try_recv().is_err(), "completed twice");
        ended
    }

    /// The result of a job that must end with one.
    pub(crate) fn result(&self) -> Result<RunOutput, BackendError> {
        match self.end().0 {
            Outcome::Done(result) => result,
            other => panic!("{}", name(&other)),
        }
    }

    /// The text of an error that must come.
    pub(crate) fn error(&self) -> String {
        self.result().unwrap_err().to_string()
    }

    /// Whether it has not ended.
    pub(crate) fn is_waiting(&self) -> bool {
        self.handle.pending() && self.ended.try_recv().is_err()
    }

    pub(crate) fn ends_as(&self, expected: &str) -> Inputs {
        let (outcome, inputs) = self.end();
        assert_eq!(name(&outcome), expected);
        inputs
    }
}

pub(crate) fn name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Done(Ok(_)) => "ok",
        Outcome::Done(Err(_)) => "error",
        Outcome::TimedOut => "timed out",
        Outcome::Gone => "gone",
    }
}

pub(crate) fn watcher() -> (crate::Completion, Receiver<(Outcome, Inputs)>) {
    let (send, receive) = channel();
    let completion = move |outcome, inputs| {
        // A test that is over has dropped the receiver.
        let _ = send.send((outcome, inputs));
    };
    (Box::new(completion), receive)
}

pub(crate) fn request(model: &Arc<Model>) -> Request {
    Request {
        model: Arc::clone(model),
        call: None,
        inputs: [tensor(&[3, 2])].into_iter().collect(),
        outputs: 1,
        timeout: None,
    }
}

pub(crate) fn tensor(dims: &[i64]) -> Arc<Tensor> {
    Arc::new(Tensor::zeros(DType::Float, Shape::new(dims).unwrap()).unwrap())
}

/// A matrix of INT8 of which each byte is `value`.
pub(crate) fn bytes(rows: i64, columns: i64, value: u8) -> Arc<Tensor> {
    let shape = Shape::new(&[rows, columns]).unwrap();
    let data = vec![value; shape.elements()];
    Arc::new(Tensor::new(DType::UInt8, shape, Box::new(data)).unwrap())
}

/// `BATCHSIZE`, nothing else.
pub(crate) fn size(size: u64) -> Batch {
    Batch {
        size,
        ..Batch::default()
    }
}

pub(crate) fn def(backend: BackendKind, blob: &str, device: &str) -> ModelDef {
    ModelDef {
        backend,
        device: Device::lenient(device.as_bytes()),
        tag: Box::default(),
        batch: Batch::default(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        blob: Arc::new(blob.as_bytes().to_vec()),
    }
}

/// A script whose source is what a fake backend is to do.
pub(crate) fn script(source: &str, device: &str) -> ScriptDef {
    ScriptDef {
        device: Device::lenient(device.as_bytes()),
        tag: Box::default(),
        entry_points: Vec::new(),
        source: Arc::new(source.as_bytes().to_vec()),
    }
}

/// Bytes that say on which thread they end.
pub(crate) struct Traced(Vec<u8>, std::sync::mpsc::Sender<String>);

impl Traced {
    pub(crate) fn new(bytes: &[u8]) -> (Self, Receiver<String>) {
        let (send, receive) = channel();
        (Self(bytes.to_vec(), send), receive)
    }
}

impl Buffer for Traced {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        let thread = std::thread::current().name().unwrap_or("").to_owned();
        let _ = self.1.send(thread);
    }
}

/// Counts, and waits for a count.
#[derive(Default)]
pub(crate) struct Bell {
    count: Mutex<usize>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn ring(&self) {
        *self.count.lock().unwrap() += 1;
        self.rung.notify_all();
    }

    pub(crate) fn wait_for(&self, count: usize) {
        let (reached, out) = self
            .rung
            .wait_timeout_while(self.count.lock().unwrap(), PATIENCE, |rung| *rung < count)
            .unwrap();
        assert!(!out.timed_out(), "{} of {count}", *reached);
    }
}
