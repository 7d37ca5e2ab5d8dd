//! Runs: order, statistics, counts, panics, callers' own threads.

use super::*;
use crate::{ModelState, StatsView};

#[test]
fn a_run_gives_outputs_and_its_inputs_back() {
    let rig = Rig::new();
    let model = rig.model("echo");
    let input = tensor(&[3, 2]);
    let (completion, ended) = watcher();
    let request = Request {
        inputs: [Arc::clone(&input)].into_iter().collect(),
        ..request(&model)
    };
    rig.engine.submit(request, completion).unwrap();
    let (outcome, inputs) = ended.recv_timeout(PATIENCE).unwrap();
    let Outcome::Done(Ok(outputs)) = outcome else {
        panic!("{}", name(&outcome));
    };
    assert!(Arc::ptr_eq(outputs[0].as_ref().unwrap(), &input));
    assert!(Arc::ptr_eq(&inputs[0], &input));
}

#[test]
fn jobs_of_a_queue_run_in_order() {
    let rig = Rig::new();
    let hold = rig.model("hold");
    let models: Vec<_> = (0..20)
        .map(|i| rig.model(&format!("echo 1 1 {i}")))
        .collect();
    let first = rig.submit(&hold, None);
    rig.backends.wait_started(1);
    let jobs: Vec<_> = models.iter().map(|model| rig.submit(model, None)).collect();
    assert_eq!(rig.engine.info().queues[0].length, 20);
    assert_eq!(rig.engine.info().running, 1);
    rig.backends.release(1);
    first.result().unwrap();
    for job in &jobs {
        job.result().unwrap();
    }
    let expected = (0..20).map(|i| format!("echo 1 1 {i}"));
    assert_eq!(rig.backends.runs()[1..], expected.collect::<Vec<_>>());
}

#[test]
fn several_workers_run_at_one_time() {
    let rig = Rig::with(Config {
        threads_per_queue: 3,
        ..Config::default()
    });
    let model = rig.model("hold");
    let jobs: Vec<_> = (0..3).map(|_| rig.submit(&model, None)).collect();
    rig.backends.wait_started(3);
    assert_eq!(rig.engine.info().running, 3);
    rig.backends.release(3);
    for job in jobs {
        job.result().unwrap();
    }
}

#[test]
fn statistics_follow_the_contract() {
    let rig = Rig::new();
    let hold = rig.model("hold");
    let job = rig.submit(&hold, None);
    rig.backends.wait_started(1);
    rig.pass(7);
    rig.backends.release(1);
    job.result().unwrap();
    // Dimension 0 of the first output, the time inside the backend in microseconds.
    let view = |duration_us, samples, calls, errors| StatsView {
        duration_us,
        samples,
        calls,
        errors,
    };
    assert_eq!(hold.stats().view(), view(7_000, 3, 1, 0));

    // An error counts as a call and adds no time.
    let fail = rig.model("fail");
    assert_eq!(rig.submit(&fail, None).error(), "it failed");
    assert_eq!(fail.stats().view(), view(0, 0, 1, 1));

    // A scalar has no dimension 0.
    let echo = rig.model("echo");
    let scalar = Request {
        inputs: [tensor(&[])].into_iter().collect(),
        ..request(&echo)
    };
    rig.engine.run_here(scalar).unwrap();
    assert_eq!(echo.stats().view(), view(0, 0, 1, 0));

    hold.stats().reset();
    assert_eq!(hold.stats().view(), view(0, 0, 0, 0));
}

#[test]
fn no_output_tensor_is_no_sample() {
    let rig = Rig::new();
    let model = rig.model("echo 0 1");
    let request = Request {
        inputs: Inputs::new(),
        ..request(&model)
    };
    assert!(rig.engine.run_here(request).unwrap()[0].is_none());
    assert_eq!(model.stats().view().samples, 0);
}

#[test]
fn counts_are_checked_before_the_run() {
    let rig = Rig::new();
    let model = rig.model("echo 2 1");
    assert_eq!(model.arity(), Some((2, 1)));
    assert_eq!(
        rig.submit(&model, None).error(),
        "Number of keys given as INPUTS here does not match model definition"
    );
    let model = rig.model("echo 1 2");
    assert_eq!(
        rig.submit(&model, None).error(),
        "Number of keys given as OUTPUTS here does not match model definition"
    );
    // The same where the session comes later, and on a caller's thread.
    let model = rig.unbuilt("echo 1 2");
    assert_eq!(
        rig.submit(&model, None).error(),
        "Number of keys given as OUTPUTS here does not match model definition"
    );
    assert!(rig.engine.run_here(request(&model)).is_err());
    assert_eq!(model.stats().view(), StatsView::default());
    assert!(rig.backends.runs().is_empty());
}

#[test]
fn a_panicking_completion_costs_no_worker() {
    let rig = Rig::new();
    let model = rig.model("echo");
    let completion = Box::new(|_, _| panic!("a completion panics"));
    rig.engine.submit(request(&model), completion).unwrap();
    rig.submit(&model, None).result().unwrap();
}

