//! The cases. Each panics where the backend does otherwise.

use super::session::{load, model, numbered, run, run_with};
use super::{Fixture, Model};
use crate::{CountedBytes, sample};
use redisai_core::{
    Backend, BackendError, Buffer, DType, Device, LoadKind, LoadRequest, LoadedModel, Shape,
    Status, Tensor,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long a case waits for what must happen.
const PATIENCE: Duration = Duration::from_mins(1);

/// Every dtype that the fixture has comes back as it went in: from memory without alignment, strings
/// with any bytes.
pub fn every_dtype(backend: &dyn Backend, fixture: &dyn Fixture) {
    let mut seen = 0;
    for dtype in DType::all() {
        let Some(session) = model(backend, fixture, dtype, 1) else {
            continue;
        };
        seen += 1;
        for dims in [&[1][..], &[2, 3], &[3, 1, 2], &[1, 2, 1, 3, 2]] {
            check_identity(session.as_ref(), &[sample(dtype, dims, 7)]);
        }
    }
    assert!(seen >= 4, "only {seen} dtypes have a fixture");
}

/// Tensors without dimensions, and with dimensions of 0.
pub fn scalars_and_empty_dims(backend: &dyn Backend, fixture: &dyn Fixture) {
    for dtype in [DType::Float, DType::Int64, DType::Bool, DType::String] {
        let Some(session) = model(backend, fixture, dtype, 1) else {
            continue;
        };
        for dims in [&[][..], &[0], &[0, 3], &[2, 0]] {
            let input = [sample(dtype, dims, 3)];
            if fixture.refuses(dims) {
                let outcome = run(session.as_ref(), &input).map(|_| ());
                check_error(outcome, Some(Status::BadInput));
            } else {
                check_identity(session.as_ref(), &input);
            }
        }
        check_identity(session.as_ref(), &[sample(dtype, &[2], 3)]);
    }
}

/// More inputs and outputs than any small array holds.
pub fn many_inputs_and_outputs(backend: &dyn Backend, fixture: &dyn Fixture) {
    for count in [2, 9, 40] {
        let session = model(backend, fixture, DType::Float, count).expect("a FLOAT fixture");
        let inputs: Vec<Arc<Tensor>> = (0..count)
            .map(|place| sample(DType::Float, &[2, 1 + place as i64 % 3], place as u8))
            .collect();
        check_identity(session.as_ref(), &inputs);
    }
}

/// A sum is the sum.
pub fn computes(backend: &dyn Backend, fixture: &dyn Fixture) {
    let session = load(backend, &fixture.sum()).expect("the sum model loads");
    let inputs = [
        floats(&[3], &[1.0, 2.0, 3.5]),
        floats(&[3], &[10.0, -2.0, 0.25]),
    ];
    let outputs = run_with(session.as_ref(), &numbered(&inputs, 1)).expect("it runs");
    let output = outputs[0].as_ref().expect("a tensor");
    assert_eq!(output.shape().dims(), [3]);
    assert_eq!(output.bytes(), floats(&[3], &[11.0, 0.0, 3.75]).bytes());
}

/// Too few or too many inputs, and too many outputs, are errors and nothing worse.
pub fn wrong_counts_are_refused(backend: &dyn Backend, fixture: &dyn Fixture) {
    let session = model(backend, fixture, DType::Float, 2).expect("a FLOAT fixture");
    let inputs: Vec<Arc<Tensor>> = (0..3)
        .map(|seed| sample(DType::Float, &[2], seed))
        .collect();
    for (given, asked) in [(0, 0), (1, 2), (3, 2), (2, 3), (2, 100)] {
        let wrong = numbered(&inputs[..given], asked);
        check_error(run_with(session.as_ref(), &wrong).map(|_| ()), None);
    }
    check_identity(session.as_ref(), &inputs[..2]);
}

/// A run that fails says so in one line, and again and again; other sessions do not mind.
pub fn errors_leave_the_session_usable(backend: &dyn Backend, fixture: &dyn Fixture) {
    let failing = load(backend, &fixture.failing()).expect("the failing model loads");
    let session = model(backend, fixture, DType::Float, 1).expect("a FLOAT fixture");
    let input = [sample(DType::Float, &[2], 0)];
    for _ in 0..3 {
        check_error(run(failing.as_ref(), &input).map(|_| ()), None);
        check_identity(session.as_ref(), &input);
    }
}

/// What is no model is refused as one.
pub fn garbage_is_refused(backend: &dyn Backend, fixture: &dyn Fixture) {
    let mut garbage = fixture.garbage();
    assert!(!garbage.is_empty(), "the fixture has garbage");
    garbage.push(Model::default());
    garbage.push(Model::from("\0\u{1}\u{2}garbage"));
    for blob in &garbage {
        check_error(load(backend, blob).map(|_| ()), Some(Status::BadModel));
    }
}

/// A device that is not there is refused at load, never replaced.
pub fn unknown_devices_are_refused(backend: &dyn Backend, fixture: &dyn Fixture) {
    let model = fixture.identity(DType::Float, 1).expect("a FLOAT fixture");
    let blob: Arc<dyn Buffer> = Arc::new(model.blob.clone());
    // Who has a GPU, or pretends to, may take any number of one.
    let devices = &backend.info().capabilities.devices;
    let has_gpu = devices.iter().any(|device| device.starts_with("GPU"));
    let absent = if has_gpu {
        &["TPU", ""][..]
    } else {
        &["TPU", "", "GPU", "GPU:99"]
    };
    for text in absent {
        let outcome = backend.load(&LoadRequest {
            kind: LoadKind::Model,
            blob: &blob,
            device: &Device::lenient(text.as_bytes()),
            options: model.options.clone(),
        });
        check_error(outcome.map(|_| ()), None);
    }
}

/// Outputs stay readable after their inputs, their session and the thread are gone, and may be
/// released in any order on any thread.
pub fn outputs_outlive_everything(backend: &dyn Backend, fixture: &dyn Fixture) {
    for dtype in [DType::Float, DType::String] {
        let Some(session) = model(backend, fixture, dtype, 3) else {
            continue;
        };
        let make = |seed| sample(dtype, &[4], seed);
        let outputs = {
            let inputs = [make(1), make(2), make(3)];
            let outputs = run(session.as_ref(), &inputs).expect("it runs");
            drop(inputs);
            drop(session);
            outputs
        };
        let mut outputs: Vec<Arc<Tensor>> = outputs.into_iter().flatten().collect();
        assert_eq!(outputs.len(), 3);
        let first = outputs.remove(0);
        for (output, seed) in outputs.into_iter().zip([2, 3]).rev() {
            let expected = make(seed);
            let check = move || check_same(&output, &expected);
            thread::spawn(check).join().expect("the output is whole");
        }
        check_same(&first, &make(1));
    }
}

/// After the last output is gone, nobody keeps an input's memory.
pub fn inputs_are_let_go(backend: &dyn Backend, fixture: &dyn Fixture) {
    let session = model(backend, fixture, DType::Float, 2).expect("a FLOAT fixture");
    let alive = Arc::new(AtomicUsize::new(0));
    let make = || {
        let data = CountedBytes::new(vec![1; 8], &alive);
        let shape = Shape::new(&[2]).expect("a shape");
        let tensor = Tensor::new(DType::Float, shape, Box::new(data));
        Arc::new(tensor.expect("a tensor"))
    };
    for _ in 0..3 {
        let inputs = [make(), make()];
        let outputs = run(session.as_ref(), &inputs).expect("it runs");
        let wrong = numbered(&inputs[..1], 2);
        assert!(session.run(&wrong).is_err());
        drop(inputs);
        drop(outputs);
        assert_eq!(alive.load(Ordering::SeqCst), 0, "an input is still held");
    }
}

/// A session keeps its blob itself, if it needs it, and lets it go with the last of its outputs.
pub fn blobs_are_let_go(backend: &dyn Backend, fixture: &dyn Fixture) {
    let model = fixture.identity(DType::Float, 1).expect("a FLOAT fixture");
    let alive = Arc::new(AtomicUsize::new(0));
    let session = {
        let blob: Arc<dyn Buffer> = Arc::new(CountedBytes::new(model.blob.clone(), &alive));
        let loaded = backend.load(&LoadRequest {
            kind: LoadKind::Model,
            blob: &blob,
            device: &Device::cpu(),
            options: model.options,
        });
        loaded.expect("the identity model loads")
    };
    check_identity(session.as_ref(), &[sample(DType::Float, &[2], 0)]);
    drop(session);
    assert_eq!(alive.load(Ordering::SeqCst), 0, "the blob is still held");
}

/// Runs of one session side by side do not mix their data up.
pub fn runs_side_by_side(backend: &dyn Backend, fixture: &dyn Fixture) {
    let threads = match backend.info().capabilities.max_concurrent_runs {
        0 => 8,
        most => most.min(8),
    };
    let session = model(backend, fixture, DType::Float, 2).expect("a FLOAT fixture");
    thread::scope(|scope| {
        for number in 0..threads {
            let session = session.as_ref();
            scope.spawn(move || {
                for turn in 0..50 {
                    let seed = (number * 50 + turn) as u8;
                    let inputs = [
                        sample(DType::Float, &[1 + i64::from(number), 3], seed),
                        sample(DType::Float, &[5], seed.wrapping_add(1)),
                    ];
                    check_identity(session, &inputs);
                }
            });
        }
    });
}

/// Sessions are built and dropped on several threads at once.
pub fn sessions_come_and_go(backend: &dyn Backend, fixture: &dyn Fixture) {
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for seed in 0..10 {
                    let session =
                        model(backend, fixture, DType::Float, 1).expect("a FLOAT fixture");
                    check_identity(session.as_ref(), &[sample(DType::Float, &[3], seed)]);
                }
            });
        }
    });
}

