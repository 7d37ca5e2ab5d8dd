//! Backends and sessions.

use super::*;
use crate::{EngineError, ModelState};
use redisai_core::Status;
use std::sync::mpsc::channel;

#[test]
fn names_and_counts_show_once_the_session_is_built() {
    let rig = Rig::new();
    let model = rig.unbuilt("echo 2 1");
    assert_eq!(model.state(), ModelState::Unbuilt);
    assert!(model.names().0.is_empty() && model.arity().is_none());
    rig.engine.build_here(&model).unwrap();
    assert_eq!(model.state(), ModelState::Ready);
    let (inputs, outputs) = model.names();
    assert_eq!(inputs, [b"in0".as_slice().into(), b"in1".as_slice().into()]);
    assert_eq!(outputs, [b"out0".as_slice().into()]);
    assert_eq!(model.arity(), Some((2, 1)));
    assert_eq!(model.signature().unwrap().functions[0].inputs.len(), 2);
}

#[test]
fn names_of_a_definition_stay() {
    let rig = Rig::new();
    let model = rig.engine.model(ModelDef {
        inputs: vec![b"x".as_slice().into()],
        outputs: vec![b"y".as_slice().into()],
        ..def(BackendKind::Tf, "echo", "CPU")
    });
    assert_eq!(model.arity(), Some((1, 1)));
    rig.engine.build_here(&model).unwrap();
    assert_eq!(model.names().0, [b"x".as_slice().into()]);
    assert_eq!(model.names().1, [b"y".as_slice().into()]);
}

#[test]
fn a_build_opens_its_backend_once() {
    let rig = Rig::new();
    assert!(rig.engine.backend(BackendKind::Onnx).is_none());
    let models: Vec<_> = (0..5).map(|_| rig.unbuilt("echo")).collect();
    for model in &models {
        rig.engine.build(model, Box::new(|_| ()));
    }
    for model in &models {
        rig.built(model).unwrap();
    }
    assert_eq!(rig.backends.opened(BackendKind::Onnx), 1);
    assert_eq!(rig.engine.backends().len(), 1);
    assert_eq!(
        rig.engine.load_backend(BackendKind::Onnx, None).err(),
        Some(EngineError::BackendLoaded(BackendKind::Onnx))
    );
    let torch = rig.engine.load_backend(BackendKind::Torch, Some(b"/x.so"));
    assert_eq!(torch.unwrap().info().library, "/x.so");
}

#[test]
fn builds_of_one_model_share_one() {
    let rig = Rig::new();
    let model = rig.unbuilt("holdload");
    let (send, receive) = channel();
    for _ in 0..4 {
        let send = send.clone();
        let done = Box::new(move |result| send.send(result).unwrap());
        rig.engine.build(&model, done);
    }
    let job = rig.submit(&model, None);
    rig.backends.wait_loads(1);
    assert_eq!(model.state(), ModelState::Building);
    rig.backends.release(1);
    for _ in 0..4 {
        assert_eq!(receive.recv_timeout(PATIENCE).unwrap(), Ok(()));
    }
    job.result().unwrap();
    assert_eq!(rig.backends.wait_loads(1).len(), 1);
}

