//! DAGs over the fake backends.

mod early;
mod many;

use super::progress::no_tensor;
use super::*;
use crate::tests::{Bell, PATIENCE, Pending, Rig, Traced, def, tensor};
use crate::{Config, StatsView};
use redisai_core::{BackendKind, DType, ModelDef, Shape};
use std::sync::mpsc::{Receiver, channel};

pub(super) fn op(model: &Arc<Model>, inputs: &[usize], outputs: &[usize]) -> DagOp {
    DagOp {
        call: None,
        model: Arc::clone(model),
        inputs: inputs.iter().copied().collect(),
        outputs: outputs.iter().copied().collect(),
    }
}

/// Two workers a queue.
fn pair() -> Rig {
    Rig::with(Config {
        threads_per_queue: 2,
        ..Config::default()
    })
}

/// A model that is ready, on a device.
fn on(rig: &Rig, device: &str, blob: &str) -> Arc<Model> {
    let model = rig.engine.model(def(BackendKind::Onnx, blob, device));
    rig.engine.build_here(&model).unwrap();
    model
}

/// A DAG in flight.
struct Flight {
    handle: DagHandle,
    ended: Receiver<DagOutcome>,
}

impl Flight {
    /// Hands in operations over one filled slot and `empty` more.
    fn new(rig: &Rig, empty: usize, ops: Vec<DagOp>, timeout_ms: Option<u64>) -> Self {
        let mut slots = vec![Some(tensor(&[2, 3]))];
        slots.resize(1 + empty, None);
        Self::over(rig, slots, ops, timeout_ms)
    }

    fn over(rig: &Rig, slots: Slots, ops: Vec<DagOp>, timeout_ms: Option<u64>) -> Self {
        let (send, ended) = channel();
        let timeout = timeout_ms.map(Duration::from_millis);
        let request = DagRequest {
            slots,
            ops,
            timeout,
        };
        let done = Box::new(move |outcome| {
            // A test that is over has dropped the receiver.
            let _ = send.send(outcome);
        });
        let handle = rig.engine.submit_dag(request, done);
        Self { handle, ended }
    }

    fn end(&self) -> DagOutcome {
        let outcome = self.ended.recv_timeout(PATIENCE).unwrap();
        assert!(self.ended.try_recv().is_err(), "completed twice");
        outcome
    }

    fn result(&self) -> DagResult {
        match self.end() {
            DagOutcome::Done(result) => result,
            DagOutcome::TimedOut => panic!("timed out"),
            DagOutcome::Gone => panic!("gone"),
        }
    }

    /// The ends of the operations in short: errors by their text.
    fn ends(&self) -> Vec<String> {
        let result = self.result();
        result.ops.iter().map(short).collect()
    }
}

fn short(end: &OpEnd) -> String {
    match end {
        OpEnd::Done => "done".to_owned(),
        OpEnd::Failed(error) => error.to_string(),
        OpEnd::NotRun => "not run".to_owned(),
    }
}

/// Waits until a model has counted so many runs.
fn wait_calls(model: &Arc<Model>, calls: u64) -> StatsView {
    let begun = std::time::Instant::now();
    while model.stats().view().calls < calls {
        assert!(begun.elapsed() < PATIENCE, "{:?}", model.stats().view());
        std::thread::yield_now();
    }
    model.stats().view()
}

#[test]
fn a_dag_without_operations_ends_at_once() {
    let rig = Rig::new();
    let flight = Flight::new(&rig, 1, Vec::new(), Some(1));
    let result = flight.ended.try_recv().unwrap();
    let DagOutcome::Done(result) = result else {
        panic!("it ended early");
    };
    assert!(result.ops.is_empty() && result.slots[0].is_some() && result.slots[1].is_none());
    flight.handle.gone();
}