/// `cancel` ends a run; the session (or, where it says `POISONED`, a new one) runs again. For backends
/// that can cancel.
pub fn cancel_ends_a_run(backend: &dyn Backend, fixture: &dyn Fixture) {
    if !backend.info().capabilities.cancellation {
        return;
    }
    let endless = fixture
        .endless()
        .expect("who can cancel has an endless model");
    let session = load(backend, &endless).expect("the endless model loads");
    let inputs = [fixture.endless_input()];
    for before in [AT_ONCE, IN_FULL_SWING] {
        let run = numbered(&inputs, 1);
        let error = cancelled(backend, session.as_ref(), &run, before);
        assert_eq!(error.status, Status::Cancelled, "{error}");
    }
    let session = model(backend, fixture, DType::Float, 1).expect("a FLOAT fixture");
    check_identity(session.as_ref(), &[sample(DType::Float, &[2], 0)]);
}

/// A cancel while the framework may still be preparing a session's first run.
const AT_ONCE: Duration = Duration::from_millis(5);
/// A cancel when the preparations of a small model are long over, on a busy machine too.
const IN_FULL_SWING: Duration = Duration::from_millis(500);

/// Cancels a run from a time after its start on until it is over: nobody outside knows when it has
/// begun.
fn cancelled(
    backend: &dyn Backend,
    session: &dyn LoadedModel,
    run: &redisai_core::Run<'_>,
    before: Duration,
) -> BackendError {
    let end = Instant::now() + PATIENCE;
    thread::scope(|scope| {
        let (over, is_over) = mpsc::channel();
        let running = scope.spawn(move || {
            let outcome = session.run(run);
            over.send(()).expect("somebody waits");
            outcome
        });
        let mut wait = before;
        while is_over.recv_timeout(wait).is_err() {
            assert!(Instant::now() < end, "cancel does not end the run");
            backend.cancel(run.id);
            wait = AT_ONCE;
        }
        let outcome = running.join().expect("the run does not panic");
        outcome.expect_err("a cancelled run fails")
    })
}