/// A model that loops for ever while it is loaded must not keep all others from being stored.
#[test]
fn a_build_without_end_holds_up_no_other() {
    let rig = Rig::with(Config {
        max_replaced_workers: 2,
        ..Config::default()
    });
    let long: Vec<_> = (0..3).map(|_| rig.unbuilt("holdload")).collect();
    let echo = rig.unbuilt("echo");
    for model in long.iter().chain([&echo]) {
        rig.engine.build(model, Box::new(|_| ()));
    }
    // Each thread has its time; one that came later has all of it.
    for loads in 1..3 {
        rig.backends.wait_loads(loads);
        rig.pass(29_999);
        assert_eq!(rig.backends.wait_loads(loads).len(), loads);
        rig.pass(1);
    }
    assert_eq!(
        rig.log(2),
        [0, 1].map(|thread| format!(
            "Loader thread {thread} builds one model for very long; others go on without it"
        ))
    );
    // No more than two, and then they wait.
    rig.backends.wait_loads(3);
    rig.pass(60_000);
    assert_eq!(echo.state(), ModelState::Building);
    rig.backends.release(1);
    rig.built(&echo).unwrap();
    rig.backends.release(2);
    for model in &long {
        rig.built(model).unwrap();
    }
    // The threads that were relieved are gone; those that are left build on.
    let after = rig.unbuilt("echo");
    rig.engine.build(&after, Box::new(|_| ()));
    rig.built(&after).unwrap();
}

#[test]
fn a_caller_builds_or_waits_for_the_one_who_does() {
    let rig = Rig::new();
    let model = rig.unbuilt("holdload");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| rig.engine.build_here(&model));
        rig.backends.wait_loads(1);
        let second = scope.spawn(|| rig.engine.build_here(&model));
        rig.backends.release(1);
        assert_eq!(first.join().unwrap(), Ok(()));
        assert_eq!(second.join().unwrap(), Ok(()));
    });
    assert_eq!(rig.backends.wait_loads(1).len(), 1);
}

#[test]
fn a_failed_build_keeps_its_reason() {
    let rig = Rig::new();
    for (blob, text) in [
        ("badload", "bad model"),
        ("panicload", "ERR building the session panicked"),
    ] {
        let model = rig.unbuilt(blob);
        let job = rig.submit(&model, None);
        assert_eq!(job.error(), text);
        assert_eq!(rig.submit(&model, None).error(), text);
        assert!(matches!(model.state(), ModelState::Failed(error) if error.text == text));
        let loads = rig.backends.wait_loads(1).len();
        // A store tries again; a run does not.
        assert_eq!(rig.engine.build_here(&model).unwrap_err().text, text);
        assert_eq!(rig.backends.wait_loads(loads + 1).len(), loads + 1);
    }
}

#[test]
fn a_missing_backend_is_told_in_the_log() {
    let rig = Rig::new();
    rig.backends.set_missing(BackendKind::Onnx, true);
    let model = rig.unbuilt("echo");
    let error = rig.engine.build_here(&model).unwrap_err();
    assert_eq!(error.text, "ERR Could not load backend");
    assert_eq!(rig.log(1), ["Could not load ONNX backend: no such library"]);
    let error = rig.engine.load_backend(BackendKind::Onnx, None).err();
    let reason = BackendError::new(Status::Unsupported, "no such library");
    assert_eq!(error, Some(EngineError::Backend(reason)));
}

#[test]
fn models_of_a_missing_backend_are_built_when_it_comes() {
    let rig = Rig::new();
    rig.backends.set_missing(BackendKind::Onnx, true);
    let models: Vec<_> = (0..10).map(|_| rig.unbuilt("echo")).collect();
    let gone = rig.unbuilt("gone");
    for model in models.iter().chain([&gone]) {
        rig.engine.build_background(model);
    }
    for model in &models {
        let error = rig.built(model).unwrap_err();
        assert_eq!(error.text, "ERR Could not load backend");
    }
    rig.built(&gone).unwrap_err();
    // One search, not eleven.
    assert_eq!(rig.backends.opened(BackendKind::Onnx), 1);
    drop(gone);
    rig.backends.set_missing(BackendKind::Onnx, false);
    rig.engine.load_backend(BackendKind::Onnx, None).unwrap();
    for model in &models {
        rig.built(model).unwrap();
        rig.submit(model, None).result().unwrap();
    }
    assert_eq!(rig.backends.wait_loads(10), vec!["echo"; 10]);
}

