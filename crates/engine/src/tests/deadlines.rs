//! `TIMEOUT`, clients that go, `MODEL_EXECUTION_TIMEOUT`.

use super::*;
use std::time::Duration;

#[test]
fn a_job_that_waits_times_out_and_never_runs() {
    let rig = Rig::new();
    let (hold, echo) = (rig.model("hold"), rig.model("echo"));
    let running = rig.submit(&hold, None);
    rig.backends.wait_started(1);
    let late = rig.submit(&echo, Some(50));
    let later = rig.submit(&echo, Some(51));
    rig.pass(49);
    assert!(late.is_waiting());
    rig.pass(1);
    // Nobody reads its inputs: they come back.
    assert_eq!(late.ends_as("timed out").len(), 1);
    assert!(later.is_waiting());
    assert_eq!(rig.engine.info().queues[0].length, 1);
    rig.backends.release(1);
    running.result().unwrap();
    later.result().unwrap();
    assert_eq!(rig.backends.runs(), ["hold", "echo"]);
    assert_eq!(echo.stats().view().calls, 1);
}

#[test]
fn a_run_past_its_deadline_is_stopped_and_counted() {
    let rig = Rig::new();
    let model = rig.model("hold");
    let job = rig.submit(&model, Some(50));
    let (run, _, deadline) = rig.backends.wait_started(1)[0].clone();
    // The run knows its deadline: the clock began at one second.
    assert_eq!(deadline, 1_050_000_000);
    rig.pass(50);
    assert!(job.ends_as("timed out").is_empty());
    rig.backends.wait_cancelled(run);
    // The worker is free again, and the run counts as one that failed.
    let next = rig.submit(&rig.model("echo"), None);
    next.result().unwrap();
    let view = model.stats().view();
    assert_eq!((view.calls, view.errors), (1, 1));
}

#[test]
fn a_deadline_holds_while_the_session_is_built() {
    let rig = Rig::new();
    let model = rig.unbuilt("holdload");
    let job = rig.submit(&model, Some(50));
    let patient = rig.submit(&model, None);
    rig.backends.wait_loads(1);
    assert_eq!(rig.engine.info().waiting_for_session, 2);
    rig.pass(50);
    assert_eq!(job.ends_as("timed out").len(), 1);
    rig.backends.release(1);
    patient.result().unwrap();
    assert_eq!(rig.backends.runs().len(), 1);
    assert_eq!(rig.engine.info().waiting_for_session, 0);
}

#[test]
fn deadlines_come_in_their_own_order() {
    let rig = Rig::new();
    let hold = rig.model("hold");
    let running = rig.submit(&hold, None);
    let jobs: Vec<_> = [300, 100, 200].map(|ms| rig.submit(&hold, Some(ms))).into();
    rig.pass(100);
    jobs[1].ends_as("timed out");
    assert!(jobs[0].is_waiting() && jobs[2].is_waiting());
    rig.pass(100);
    jobs[2].ends_as("timed out");
    assert!(jobs[0].is_waiting());
    rig.pass(100);
    jobs[0].ends_as("timed out");
    rig.backends.release(1);
    running.result().unwrap();
}

#[test]
fn a_huge_timeout_is_no_deadline_in_the_past() {
    let rig = Rig::new();
    let model = rig.model("echo");
    rig.submit(&model, Some(u64::MAX)).result().unwrap();
}

#[test]
fn a_client_that_goes_before_the_run_drops_it() {
    let rig = Rig::new();
    let (hold, echo) = (rig.model("hold"), rig.model("echo"));
    let running = rig.submit(&hold, None);
    rig.backends.wait_started(1);
    let job = rig.submit(&echo, None);
    job.handle.gone();
    assert_eq!(job.ends_as("gone").len(), 1);
    // A second call changes nothing.
    job.handle.gone();
    rig.backends.release(1);
    running.result().unwrap();
    rig.submit(&echo, None).result().unwrap();
    assert_eq!(rig.backends.runs(), ["hold", "echo"]);
}

#[test]
fn a_client_that_goes_during_the_run_lets_it_finish() {
    let rig = Rig::new();
    let model = rig.model("hold");
    let job = rig.submit(&model, None);
    rig.backends.wait_started(1);
    job.handle.gone();
    assert!(job.ends_as("gone").is_empty());
    rig.backends.release(1);
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert!(!rig.backends.any_cancelled());
    let view = model.stats().view();
    assert_eq!((view.calls, view.errors, view.samples), (1, 0, 3));
}

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
fn an_idle_engine_does_not_wake() {
    let rig = Rig::new();
    let model = rig.model("echo");
    // The first limit or deadline sets the alarm, each other comes later than that: nothing to do.
    for timeout in [None, Some(60_000)] {
        for _ in 0..1_000 {
            rig.submit(&model, timeout).result().unwrap();
        }
        let wakes = rig.engine.info().timer_wakes;
        assert!(wakes <= 1, "{wakes}");
    }
    drop(rig);

    // With a real clock: the run sets the alarm (one), which goes off (two); then there is peace.
    let config = Config {
        model_execution_timeout_ms: Some(50),
        ..Config::default()
    };
    let source = Arc::new(FakeSource(FakeBackends::new()));
    let engine = Engine::new(config, source, Arc::new(crate::SystemClock));
    let model = engine.model(def(BackendKind::Onnx, "echo", "CPU"));
    let (completion, ended) = watcher();
    engine.submit(request(&model), completion).unwrap();
    ended.recv_timeout(PATIENCE).unwrap();
    // Time must pass for this one: a wait that must run out.
    let (_send, never) = channel::<()>();
    assert!(never.recv_timeout(Duration::from_millis(300)).is_err());
    let wakes = engine.info().timer_wakes;
    assert!(wakes <= 2, "{wakes}");
}

#[test]
fn the_real_clock_ends_a_wait_on_time() {
    let backends = FakeBackends::new();
    let source = Arc::new(FakeSource(Arc::clone(&backends)));
    let engine = Engine::new(Config::default(), source, Arc::new(crate::SystemClock));
    let model = engine.model(def(BackendKind::Onnx, "hold", "CPU"));
    engine.build_here(&model).unwrap();
    let submit = |timeout| {
        let (completion, ended) = watcher();
        let request = Request {
            timeout: Some(Duration::from_millis(timeout)),
            ..request(&model)
        };
        engine.submit(request, completion).unwrap();
        ended
    };
    let begun = std::time::Instant::now();
    // A later deadline first: the earlier one must move the alarm forward.
    let (late, soon) = (submit(600_000), submit(30));
    assert_eq!(name(&soon.recv_timeout(PATIENCE).unwrap().0), "timed out");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    backends.release(2);
    assert_eq!(name(&late.recv_timeout(PATIENCE).unwrap().0), "ok");
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