#[test]
fn a_poisoned_session_is_built_anew_once() {
    for (blob, text) in [
        ("poison", "it is poisoned"),
        ("panic", "ERR the backend panicked in a run"),
    ] {
        let rig = Rig::new();
        let model = rig.model(blob);
        assert_eq!(rig.submit(&model, None).error(), text);
        // The next run waits for the new session, which breaks too.
        assert_eq!(rig.submit(&model, None).error(), text);
        assert_eq!(rig.backends.wait_loads(2), [blob, blob]);
        assert!(matches!(model.state(), ModelState::Failed(error) if error.text == text));
        // No third time: the reason, without a run.
        assert_eq!(rig.submit(&model, None).error(), text);
        assert_eq!(rig.backends.runs(), [blob, blob]);
        assert_eq!(model.stats().view().errors, 2);
        rig.backends.wait_alive(0);
        // The worker lives.
        rig.submit(&rig.model("echo"), None).result().unwrap();
    }
}

#[test]
fn jobs_behind_a_poisoned_run_wait_for_the_new_session() {
    let rig = Rig::new();
    let hold = rig.model("hold");
    let poison = rig.model("poison");
    let first = rig.submit(&hold, None);
    rig.backends.wait_started(1);
    let jobs: Vec<_> = (0..3).map(|_| rig.submit(&poison, None)).collect();
    rig.backends.release(1);
    first.result().unwrap();
    for job in jobs {
        assert_eq!(job.error(), "it is poisoned");
    }
    // Two sessions, a run in each; the third job got the reason.
    assert_eq!(rig.backends.runs(), ["hold", "poison", "poison"]);
}

#[test]
fn a_caller_runs_on_its_own_thread() {
    let rig = Rig::new();
    let model = rig.unbuilt("echo");
    rig.engine.run_here(request(&model)).unwrap();
    assert_eq!(model.stats().view().calls, 1);
    let bad = rig.unbuilt("badload");
    let error = rig.engine.run_here(request(&bad)).unwrap_err();
    assert_eq!(error.text, "bad model");
}

#[test]
fn concurrent_runs_are_limited_whoever_runs() {
    let rig = Rig::with(Config {
        threads_per_queue: 2,
        ..Config::default()
    });
    rig.backends.set_most_runs(1);
    let model = rig.model("hold");
    let other = rig.model("echo");
    let jobs: Vec<_> = (0..5).map(|_| rig.submit(&model, None)).collect();
    // The second worker parks the model's other jobs and serves the next model.
    rig.submit(&other, None).result().unwrap();
    assert_eq!(rig.engine.info().queues[0].length, 4);
    std::thread::scope(|scope| {
        let caller = scope.spawn(|| rig.engine.run_here(request(&model)));
        rig.backends.release(6);
        caller.join().unwrap().unwrap();
    });
    for job in &jobs {
        job.result().unwrap();
    }
    assert_eq!(model.stats().view().calls, 6);
    // `hold` never ran beside itself; `echo` did once.
    assert!(rig.backends.peak() <= 2);
    assert_eq!(rig.engine.info().queues[0].length, 0);
}

#[test]
fn a_parked_job_can_end_before_its_permit() {
    let rig = Rig::with(Config {
        threads_per_queue: 2,
        ..Config::default()
    });
    rig.backends.set_most_runs(1);
    let (model, other) = (rig.model("hold"), rig.model("echo"));
    let mut jobs = vec![rig.submit(&model, Some(50))];
    rig.backends.wait_started(1);
    jobs.extend((0..2).map(|_| rig.submit(&model, Some(50))));
    rig.submit(&other, None).result().unwrap();
    jobs[1].handle.gone();
    assert_eq!(jobs[1].ends_as("gone").len(), 1);
    rig.backends.release(2);
    jobs[0].result().unwrap();
    jobs[2].result().unwrap();
    assert_eq!(model.stats().view().calls, 2);
}

#[test]
fn no_worker_drops_the_last_of_a_model_or_an_input() {
    let rig = Rig::new();
    let (blob, blob_end) = Traced::new(b"hold");
    let model = rig.engine.model(ModelDef {
        blob: Arc::new(blob),
        ..def(BackendKind::Onnx, "", "CPU")
    });
    let (input, input_end) = Traced::new(&[0; 4]);
    let input = Tensor::new(DType::Float, Shape::new(&[1]).unwrap(), Box::new(input)).unwrap();
    let (completion, ended) = watcher();
    let request = Request {
        inputs: [Arc::new(input)].into_iter().collect(),
        ..request(&model)
    };
    let handle = rig.engine.submit(request, completion).unwrap();
    rig.backends.wait_started(1);
    // From here on the run alone holds them.
    handle.gone();
    drop((handle, model, ended));
    rig.backends.release(1);
    assert_eq!(input_end.recv_timeout(PATIENCE).unwrap(), "ai-reaper");
    assert_eq!(blob_end.recv_timeout(PATIENCE).unwrap(), "ai-reaper");
    rig.backends.wait_alive(0);
    assert_eq!(rig.backends.ended_on(), ["ai-reaper"]);
}

#[test]
fn a_dropped_model_finishes_its_runs() {
    let rig = Rig::new();
    let model = rig.model("hold");
    let job = rig.submit(&model, None);
    rig.backends.wait_started(1);
    drop(model);
    rig.backends.wait_alive(1);
    rig.backends.release(1);
    job.result().unwrap();
    drop(job);
    rig.backends.wait_alive(0);
}