/// Numbers that are not running are ignored, before and between runs.
pub fn cancel_of_nothing_is_ignored(backend: &dyn Backend, fixture: &dyn Fixture) {
    backend.cancel(u64::MAX);
    let session = model(backend, fixture, DType::Float, 1).expect("a FLOAT fixture");
    let inputs = [sample(DType::Float, &[2], 0)];
    let over = numbered(&inputs, 1);
    run_with(session.as_ref(), &over).expect("it runs");
    backend.cancel(over.id);
    check_identity(session.as_ref(), &inputs);
}

/// A run whose deadline has passed does not start. For backends that can cancel.
pub fn a_late_run_does_not_start(backend: &dyn Backend, fixture: &dyn Fixture) {
    if !backend.info().capabilities.cancellation {
        return;
    }
    let session = model(backend, fixture, DType::Float, 1).expect("a FLOAT fixture");
    let inputs = [sample(DType::Float, &[2], 0)];
    let mut late = numbered(&inputs, 1);
    late.deadline = 1;
    let outcome = run_with(session.as_ref(), &late).map(|_| ());
    check_error(outcome, Some(Status::Cancelled));
    let mut early = numbered(&inputs, 1);
    early.deadline = u64::MAX;
    run_with(session.as_ref(), &early).expect("a run with time left starts");
}

