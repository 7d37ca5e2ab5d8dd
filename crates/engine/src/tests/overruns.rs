//! `MODEL_EXECUTION_TIMEOUT` and stuck workers.

use super::*;

#[test]
fn a_run_beyond_the_limit_is_stopped() {
    // Five seconds for ONNX where nothing is set.
    let rig = Rig::new();
    let model = rig.model("hold");
    let job = rig.submit(&model, None);
    let (run, _, deadline) = rig.backends.wait_started(1)[0].clone();
    assert_eq!(deadline, 6_000_000_000);
    rig.pass(4_999);
    assert!(job.is_waiting() && !rig.backends.any_cancelled());
    rig.pass(1);
    rig.backends.wait_cancelled(run);
    assert_eq!(job.error(), "stopped");
    assert_eq!(model.stats().view().errors, 1);
}

#[test]
fn the_limit_is_for_onnx_alone_unless_it_is_set() {
    for (set, limit) in [(None, 0), (Some(2_000), 3_000_000_000)] {
        let rig = Rig::with(Config {
            model_execution_timeout_ms: set,
            ..Config::default()
        });
        let model = rig.engine.model(def(BackendKind::Torch, "echo", "CPU"));
        rig.submit(&model, None).result().unwrap();
        assert_eq!(rig.backends.wait_started(1)[0].2, limit);
    }
}

#[test]
fn a_run_is_told_the_limit_where_it_comes_before_the_deadline() {
    let rig = Rig::new();
    let model = rig.model("echo");
    rig.submit(&model, Some(10_000)).result().unwrap();
    assert_eq!(rig.backends.wait_started(1)[0].2, 6_000_000_000);
}

#[test]
fn the_limit_holds_on_a_callers_thread() {
    let rig = Rig::new();
    let model = rig.model("hold");
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| rig.engine.run_here(request(&model)));
        rig.backends.wait_started(1);
        rig.pass(5_000);
        assert_eq!(caller.join().unwrap().unwrap_err().text, "stopped");
    });
}

/// A script's model, of which no job knows: without this its worker would be at it for ever.
#[test]
fn a_deadline_holds_on_a_callers_thread() {
    let rig = Rig::new();
    let model = rig.engine.model(def(BackendKind::Torch, "hold", "CPU"));
    std::thread::scope(|scope| {
        let mut asked = request(&model);
        asked.timeout = Some(Duration::from_millis(200));
        let caller = scope.spawn(|| rig.engine.run_here(asked));
        let (run, _, _) = rig.backends.wait_started(1)[0].clone();
        rig.pass(199);
        assert!(!rig.backends.any_cancelled());
        rig.pass(1);
        rig.backends.wait_cancelled(run);
        assert_eq!(caller.join().unwrap().unwrap_err().text, "stopped");
    });
}

/// A thread that waits for its turn of a model gives up at its deadline, and takes no later one.
#[test]
fn a_turn_that_does_not_come_before_the_deadline() {
    let rig = Rig::new();
    rig.backends.set_most_runs(1);
    let model = rig.engine.model(def(BackendKind::Torch, "hold", "CPU"));
    let holds = rig.submit(&model, None);
    let (run, _, _) = rig.backends.wait_started(1)[0].clone();
    std::thread::scope(|scope| {
        let mut asked = request(&model);
        asked.timeout = Some(Duration::from_millis(200));
        let caller = scope.spawn(|| rig.engine.run_here(asked));
        // Whether it waits already or not: it gives up as soon as it is so late.
        while !caller.is_finished() {
            rig.pass(100);
            std::thread::yield_now();
        }
        let error = caller.join().unwrap().unwrap_err();
        assert_eq!(error.status, redisai_core::Status::Cancelled);
        assert!(error.text.contains("turn"), "{}", error.text);
    });
    assert!(holds.is_waiting() && !rig.backends.any_cancelled());
    rig.backends.release(1);
    holds.result().unwrap();
    assert_eq!(rig.backends.wait_started(1)[0].0, run);
    rig.backends.release(1);
    rig.engine.run_here(request(&model)).unwrap();
}

