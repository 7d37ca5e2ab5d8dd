//! Runs without a hand-off, over the fake backends.

use super::*;
use crate::tests::{PATIENCE, Rig, def, name, request, tensor};
use crate::{Config, ModelState};
use redisai_core::{BackendKind, Batch, DType, ModelDef, Shape, Tensor};
use std::time::{Duration, Instant};

fn rig() -> Rig {
    Rig::with(Config {
        inline_runs: true,
        ..Config::default()
    })
}

/// Has a model run on its worker.
fn warm(rig: &Rig, model: &Arc<Model>, runs: u32) {
    for _ in 0..runs {
        rig.submit(model, None).result().unwrap();
    }
}

fn warmed(rig: &Rig, blob: &str) -> Arc<Model> {
    let model = rig.model(blob);
    // More than needed: in a test some may be long.
    warm(rig, &model, 3 * ENOUGH);
    model
}

/// Whether the model ran here, well or not.
fn ran(rig: &Rig, model: &Arc<Model>) -> bool {
    rig.engine.run_inline(request(model)).is_ok()
}

fn with_shape(model: &Arc<Model>, dims: &[i64]) -> Request {
    Request {
        inputs: [tensor(dims)].into_iter().collect(),
        ..request(model)
    }
}

#[test]
fn a_model_whose_runs_were_short_runs_here() {
    let rig = rig();
    let model = rig.model("echo");
    assert!(!ran(&rig, &model));
    warm(&rig, &model, ENOUGH - 1);
    let request = request(&model);
    let input = Arc::clone(&request.inputs[0]);
    // What does not run comes back as it was.
    let request = rig.engine.run_inline(request).map(|_| ()).unwrap_err();
    assert!(Arc::ptr_eq(&request.inputs[0], &input));
    warm(&rig, &model, 1 + 2 * ENOUGH);
    let here = std::thread::current().id();
    rig.backends
        .set_during(move |_| assert_eq!(std::thread::current().id(), here));
    let Ok(Outcome::Done(Ok(outputs))) = rig.engine.run_inline(request) else {
        panic!("it did not run");
    };
    assert!(Arc::ptr_eq(outputs[0].as_ref().unwrap(), &input));
    let view = model.stats().view();
    assert_eq!((view.calls, view.errors), (3 * u64::from(ENOUGH) + 1, 0));
    assert_eq!(view.samples, 3 * view.calls);
    assert_eq!(rig.engine.info().running, 0);
}

#[test]
fn it_is_off_unless_asked_for() {
    let rig = Rig::new();
    let model = warmed(&rig, "echo");
    assert!(!ran(&rig, &model));
}

#[test]
fn one_run_in_a_hundred_may_be_long() {
    // Of CPU time, and of time alone.
    for long in [took(LONG + 1, 0), took(0, LONG_IN_ALL + 1)] {
        allows_one_in(LONG_ONE_IN, long);
        allows_one_in(LONG_ONE_IN, took(long.cpu * 20, long.nanos * 20));
    }
}

#[test]
fn one_run_in_ten_may_be_less_than_short() {
    allows_one_in(SHORT_BUT_ONE_IN, took(SHORT + 1, 0));
    allows_one_in(SHORT_BUT_ONE_IN, took(LONG, LONG_IN_ALL));
}

const fn took(cpu: u64, nanos: u64) -> Took {
    Took { cpu, nanos }
}

fn allows_one_in(many: u32, one: Took) {
    let short = took(SHORT, LONG_IN_ALL);
    let mut kinds = Kinds::default();
    let ones = ENOUGH / many + 1;
    (0..ones).for_each(|_| kinds.saw(1, one));
    (ones..ones * many - 1).for_each(|_| kinds.saw(1, short));
    assert!(!kinds.allow(1));
    kinds.saw(1, short);
    assert!(kinds.allow(1));
    kinds.saw(1, one);
    assert!(!kinds.allow(1));
}

#[test]
fn what_was_long_ago_fades() {
    let mut kinds = Kinds::default();
    for one in [took(SHORT + 1, 0), took(LONG + 1, 0)] {
        (0..FULL).for_each(|_| kinds.saw(1, one));
        (0..ENOUGH).for_each(|_| kinds.saw(1, took(SHORT, 0)));
        assert!(!kinds.allow(1));
        (0..FULL * 8).for_each(|_| kinds.saw(1, took(SHORT, 0)));
        assert!(kinds.allow(1));
    }
}

