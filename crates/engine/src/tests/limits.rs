//! Bounds: queues, jobs, values to free, the end of it all.

use super::*;
use crate::EngineError;

#[test]
fn a_full_queue_refuses_and_gives_everything_back() {
    let rig = Rig::with(Config {
        queue_limit: 2,
        ..Config::default()
    });
    let model = rig.model("hold");
    let running = rig.submit(&model, None);
    rig.backends.wait_started(1);
    let waiting = [rig.submit(&model, None), rig.submit(&model, None)];
    let (completion, ended) = watcher();
    let refused = rig
        .engine
        .submit(request(&model), completion)
        .err()
        .unwrap();
    assert_eq!(refused.error.to_string(), "ERR Queue of device CPU is full");
    assert_eq!(refused.inputs.len(), 1);
    // It was not called, but can be.
    assert!(ended.try_recv().is_err());
    (refused.completion)(Outcome::Gone, refused.inputs);
    assert!(ended.recv_timeout(PATIENCE).is_ok());

    // A client that goes makes room.
    waiting[0].handle.gone();
    let third = rig.submit(&model, None);
    rig.backends.release(3);
    running.result().unwrap();
    waiting[1].result().unwrap();
    third.result().unwrap();
}

#[test]
fn jobs_that_wait_for_a_session_are_bounded_too() {
    let rig = Rig::with(Config {
        queue_limit: 2,
        ..Config::default()
    });
    let model = rig.unbuilt("holdload");
    let jobs = [rig.submit(&model, None), rig.submit(&model, None)];
    let (completion, _ended) = watcher();
    let refused = rig
        .engine
        .submit(request(&model), completion)
        .err()
        .unwrap();
    assert_eq!(refused.error.to_string(), "ERR Queue of device CPU is full");
    rig.backends.release(1);
    for job in jobs {
        job.result().unwrap();
    }
}

#[test]
fn queues_are_bounded() {
    let rig = Rig::with(Config {
        max_queues: 24,
        ..Config::default()
    });
    let models: Vec<_> = (0..24)
        .map(|i| {
            let device = format!("CPU:{i}");
            rig.engine.model(def(BackendKind::Onnx, "echo", &device))
        })
        .collect();
    let jobs: Vec<_> = models.iter().map(|model| rig.submit(model, None)).collect();
    for job in jobs {
        job.result().unwrap();
    }
    assert_eq!(rig.engine.info().queues.len(), 24);
    let error = rig
        .engine
        .open_queue(&Device::lenient(b"CPU:24"))
        .err()
        .unwrap();
    assert_eq!(error, EngineError::TooManyQueues);
    assert_eq!(
        error.to_string(),
        "ERR Could not initialize queue on requested device"
    );
    let model = rig.engine.model(def(BackendKind::Onnx, "echo", "CPU:99"));
    assert_eq!(
        rig.engine.build_here(&model).unwrap_err().text,
        "ERR Could not initialize queue on requested device"
    );
    // One that is there is no new one, in whatever case.
    rig.engine.open_queue(&Device::lenient(b"cpu:3")).unwrap();
}

#[test]
fn gpu_and_gpu_0_share_a_queue() {
    let rig = Rig::new();
    for device in ["GPU", "gpu:0", "GPU:1"] {
        rig.engine
            .open_queue(&Device::lenient(device.as_bytes()))
            .unwrap();
    }
    let names: Vec<_> = rig
        .engine
        .info()
        .queues
        .into_iter()
        .map(|q| q.name)
        .collect();
    assert_eq!(names, ["GPU", "GPU:1"]);
}

#[test]
fn threads_have_names_and_take_no_signals() {
    let status = || std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let before = blocked_signals(&status());
    let rig = Rig::new();
    let model = rig.model("echo");
    // The thread that starts others gets its own signals back.
    assert_eq!(blocked_signals(&status()), before);
    let (send, receive) = channel();
    let completion = Box::new(move |_, _| {
        let name = std::thread::current().name().map(str::to_owned);
        send.send((name, status())).unwrap();
    });
    rig.engine.submit(request(&model), completion).unwrap();
    let (name, status) = receive.recv_timeout(PATIENCE).unwrap();
    assert_eq!(name.as_deref(), Some("ai-CPU-0"));
    let mask = blocked_signals(&status);
    for (signal, blocked) in [
        (libc::SIGTERM, true),
        (libc::SIGINT, true),
        (libc::SIGALRM, true),
        (libc::SIGSEGV, false),
        (libc::SIGABRT, false),
    ] {
        assert_eq!(mask >> (signal - 1) & 1 == 1, blocked, "signal {signal}");
    }
}