/// The signature has the inputs and outputs of the model.
pub fn signature_says_what_it_is(backend: &dyn Backend, fixture: &dyn Fixture) {
    for count in [1, 3] {
        let session = model(backend, fixture, DType::Float, count).expect("a FLOAT fixture");
        let functions = &session.signature().functions;
        assert_eq!(functions.len(), 1);
        let function = &functions[0];
        assert_eq!(
            (function.inputs.len(), function.outputs.len()),
            (count, count)
        );
        assert!(!function.variadic_inputs && !function.variadic_outputs);
        for value in function.inputs.iter().chain(&function.outputs) {
            // A model may leave its types open, but may not name a wrong one.
            assert!(
                matches!(value.dtype, None | Some(DType::Float)),
                "{value:?}"
            );
        }
        assert!(!session.signature().control_flow);
    }
}

/// Name, version and figures can be asked for at any time.
pub fn info_says_what_it_is(backend: &dyn Backend, fixture: &dyn Fixture) {
    let info = backend.info();
    assert!(
        !info.name.is_empty() && !info.version.is_empty(),
        "{info:?}"
    );
    let session = model(backend, fixture, DType::Float, 1).expect("a FLOAT fixture");
    let figures = backend.figures().into_iter().chain(session.figures());
    for (name, _) in figures {
        assert!(!name.is_empty());
    }
}

fn check_identity(session: &dyn LoadedModel, inputs: &[Arc<Tensor>]) {
    let outputs = run(session, inputs).unwrap_or_else(|error| panic!("{inputs:?}: {error}"));
    for (input, output) in inputs.iter().zip(outputs) {
        check_same(&output.expect("a tensor"), input);
    }
}

fn check_same(output: &Tensor, expected: &Tensor) {
    assert_eq!(output.dtype(), expected.dtype());
    assert_eq!(output.shape(), expected.shape());
    assert_eq!(output.bytes(), expected.bytes(), "{expected:?}");
    assert_eq!(output.offsets(), expected.offsets());
}

fn check_error(outcome: Result<(), BackendError>, status: Option<Status>) {
    let error = outcome.expect_err("an error");
    assert!(!error.text.trim().is_empty(), "an error has a text");
    assert!(!error.text.contains('\n'), "{error}");
    assert_ne!(error.status, Status::Poisoned, "{error}");
    if let Some(status) = status {
        assert_eq!(error.status, status, "{error}");
    }
}

fn floats(dims: &[i64], values: &[f32]) -> Arc<Tensor> {
    let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_ne_bytes()).collect();
    let shape = Shape::new(dims).expect("a shape");
    let tensor = Tensor::new(DType::Float, shape, Box::new(bytes));
    Arc::new(tensor.expect("a tensor"))
}