#[test]
fn long_runs_stay_with_the_worker() {
    // Of CPU time, and of time alone.
    for wait in [0, LONG_IN_ALL + 1] {
        let rig = rig();
        let clock = Arc::clone(&rig.clock);
        rig.backends.set_during(move |_| {
            clock.advance(Duration::from_nanos(wait));
            burn(if wait == 0 { SHORT + 1 } else { 0 });
        });
        assert!(!ran(&rig, &warmed(&rig, "echo")));
        // What others took from it does not count.
        let clock = Arc::clone(&rig.clock);
        rig.backends
            .set_during(move |_| clock.advance(Duration::from_nanos(LONG_IN_ALL)));
        assert!(ran(&rig, &warmed(&rig, "echo")));
    }
}

#[test]
fn each_kind_of_inputs_is_known_for_itself() {
    let rig = rig();
    let model = rig.model("echo");
    let run = |dims: &[i64]| rig.engine.run_inline(with_shape(&model, dims)).is_ok();
    let warm = |dims: &[i64]| {
        for _ in 0..3 * ENOUGH {
            let (completion, ended) = crate::tests::watcher();
            rig.engine
                .submit(with_shape(&model, dims), completion)
                .unwrap();
            ended.recv_timeout(PATIENCE).unwrap();
        }
    };
    warm(&[1, 2]);
    assert!(run(&[1, 2]));
    for other in [&[2, 1][..], &[2], &[1, 2, 1], &[]] {
        assert!(!run(other), "{other:?}");
    }
    let other = Tensor::zeros(DType::Double, Shape::new(&[1, 2]).unwrap()).unwrap();
    let other = Request {
        inputs: [Arc::new(other)].into_iter().collect(),
        ..request(&model)
    };
    assert!(rig.engine.run_inline(other).is_err());
    // As many as there is room for, then the oldest goes.
    (2..=KINDS as i64).for_each(|dim| warm(&[dim, 2]));
    assert!((1..=KINDS as i64).all(|dim| run(&[dim, 2])));
    warm(&[9, 9]);
    assert!(run(&[9, 9]) && run(&[KINDS as i64, 2]) && !run(&[1, 2]));
}

fn batching(rig: &Rig, size: u64, min_size: u64) -> Arc<Model> {
    let model = rig.engine.model(ModelDef {
        batch: Batch {
            size,
            min_size,
            ..Batch::default()
        },
        ..def(BackendKind::Onnx, "echo", "CPU")
    });
    rig.engine.build_here(&model).unwrap();
    warm(rig, &model, 3 * ENOUGH);
    model
}

#[test]
fn a_model_that_waits_for_rows_waits_in_its_queue() {
    let rig = rig();
    assert!(!ran(&rig, &batching(&rig, 0, 2)));
    assert!(!ran(&rig, &batching(&rig, 3, 2)));
}

#[test]
fn requests_that_come_together_share_runs_instead() {
    let rig = rig();
    let (shares, alone) = (batching(&rig, 6, 0), warmed(&rig, "echo"));
    let runs = |model: &Arc<Model>| (0..100).filter(|_| ran(&rig, model)).count();
    // The clock stands still: each is there when the one before it ends.
    let (here, calls) = (runs(&shares), shares.stats().view().calls);
    assert!((1..50).contains(&here), "{here}");
    assert_eq!(calls, u64::from(3 * ENOUGH) + here as u64);
    let view = shares.stats().runs();
    assert_eq!((view.batches, view.batch_sizes), (0, vec![(2, calls)]));
    assert_eq!(runs(&alone), 100);
    // None came while another ran: the next ones run here again.
    warm(&rig, &shares, ENOUGH);
    for _ in 0..100 {
        rig.pass(1);
        assert!(ran(&rig, &shares));
    }
}

#[test]
fn a_model_with_sub_graphs_waits_in_its_queue() {
    let rig = rig();
    let model = warmed(&rig, "loops");
    assert!(model.signature().unwrap().control_flow);
    assert!(!ran(&rig, &model));
}

#[test]
fn those_that_wait_come_first() {
    let rig = rig();
    let (model, hold) = (warmed(&rig, "echo"), rig.model("hold"));
    let running = rig.submit(&hold, None);
    rig.backends.wait_started(3 * ENOUGH as usize + 1);
    // A run of another model on the worker is in nobody's way.
    assert!(ran(&rig, &model));
    let waiting = rig.submit(&hold, None);
    assert!(!ran(&rig, &model));
    rig.backends.release(2);
    running.result().unwrap();
    waiting.result().unwrap();
    assert!(ran(&rig, &model));
}

