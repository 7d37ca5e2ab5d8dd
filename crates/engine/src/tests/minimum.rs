//! `MINBATCHSIZE`, `MINBATCHTIMEOUT`, deadlines of batches.

use super::*;

fn at_least(min_size: u64, min_timeout_ms: u64) -> Batch {
    Batch {
        size: 8,
        min_size,
        min_timeout_ms,
    }
}

fn one(rig: &Rig, model: &Arc<Model>, timeout: Option<u64>) -> Pending {
    rig.submit_inputs(model, [bytes(1, 2, 7)], timeout)
}

#[test]
fn a_run_waits_for_its_minimum() {
    let rig = Rig::new();
    let model = rig.batched("echo", at_least(3, 0));
    let mut jobs = vec![one(&rig, &model, None), one(&rig, &model, None)];
    // Others are served meanwhile, and no time is too long.
    rig.pass(1_000_000);
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert!(jobs.iter().all(Pending::is_waiting));
    jobs.push(one(&rig, &model, None));
    for job in jobs {
        job.result().unwrap();
    }
    assert_eq!(rig.backends.rows(), [3, 3]);
}

#[test]
fn it_waits_no_longer_than_minbatchtimeout() {
    let rig = Rig::with(Config {
        threads_per_queue: 2,
        ..Config::default()
    });
    let model = rig.batched("echo", at_least(3, 50));
    let first = one(&rig, &model, None);
    rig.pass(49);
    let second = one(&rig, &model, None);
    assert!(first.is_waiting());
    // Counted from the first of them.
    rig.pass(1);
    first.result().unwrap();
    second.result().unwrap();
    assert_eq!(rig.backends.rows(), [2]);
}

#[test]
fn the_real_clock_ends_the_wait() {
    let source = Arc::new(FakeSource(FakeBackends::new()));
    let engine = Engine::new(Config::default(), source, Arc::new(crate::SystemClock));
    let model = engine.model(ModelDef {
        batch: at_least(3, 30),
        ..def(BackendKind::Onnx, "echo", "CPU")
    });
    engine.build_here(&model).unwrap();
    let begun = std::time::Instant::now();
    let (completion, ended) = watcher();
    let request = Request {
        inputs: [bytes(1, 2, 0)].into_iter().collect(),
        ..request(&model)
    };
    engine.submit(request, completion).unwrap();
    assert_eq!(name(&ended.recv_timeout(PATIENCE).unwrap().0), "ok");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    // No thread but the worker had to wake up for it; the run's limit set the alarm.
    assert!(engine.info().timer_wakes <= 1);
}

#[test]
fn a_minimum_counts_as_batchsize_at_most() {
    let rig = Rig::new();
    let model = rig.batched("echo", at_least(100, 0));
    let jobs: Vec<_> = (0..8).map(|_| one(&rig, &model, None)).collect();
    for job in jobs {
        job.result().unwrap();
    }
    assert_eq!(rig.backends.rows(), [8]);
}

#[test]
fn what_need_not_wait_does_not_wait_behind_what_waits() {
    let rig = Rig::new();
    let model = rig.batched("echo", at_least(5, 0));
    let waits = one(&rig, &model, None);
    // Nine rows run alone; two of another kind are a full batch; five rows of a third are enough.
    rig.submit_inputs(&model, [bytes(9, 2, 0)], None)
        .result()
        .unwrap();
    assert!(waits.is_waiting());
    let others = [0, 1].map(|value| rig.submit_inputs(&model, [bytes(4, 3, value)], None));
    for other in others {
        other.result().unwrap();
    }
    assert!(waits.is_waiting());
    rig.submit_inputs(&model, [bytes(5, 4, 0)], None)
        .result()
        .unwrap();
    assert!(waits.is_waiting());
    let rest: Vec<_> = (0..4).map(|_| one(&rig, &model, None)).collect();
    waits.result().unwrap();
    for one in rest {
        one.result().unwrap();
    }
    assert_eq!(rig.backends.rows(), [9, 8, 5, 5]);
}

#[test]
fn a_deadline_answers_one_that_waits_for_company() {
    let rig = Rig::new();
    let model = rig.batched("echo", at_least(2, 0));
    let late = one(&rig, &model, Some(50));
    rig.pass(50);
    assert_eq!(late.ends_as("timed out").len(), 1);
    // It counts for nothing any more.
    let first = one(&rig, &model, None);
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert!(first.is_waiting());
    let second = one(&rig, &model, None);
    first.result().unwrap();
    second.result().unwrap();
    assert_eq!(rig.backends.rows(), [3, 2]);
    assert_eq!(model.stats().view().calls, 2);
}