#[test]
fn a_stuck_worker_is_replaced_and_its_result_dropped() {
    let rig = Rig::new();
    let (stuck, echo) = (rig.model("stuck"), rig.model("echo"));
    let job = rig.submit(&stuck, None);
    let (run, _, _) = rig.backends.wait_started(1)[0].clone();
    let behind = rig.submit(&echo, None);
    rig.pass(5_000);
    rig.backends.wait_cancelled(run);
    assert!(job.is_waiting());
    rig.pass(100);
    assert_eq!(
        job.error(),
        "Exiting due to terminate flag being set to true."
    );
    assert_eq!(
        rig.log(1),
        ["Worker 0 of queue CPU is stuck in a run; it was replaced"]
    );
    // The new worker serves the queue while the old one is still at it.
    behind.result().unwrap();
    rig.backends.release(1);
    rig.submit(&echo, None).result().unwrap();
    let view = stuck.stats().view();
    assert_eq!((view.calls, view.errors, view.samples), (1, 1, 0));
    assert_eq!(rig.engine.info().queues[0].workers.len(), 1);
}

#[test]
fn a_worker_that_was_replaced_ends_and_makes_room() {
    let rig = Rig::with(Config {
        max_replaced_workers: 1,
        ..Config::default()
    });
    let (stuck, echo) = (rig.model("stuck"), rig.model("echo"));
    // A timer, a worker, and the freeing thread, which gets late inputs.
    assert!(rig.engine.reap(Box::new(1), 1).is_ok());
    rig.wait_threads(3);
    for round in 1..=3 {
        let job = rig.submit(&stuck, None);
        // An `echo` has run in each round before.
        let started = rig.backends.wait_started(round * 2 - 1);
        rig.pass(5_000);
        rig.backends.wait_cancelled(started[round * 2 - 2].0);
        rig.pass(100);
        assert!(job.error().starts_with("Exiting"));
        rig.submit(&echo, None).result().unwrap();
        rig.backends.release(1);
        rig.wait_threads(3);
        assert!(rig.log(round)[round - 1].ends_with("it was replaced"));
    }
}

#[test]
fn replacements_have_a_cap() {
    let rig = Rig::with(Config {
        max_replaced_workers: 1,
        ..Config::default()
    });
    let (stuck, echo) = (rig.model("stuck"), rig.model("echo"));
    for started in 1..=2 {
        let job = rig.submit(&stuck, None);
        let (run, _, _) = rig.backends.wait_started(started)[started - 1].clone();
        rig.pass(5_000);
        rig.backends.wait_cancelled(run);
        rig.pass(100);
        assert!(job.error().starts_with("Exiting"));
    }
    assert_eq!(
        rig.log(2)[1],
        "Worker 0 of queue CPU is stuck in a run; no more are replaced"
    );
    // Both workers are stuck and there is no third; one of them comes back and goes on.
    let behind = rig.submit(&echo, None);
    assert!(behind.is_waiting());
    rig.backends.release(2);
    behind.result().unwrap();
    rig.submit(&echo, None).result().unwrap();
}

#[test]
fn the_real_clock_stops_a_run_on_time() {
    let backends = FakeBackends::new();
    let source = Arc::new(FakeSource(Arc::clone(&backends)));
    let config = Config {
        model_execution_timeout_ms: Some(30),
        ..Config::default()
    };
    let engine = Engine::new(config, source, Arc::new(crate::SystemClock));
    let model = engine.model(def(BackendKind::Onnx, "hold", "CPU"));
    let (completion, ended) = watcher();
    engine.submit(request(&model), completion).unwrap();
    assert_eq!(name(&ended.recv_timeout(PATIENCE).unwrap().0), "error");
    assert!(backends.any_cancelled());
    assert!(model.stats().view().duration_us == 0);
}