#[test]
fn it_waits_for_no_permit() {
    let rig = rig();
    rig.backends.set_most_runs(1);
    let model = rig.model("hold");
    rig.backends.release(3 * ENOUGH as usize);
    warm(&rig, &model, 3 * ENOUGH);
    let running = rig.submit(&model, None);
    rig.backends.wait_started(3 * ENOUGH as usize + 1);
    assert!(!ran(&rig, &model));
    rig.backends.release(2);
    running.result().unwrap();
    // The permit may come back a moment after the result.
    let begun = Instant::now();
    while !ran(&rig, &model) {
        assert!(begun.elapsed() < PATIENCE);
    }
    // It gave its own back.
    rig.backends.release(1);
    assert!(ran(&rig, &model));
}

#[test]
fn what_the_queue_answers_better_goes_there() {
    let rig = rig();
    assert!(!ran(&rig, &rig.unbuilt("echo")));
    let model = warmed(&rig, "echo");
    let request = Request {
        outputs: 2,
        ..request(&model)
    };
    assert!(rig.engine.run_inline(request).is_err());
    rig.engine.shutdown();
}

/// Runs until the thread has used so much CPU time.
fn burn(nanos: u64) {
    let begun = cpu_time();
    while cpu_time() - begun < nanos {
        std::hint::spin_loop();
    }
}

#[test]
fn one_overrun_is_the_last() {
    // Of CPU time, where the clock stands still; and of time alone.
    for stall in [0, STALL + 1] {
        let rig = rig();
        let model = warmed(&rig, "echo");
        let clock = Arc::clone(&rig.clock);
        rig.backends.set_during(move |_| {
            clock.advance(Duration::from_nanos(stall));
            burn(if stall == 0 { OVERRUN + 1 } else { 0 });
        });
        assert!(ran(&rig, &model));
        assert!(!ran(&rig, &model));
        rig.backends.set_during(|_| ());
        model.stats().reset();
        warm(&rig, &model, ENOUGH * 4);
        assert!(!ran(&rig, &model));
        // Another model of the same text has its own record.
        assert!(ran(&rig, &warmed(&rig, "echo")));
    }
}

#[test]
fn time_that_others_took_is_no_overrun() {
    let rig = rig();
    let model = warmed(&rig, "echo");
    let clock = Arc::clone(&rig.clock);
    rig.backends
        .set_during(move |_| clock.advance(Duration::from_nanos(STALL / 2)));
    assert!(ran(&rig, &model));
    rig.backends.set_during(|_| ());
    warm(&rig, &model, 3 * ENOUGH);
    assert!(ran(&rig, &model));
}

#[test]
fn a_request_that_fails_ends_nothing() {
    let rig = rig();
    let model = warmed(&rig, "picky");
    let bytes: Box<Vec<u8>> = Box::new(vec![255; 24]);
    let bad = Tensor::new(DType::Float, Shape::new(&[3, 2]).unwrap(), bytes).unwrap();
    let request = Request {
        inputs: [Arc::new(bad)].into_iter().collect(),
        ..request(&model)
    };
    let outcome = rig.engine.run_inline(request).map_err(|_| ()).unwrap();
    assert_eq!(name(&outcome), "error");
    assert_eq!(model.stats().view().errors, 1);
    assert!(ran(&rig, &model));
}

#[test]
fn a_panic_is_the_last() {
    let rig = rig();
    let model = warmed(&rig, "echo");
    rig.backends
        .set_during(|_| std::panic::panic_any("a run panics"));
    let outcome = rig
        .engine
        .run_inline(request(&model))
        .map_err(|_| ())
        .unwrap();
    assert_eq!(name(&outcome), "error");
    rig.backends.set_during(|_| ());
    rig.built(&model).unwrap();
    assert_eq!(model.state(), ModelState::Ready);
    warm(&rig, &model, ENOUGH);
    assert!(!ran(&rig, &model));
}

#[test]
fn the_limit_of_runs_holds_here_too() {
    let rig = rig();
    let model = rig.model("hold");
    rig.backends.release(3 * ENOUGH as usize);
    warm(&rig, &model, 3 * ENOUGH);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| rig.engine.run_inline(request(&model)));
        rig.backends.wait_started(3 * ENOUGH as usize + 1);
        rig.pass(5_000);
        let outcome = caller.join().unwrap().map_err(|_| ()).unwrap();
        assert_eq!(name(&outcome), "error");
    });
    // What its own deadline has stopped timed out.
    let model = rig.model("hold");
    rig.backends.release(3 * ENOUGH as usize);
    warm(&rig, &model, 3 * ENOUGH);
    std::thread::scope(|scope| {
        let request = Request {
            timeout: Some(Duration::from_secs(5)),
            ..request(&model)
        };
        let caller = scope.spawn(|| rig.engine.run_inline(request));
        rig.backends.wait_started(6 * ENOUGH as usize + 2);
        rig.pass(5_000);
        let outcome = caller.join().unwrap().map_err(|_| ()).unwrap();
        assert_eq!(name(&outcome), "timed out");
    });
}