#[test]
fn one_operation_is_a_plain_request() {
    let rig = Rig::new();
    let input = tensor(&[2, 3]);
    let slots = || vec![None, Some(Arc::clone(&input))];
    let flight = Flight::over(
        &rig,
        slots(),
        vec![op(&rig.model("echo"), &[1], &[0])],
        None,
    );
    assert!(matches!(flight.handle.0, Inner::One(_)));
    let result = flight.result();
    assert_eq!(result.ops, [OpEnd::Done]);
    assert!(Arc::ptr_eq(result.slots[0].as_ref().unwrap(), &input));

    let ends = |model: Arc<Model>, input: usize| {
        Flight::over(&rig, slots(), vec![op(&model, &[input], &[0])], None).ends()
    };
    assert_eq!(ends(rig.model("fail"), 1), ["it failed"]);
    assert_eq!(
        ends(rig.model("echo 2 1"), 1),
        ["Number of keys given as INPUTS here does not match model definition"]
    );
    assert_eq!(ends(rig.model("echo"), 0), [no_tensor().text]);
    assert_eq!(ends(rig.model("echo"), 7), [no_tensor().text]);
    assert_eq!(ends(rig.unbuilt("badload"), 1), ["bad model"]);
    rig.engine.shutdown();
    assert_eq!(
        ends(rig.unbuilt("echo"), 1),
        ["ERR The server is shutting down"]
    );
}

#[test]
fn one_operation_ends_early_as_a_plain_request_does() {
    let rig = Rig::new();
    let hold = rig.model("hold");
    let flight = Flight::new(&rig, 1, vec![op(&hold, &[0], &[1])], Some(50));
    rig.backends.wait_started(1);
    rig.pass(50);
    assert!(matches!(flight.end(), DagOutcome::TimedOut));
    let flight = Flight::new(&rig, 1, vec![op(&hold, &[0], &[1])], None);
    rig.backends.wait_started(2);
    flight.handle.gone();
    assert!(matches!(flight.end(), DagOutcome::Gone));
    rig.backends.release(1);
    assert_eq!(wait_calls(&hold, 2).errors, 1);
}

#[test]
fn independent_operations_run_side_by_side() {
    // On one device that has two workers, and on two devices.
    let (pair, two) = (pair(), Rig::new());
    for (rig, device) in [(&pair, "CPU"), (&two, "CPU:1")] {
        let (first, second) = (on(rig, "CPU", "hold"), on(rig, device, "hold"));
        let join = on(rig, "CPU", "echo 2 1");
        let ops = vec![
            op(&first, &[0], &[1]),
            op(&second, &[0], &[2]),
            op(&join, &[1, 2], &[3]),
        ];
        let flight = Flight::new(rig, 3, ops, None);
        rig.backends.wait_started(2);
        assert_eq!(rig.backends.runs(), ["hold", "hold"]);
        rig.backends.release(2);
        let result = flight.result();
        assert_eq!(result.ops, [OpEnd::Done, OpEnd::Done, OpEnd::Done]);
        assert!(result.slots.iter().all(Option::is_some));
    }
}

#[test]
fn an_operation_waits_for_a_session() {
    let rig = Rig::new();
    let (echo, slow) = (rig.model("echo"), rig.unbuilt("holdload"));
    let ops = vec![op(&slow, &[0], &[1]), op(&echo, &[1], &[2])];
    let flight = Flight::new(&rig, 2, ops, Some(60_000));
    rig.backends.wait_loads(2);
    assert!(flight.ended.try_recv().is_err());
    rig.backends.release(1);
    assert_eq!(flight.ends(), ["done", "done"]);
}