fn blocked_signals(status: &str) -> u64 {
    let line = status
        .lines()
        .find(|line| line.starts_with("SigBlk:"))
        .unwrap();
    u64::from_str_radix(line["SigBlk:".len()..].trim(), 16).unwrap()
}

#[test]
fn a_workers_cpu_time_shows() {
    let rig = Rig::new();
    let model = rig.model("echo");
    let spin = Box::new(|_, _| {
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(20) {}
    });
    rig.engine.submit(request(&model), spin).unwrap();
    rig.submit(&model, None).result().unwrap();
    let cpu = rig.engine.info().queues[0].workers[0].cpu;
    assert!(cpu > Duration::ZERO && cpu < PATIENCE, "{cpu:?}");
}

#[test]
fn the_backlog_of_the_freeing_thread_is_bounded() {
    struct Slow(Arc<Bell>, Receiver<()>);
    impl Drop for Slow {
        fn drop(&mut self) {
            self.0.ring();
            let _ = self.1.recv_timeout(PATIENCE);
        }
    }
    let rig = Rig::with(Config {
        reap_limit_values: 3,
        reap_limit_bytes: 100,
        ..Config::default()
    });
    let bell = Arc::new(Bell::default());
    let (go, wait) = channel();
    let slow = Box::new(Slow(Arc::clone(&bell), wait));
    assert!(rig.engine.reap(slow, 60).is_ok());
    bell.wait_for(1);
    // Its bytes count until it is freed.
    assert!(rig.engine.reap(Box::new(1), 41).is_err());
    for _ in 0..3 {
        assert!(rig.engine.reap(Box::new(1), 1).is_ok());
    }
    assert!(rig.engine.reap(Box::new(1), 1).is_err());
    assert_eq!(rig.engine.info().reap_values, 3);
    // A session is taken all the same.
    drop(rig.model("echo"));
    go.send(()).unwrap();
    rig.backends.wait_alive(0);
    assert!(rig.engine.reap(Box::new(1), 100).is_ok());
}

#[test]
fn a_shutdown_answers_everybody() {
    let rig = Rig::new();
    let hold = rig.model("hold");
    let running = rig.submit(&hold, None);
    rig.backends.wait_started(1);
    let waiting = rig.submit(&hold, None);
    let loading = rig.submit(&rig.unbuilt("holdload"), None);
    rig.backends.wait_loads(2);
    let (send, built) = channel();
    let stored = rig.unbuilt("echo");
    let done = Box::new(move |result| send.send(result).unwrap());
    rig.engine.build(&stored, done);
    std::thread::scope(|scope| {
        let end = scope.spawn(|| rig.engine.shutdown());
        assert_eq!(waiting.error(), "ERR The server is shutting down");
        assert!(built.recv_timeout(PATIENCE).unwrap().is_err());
        // The run was told to stop.
        assert_eq!(running.error(), "stopped");
        rig.backends.release(1);
        assert_eq!(loading.error(), "ERR The server is shutting down");
        end.join().unwrap();
    });
    let (completion, _ended) = watcher();
    let refused = rig.engine.submit(request(&hold), completion).err().unwrap();
    assert_eq!(refused.error, EngineError::ShutDown);
    let new = rig.engine.open_queue(&Device::lenient(b"GPU"));
    assert_eq!(new, Err(EngineError::ShutDown));
    rig.engine.shutdown();
}

#[test]
fn a_shutdown_does_not_wait_for_a_stuck_run() {
    let rig = Rig::with(Config {
        shutdown_ms: 10,
        ..Config::default()
    });
    let stuck = rig.model("stuck");
    let job = rig.submit(&stuck, None);
    rig.backends.wait_started(1);
    assert_eq!(rig.engine.shutdown(), 1);
    assert!(job.is_waiting());
    rig.backends.release(1);
    job.result().unwrap();
}

#[test]
fn the_last_engine_shuts_down() {
    let rig = Rig::new();
    let (model, clone) = (rig.model("hold"), rig.engine.clone());
    let job = rig.submit(&model, None);
    rig.backends.wait_started(1);
    let Rig { engine, .. } = rig;
    drop(engine);
    assert!(job.is_waiting());
    drop(clone);
    assert_eq!(job.error(), "stopped");
}