#[test]
fn what_waits_runs_when_its_models_key_goes() {
    let rig = Rig::new();
    let model = rig.batched("echo", at_least(4, 0));
    let jobs = [(); 2].map(|()| one(&rig, &model, None));
    assert!(jobs.iter().all(Pending::is_waiting));
    model.key_gone();
    for job in jobs {
        job.result().unwrap();
    }
    assert_eq!(rig.backends.rows(), [2]);
    // A command that had found the key before comes now: nobody will keep it company.
    one(&rig, &model, None).result().unwrap();
    // The same where the key went before there was a session.
    let model = rig.engine.model(ModelDef {
        batch: at_least(4, 0),
        ..def(BackendKind::Onnx, "echo", "CPU")
    });
    model.key_gone();
    one(&rig, &model, None).result().unwrap();
}

/// A batch of two in a run that waits for a release: the jobs and the number of the run.
fn pair(rig: &Rig, blob: &str, timeouts: [Option<u64>; 2]) -> ([Pending; 2], (u64, u64)) {
    let model = rig.batched(blob, size(8));
    let busy = rig.occupy();
    let jobs = timeouts.map(|timeout| one(rig, &model, timeout));
    rig.backends.release(1);
    busy.result().unwrap();
    let (run, _, deadline) = rig.backends.wait_started(2)[1].clone();
    (jobs, (run, deadline))
}

#[test]
fn a_batch_is_stopped_when_the_last_has_expired() {
    let rig = Rig::new();
    let ([first, second], (run, deadline)) = pair(&rig, "hold", [Some(50), Some(80)]);
    // The later of both: the clock began at one second.
    assert_eq!(deadline, 1_080_000_000);
    rig.pass(50);
    assert!(first.ends_as("timed out").is_empty());
    assert!(second.is_waiting() && !rig.backends.any_cancelled());
    rig.pass(30);
    second.ends_as("timed out");
    rig.backends.wait_cancelled(run);
}

#[test]
fn one_without_a_deadline_keeps_the_batch_going() {
    let rig = Rig::new();
    let ([hasty, patient], (_, deadline)) = pair(&rig, "hold", [Some(50), None]);
    assert_eq!(deadline, 1_000_000_000 + 5_000_000_000);
    rig.pass(50);
    hasty.ends_as("timed out");
    rig.backends.release(1);
    assert_eq!(
        patient.result().unwrap()[0].as_ref().unwrap().bytes(),
        [7, 7]
    );
    assert!(!rig.backends.any_cancelled());
}

#[test]
fn a_client_that_goes_leaves_the_batch_to_the_others() {
    let rig = Rig::new();
    let ([first, second], _) = pair(&rig, "hold", [None, Some(50)]);
    first.handle.gone();
    first.ends_as("gone");
    // It did not expire: the run goes on, and counts for both.
    rig.pass(50);
    second.ends_as("timed out");
    assert!(!rig.backends.any_cancelled());
    rig.backends.release(1);
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert!(!rig.backends.any_cancelled());
}

#[test]
fn a_result_that_comes_too_late_is_dropped_and_counted() {
    let rig = Rig::new();
    let model = rig.model("stuck");
    let job = rig.submit(&model, Some(50));
    rig.backends.wait_started(1);
    rig.pass(50);
    job.ends_as("timed out");
    rig.backends.release(1);
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert_eq!(model.stats().runs().late, 1);
    assert_eq!(model.stats().view().calls, 1);
}

#[test]
fn a_stuck_batch_is_answered_and_its_worker_replaced() {
    let rig = Rig::new();
    let (jobs, (run, _)) = pair(&rig, "stuck", [None, None]);
    rig.pass(5_000);
    rig.backends.wait_cancelled(run);
    rig.pass(100);
    for job in &jobs {
        assert!(job.error().starts_with("Exiting"));
    }
    assert!(rig.log(1)[0].ends_with("it was replaced"));
    rig.submit(&rig.model("echo"), None).result().unwrap();
    rig.backends.release(1);
}

#[test]
fn a_batch_beyond_the_limit_is_stopped_once() {
    let rig = Rig::new();
    let (jobs, (run, _)) = pair(&rig, "hold", [None, None]);
    rig.pass(5_000);
    rig.backends.wait_cancelled(run);
    for job in &jobs {
        assert_eq!(job.error(), "stopped");
    }
    assert_eq!(rig.backends.rows().len(), 2);
}