#[test]
fn what_stands_before_a_failure_runs_to_its_end() {
    let rig = pair();
    let (hold, fail, echo) = (rig.model("hold"), rig.model("fail"), rig.model("echo"));
    let ops = vec![
        op(&hold, &[0], &[1]),
        op(&echo, &[1], &[2]),
        op(&fail, &[0], &[3]),
        op(&echo, &[0], &[4]),
        op(&echo, &[2], &[5]),
    ];
    let flight = Flight::new(&rig, 5, ops, None);
    // The failure drops what waits behind it in the queue, before the worker looks there.
    wait_calls(&fail, 1);
    rig.submit(&echo, None).result().unwrap();
    assert_eq!(echo.stats().view().calls, 1);
    assert!(flight.ended.try_recv().is_err());
    rig.backends.release(1);
    let result = flight.result();
    let ends: Vec<_> = result.ops.iter().map(short).collect();
    assert_eq!(ends, ["done", "done", "it failed", "not run", "not run"]);
    let filled: Vec<_> = result.slots.iter().map(Option::is_some).collect();
    assert_eq!(filled, [true, true, true, false, false, false]);
    assert_eq!(echo.stats().view().calls, 2);
}

#[test]
fn what_stands_behind_a_failure_is_not_waited_for() {
    let rig = Rig::new();
    let (hold, fail) = (on(&rig, "CPU", "hold"), on(&rig, "CPU:1", "fail"));
    let block = on(&rig, "CPU:1", "hold");
    let blocking = rig.submit(&block, Some(50));
    rig.backends.wait_started(1);
    let ops = vec![op(&fail, &[0], &[1]), op(&hold, &[0], &[2])];
    let flight = Flight::new(&rig, 2, ops, None);
    rig.backends.wait_started(2);
    // Its deadline ends the run that is in the way of the one that fails.
    rig.pass(50);
    blocking.ends_as("timed out");
    assert_eq!(flight.ends(), ["it failed", "not run"]);
    assert_eq!(hold.stats().view().calls, 0);
    rig.backends.release(1);
    assert_eq!(wait_calls(&hold, 1).errors, 0);
}

#[test]
fn the_lowest_failure_counts_whichever_comes_first() {
    let rig = pair();
    let (hold, fail) = (rig.model("hold"), rig.model("fail"));
    // The second fails while the first still runs, whose reader fails later.
    let ops = vec![
        op(&hold, &[0], &[1]),
        op(&rig.model("echo 2 1"), &[1], &[2]),
        op(&fail, &[0], &[3]),
    ];
    let flight = Flight::new(&rig, 3, ops, None);
    wait_calls(&fail, 1);
    rig.backends.release(1);
    assert_eq!(
        flight.ends(),
        [
            "done",
            "Number of keys given as INPUTS here does not match model definition",
            "not run"
        ]
    );
}

#[test]
fn an_input_that_holds_no_tensor_is_an_error_in_its_place() {
    let rig = Rig::new();
    let (none, echo) = (rig.model("echo 0 1"), rig.model("echo"));
    let ops = vec![
        op(&none, &[], &[1]),
        op(&echo, &[0], &[2]),
        op(&echo, &[1], &[3]),
        op(&echo, &[2], &[4]),
    ];
    let flight = Flight::new(&rig, 4, ops, None);
    assert_eq!(
        flight.ends(),
        ["done", "done", &*no_tensor().text, "not run"]
    );
    // The same where nobody makes it, or only one that comes later.
    let ops = vec![op(&echo, &[2], &[1]), op(&echo, &[0], &[2])];
    let flight = Flight::new(&rig, 2, ops, None);
    assert_eq!(flight.ends(), [&*no_tensor().text, "not run"]);
}

#[test]
fn a_full_queue_fails_the_operation_that_it_does_not_take() {
    let rig = Rig::with(Config {
        queue_limit: 1,
        ..Config::default()
    });
    let (hold, echo) = (rig.model("hold"), rig.model("echo"));
    let running = rig.submit(&hold, None);
    rig.backends.wait_started(1);
    let ops = (1..4).map(|slot| op(&echo, &[0], &[slot])).collect();
    let flight = Flight::new(&rig, 3, ops, None);
    // The one before it has its place and counts.
    assert!(flight.ended.try_recv().is_err());
    rig.backends.release(1);
    running.result().unwrap();
    assert_eq!(
        flight.ends(),
        ["done", "ERR Queue of device CPU is full", "not run"]
    );
}