#[test]
fn a_store_that_finds_the_backend_helps_the_others() {
    let rig = Rig::new();
    rig.backends.set_missing(BackendKind::Onnx, true);
    let failed = rig.unbuilt("echo");
    rig.engine.build_background(&failed);
    rig.built(&failed).unwrap_err();
    // The one loader thread has done with the first when it is at the second.
    rig.built(&rig.unbuilt("second")).unwrap_err();
    rig.backends.set_missing(BackendKind::Onnx, false);
    // A run does not search again.
    rig.submit(&failed, None).result().unwrap_err();
    rig.model("echo 1 1 stored");
    rig.backends.wait_loads(2);
    rig.built(&failed).unwrap();
}

#[test]
fn background_builds_stand_behind_the_others() {
    let rig = Rig::new();
    let first = rig.unbuilt("holdload");
    rig.engine.build_background(&first);
    rig.backends.wait_loads(1);
    let names = ["a", "b", "c", "d"].map(|name| format!("echo 1 1 {name}"));
    let models: Vec<_> = names.iter().map(|blob| rig.unbuilt(blob)).collect();
    for model in &models {
        rig.engine.build_background(model);
    }
    // A run moves its model to the front; a key that is deleted loses its place.
    let job = rig.submit(&models[2], None);
    let stored = rig.unbuilt("echo 1 1 e");
    rig.engine.build(&stored, Box::new(|_| ()));
    let mut models = models;
    drop(models.remove(1));
    assert_eq!(rig.engine.info().builds_waiting, 6);
    rig.backends.release(1);
    job.result().unwrap();
    for model in models.iter().chain([&stored]) {
        rig.built(model).unwrap();
    }
    let loads = rig.backends.wait_loads(5);
    let expected = ["c", "e", "a", "d"].map(|name| format!("echo 1 1 {name}"));
    assert_eq!(loads[1..], expected);
}

#[test]
fn several_loader_threads_build_at_one_time() {
    let rig = Rig::with(Config {
        loader_threads: 2,
        ..Config::default()
    });
    // One thread is there and idle; that must not keep the second from being started.
    let first = rig.unbuilt("echo");
    rig.built(&first).unwrap();
    let models: Vec<_> = (0..3).map(|_| rig.unbuilt("holdload")).collect();
    for model in &models {
        rig.engine.build(model, Box::new(|_| ()));
    }
    // Two are begun, the third waits.
    rig.backends.wait_loads(3);
    assert_eq!(rig.engine.info().builds_waiting, 1);
    rig.backends.release(3);
    for model in &models {
        rig.built(model).unwrap();
    }
    // Idle threads are found again, both of them.
    let models: Vec<_> = (0..2).map(|_| rig.unbuilt("holdload")).collect();
    for model in &models {
        rig.engine.build(model, Box::new(|_| ()));
    }
    rig.backends.wait_loads(6);
    rig.backends.release(2);
}

#[test]
fn lazy_sessions_are_built_at_the_first_use() {
    let rig = Rig::with(Config {
        eager: false,
        ..Config::default()
    });
    let model = rig.unbuilt("echo");
    rig.engine.build_background(&model);
    assert_eq!(model.state(), ModelState::Unbuilt);
    rig.submit(&model, None).result().unwrap();
}

#[test]
fn sessions_end_on_the_freeing_thread() {
    let rig = Rig::new();
    let models: Vec<_> = (0..10).map(|_| rig.model("echo")).collect();
    rig.backends.wait_alive(10);
    drop(models);
    rig.backends.wait_alive(0);
    assert_eq!(rig.backends.ended_on(), ["ai-reaper"; 10]);
}

#[test]
fn names_are_read_without_a_lock() {
    let rig = Rig::new();
    let model = rig.model("echo");
    model.with_life(|_| {
        assert_eq!(model.names().0.len(), 1);
        assert_eq!(model.arity(), Some((1, 1)));
        assert_eq!(model.stats().view().calls, 0);
        assert!(model.held() > 0);
    });
}
