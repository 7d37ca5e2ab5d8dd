//! `TIMEOUT`, clients that go, an idle engine.

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

/// The timer is busy with another job when a worker comes to this one.
#[test]
fn a_job_past_its_deadline_never_runs_though_the_timer_is_late() {
    let rig = Rig::new();
    let (hold, echo) = (rig.model("hold"), rig.model("echo"));
    let running = rig.submit(&hold, None);
    rig.backends.wait_started(1);
    let (entered, timer_is_in) = channel();
    let (let_go, wait) = channel::<()>();
    let slow = Box::new(move |_, _| {
        entered.send(()).unwrap();
        let _ = wait.recv_timeout(PATIENCE);
    });
    let timeout = Some(Duration::from_millis(50));
    let first = Request {
        timeout,
        ..request(&hold)
    };
    let _first = rig.engine.submit(first, slow).unwrap();
    let late = rig.submit(&echo, Some(50));
    let joined = rig.batched(
        "echo",
        Batch {
            size: 4,
            ..Batch::default()
        },
    );
    let members = [(); 2].map(|()| rig.submit(&joined, Some(50)));
    rig.pass(50);
    timer_is_in.recv_timeout(PATIENCE).unwrap();
    rig.backends.release(1);
    running.result().unwrap();
    late.ends_as("timed out");
    for member in &members {
        member.ends_as("timed out");
    }
    rig.submit(&echo, None).result().unwrap();
    let_go.send(()).unwrap();
    assert_eq!(rig.backends.runs(), ["hold", "echo"]);
    assert_eq!(joined.stats().view().calls, 0);
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
