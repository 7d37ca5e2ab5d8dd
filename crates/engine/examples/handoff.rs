//! What a job costs between `submit` and its completion, with a backend that does nothing.
//!
//! `cargo run --release -p redisai-engine --example handoff`

use redisai_core::{
    Backend, BackendError, BackendInfo, BackendKind, Batch, DType, Device, Function, LoadRequest,
    LoadedModel, ModelDef, Run, RunOutput, Shape, Signature, Tensor, ValueInfo,
};
use redisai_engine::{BackendSource, Config, Engine, Model, Outcome, Request, SystemClock};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

struct Nothing(BackendInfo, Signature);

impl Backend for Nothing {
    fn info(&self) -> &BackendInfo {
        &self.0
    }
    fn load(&self, _: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError> {
        Ok(Arc::new(Self(self.0.clone(), self.1.clone())))
    }
    fn cancel(&self, _: u64) {}
    fn figures(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

impl LoadedModel for Nothing {
    fn signature(&self) -> &Signature {
        &self.1
    }
    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        Ok(run.inputs.iter().cloned().map(Some).collect())
    }
}

struct Source;

impl BackendSource for Source {
    fn open(&self, _: BackendKind, _: Option<&[u8]>) -> Result<Arc<dyn Backend>, BackendError> {
        let function = Function {
            inputs: vec![ValueInfo::default()],
            outputs: vec![ValueInfo::default()],
            ..Function::default()
        };
        let signature = Signature {
            functions: vec![function],
            control_flow: false,
        };
        Ok(Arc::new(Nothing(BackendInfo::default(), signature)))
    }
}

fn request(model: &Arc<Model>, input: &Arc<Tensor>, timeout: Option<Duration>) -> Request {
    Request {
        model: Arc::clone(model),
        call: None,
        inputs: [Arc::clone(input)].into_iter().collect(),
        outputs: 1,
        timeout,
    }
}

/// One after the other, as one client sees it: median nanoseconds there and back.
fn alone(engine: &Engine, model: &Arc<Model>, input: &Arc<Tensor>, count: usize) -> u128 {
    let (send, receive): (SyncSender<Instant>, _) = sync_channel(1);
    let mut times: Vec<u128> = (0..count)
        .map(|_| {
            let send = send.clone();
            let begun = Instant::now();
            let done = move |_: Outcome, _| {
                let _ = send.send(Instant::now());
            };
            let taken = engine.submit(request(model, input, None), Box::new(done));
            taken.expect("the queue is empty");
            let ended = receive.recv().expect("every job ends");
            ended.duration_since(begun).as_nanos()
        })
        .collect();
    times.sort_unstable();
    times.get(count / 2).copied().unwrap_or_default()
}

/// All at once, a thousand in line at most: nanoseconds a job.
fn flood(
    engine: &Engine,
    model: &Arc<Model>,
    input: &Arc<Tensor>,
    count: usize,
    timeout: Option<Duration>,
) -> u128 {
    let ended = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    for number in 0..count {
        while number - ended.load(Ordering::Relaxed) > 1_000 {
            std::thread::yield_now();
        }
        let ended = Arc::clone(&ended);
        let done = move |_: Outcome, _| {
            ended.fetch_add(1, Ordering::Relaxed);
        };
        let taken = engine.submit(request(model, input, timeout), Box::new(done));
        taken.expect("the queue is not full");
    }
    while ended.load(Ordering::Relaxed) < count {
        std::thread::yield_now();
    }
    begun.elapsed().as_nanos() / count as u128
}

/// On the caller's own thread: nanoseconds a run.
fn here(engine: &Engine, model: &Arc<Model>, input: &Arc<Tensor>, count: usize) -> u128 {
    let begun = Instant::now();
    for _ in 0..count {
        let ran = engine.run_here(request(model, input, None));
        ran.expect("it does nothing");
    }
    begun.elapsed().as_nanos() / count as u128
}

fn main() {
    let engine = Engine::new(Config::default(), Arc::new(Source), Arc::new(SystemClock));
    let model = engine.model(ModelDef {
        backend: BackendKind::Onnx,
        device: Device::cpu(),
        tag: Box::default(),
        batch: Batch::default(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        blob: Arc::new(Vec::new()),
    });
    engine.build_here(&model).expect("it does nothing");
    let shape = Shape::new(&[1, 256]).expect("it is small");
    let input = Arc::new(Tensor::zeros(DType::Float, shape).expect("it is small"));
    let wait = Some(Duration::from_secs(5));
    for round in 1..=3 {
        println!(
            "round {round}: alone {} ns, flood {} ns, flood with TIMEOUT {} ns, run_here {} ns, timer wakes {}",
            alone(&engine, &model, &input, 20_000),
            flood(&engine, &model, &input, 500_000, None),
            flood(&engine, &model, &input, 500_000, wait),
            here(&engine, &model, &input, 500_000),
            engine.info().timer_wakes,
        );
    }
}
