//! What only shows through the loaded library: poison, memory, alignment, the host's functions.

mod common;

use common::{Door, fresh, loaded};
use redisai_core::{AlignedBytes, DType, LogLevel, Shape, Status, Tensor};
use redisai_testkit::conformance::{Model, load, numbered, run, run_with};
use redisai_testkit::{OffsetBytes, sample};
use std::fs::OpenOptions;
use std::sync::Arc;
use std::thread;

fn session(backend: &dyn redisai_core::Backend, text: &str) -> Arc<dyn redisai_core::LoadedModel> {
    load(backend, &Model::from(text)).unwrap()
}

#[test]
fn a_panic_in_a_run_poisons_that_session_only() {
    let door = Arc::new(Door::default());
    let backend = fresh(&door, &[]).unwrap();
    let input = [sample(DType::Float, &[1], 0)];
    let other = session(backend.as_ref(), "identity");
    let panicking = session(backend.as_ref(), "panic out of order");
    let error = run(panicking.as_ref(), &input).unwrap_err();
    assert_eq!(error.status, Status::Poisoned);
    assert!(error.text.contains("out of order"), "{error}");
    let again = run(panicking.as_ref(), &input).unwrap_err();
    assert_eq!(again.status, Status::Poisoned);
    assert!(
        !again.text.contains("out of order"),
        "it ran again: {again}"
    );
    run(other.as_ref(), &input).unwrap();
    session(backend.as_ref(), "identity");
    let lines = door.lines.lock().unwrap();
    let logged = |(level, line): &(LogLevel, String)| {
        *level == LogLevel::Warning && line.contains("out of order") && line.contains("model.rs")
    };
    assert!(lines.iter().any(logged), "{lines:?}");
}

#[test]
fn a_panic_at_load_poisons_the_backend() {
    let backend = fresh(&Arc::new(Door::default()), &[]).unwrap();
    let before = session(backend.as_ref(), "identity");
    let error = load(backend.as_ref(), &Model::from("panic-load bad day"))
        .err()
        .unwrap();
    assert_eq!(error.status, Status::Poisoned);
    assert!(error.text.contains("bad day"), "{error}");
    let error = load(backend.as_ref(), &Model::from("identity"))
        .err()
        .unwrap();
    assert_eq!(error.status, Status::Poisoned);
    // A session that was there goes on; outputs and sessions can be released.
    let outputs = run(before.as_ref(), &[sample(DType::Int8, &[3], 1)]).unwrap();
    drop(before);
    assert_eq!(outputs[0].as_ref().unwrap().shape().dims(), [3]);
}

#[test]
fn init_may_fail_and_be_tried_again() {
    let copy = redisai_testkit::own_copy(&redisai_testkit::built_library("redisai-backend-mock"));
    let door = Arc::new(Door::default());
    let error = common::open(&copy, &door, &[("fail", "ERR no framework")])
        .err()
        .unwrap();
    assert!(error.text.contains("no framework"), "{error}");
    let backend = common::open(&copy, &door, &[("version", "7.5")]).unwrap();
    assert_eq!(backend.info().version, "7.5");
    assert_eq!(backend.info().library, copy.to_string_lossy());
    // The second open of one file is the same backend.
    let same = common::open(&copy, &door, &[("version", "8")]).unwrap();
    assert!(Arc::ptr_eq(&backend, &same));
    std::fs::remove_file(&copy).unwrap();
}

#[test]
fn a_panic_in_init_poisons_the_backend() {
    let copy = redisai_testkit::own_copy(&redisai_testkit::built_library("redisai-backend-mock"));
    let door = Arc::new(Door::default());
    let error = common::open(&copy, &door, &[("panic", "bad start")])
        .err()
        .unwrap();
    assert!(error.text.contains("bad start"), "{error}");
    let error = common::open(&copy, &door, &[]).err().unwrap();
    assert!(error.text.contains("panicked before"), "{error}");
    std::fs::remove_file(&copy).unwrap();
}

#[test]
fn capabilities_come_across() {
    let options = [
        ("min_align", "64"),
        ("tail_bytes", "8"),
        ("max_concurrent_runs", "3"),
    ];
    let backend = fresh(&Arc::new(Door::default()), &options).unwrap();
    let can = &backend.info().capabilities;
    assert_eq!(
        (can.min_align, can.tail_bytes, can.max_concurrent_runs),
        (64, 8, 3)
    );
    assert!(can.batching && can.cancellation && can.functions && can.dynamic_shapes);
    assert_eq!(can.devices, ["CPU", "GPU:0"]);
    assert_eq!(can.dtypes, DType::all().collect::<Vec<_>>());
    assert_eq!(can.formats, ["mock"]);
    assert_eq!(backend.info().name, "MOCK");
}

#[test]
fn signatures_come_across() {
    let backend = loaded();
    let text = "identity\ninput x FLOAT ? 3\noutputs 1\nfunction f\ncontrol-flow";
    let session = session(backend.as_ref(), text);
    let signature = session.signature();
    assert!(signature.control_flow);
    let function = &signature.functions[0];
    assert_eq!(function.name.as_ref(), b"f");
    assert_eq!(function.inputs[0].name.as_ref(), b"x");
    assert_eq!(function.inputs[0].dtype, Some(DType::Float));
    assert_eq!(function.inputs[0].dims, Some(vec![None, Some(3)]));
}

#[test]
fn inputs_are_copied_where_the_backend_asks_for_it() {
    let options = [("min_align", "256"), ("tail_bytes", "32")];
    let asking = fresh(&Arc::new(Door::default()), &options).unwrap();
    let plain = loaded();
    let shape = || Shape::new(&[16]).unwrap();
    let bytes: Vec<u8> = (0..16).collect();
    let odd = Tensor::new(
        DType::UInt8,
        shape(),
        Box::new(OffsetBytes::copy_of(&bytes)),
    );
    let inputs = [Arc::new(odd.unwrap()), sample(DType::String, &[2, 2], 1)];
    let text = "aligned 256 32";
    let outputs = run(session(asking.as_ref(), text).as_ref(), &inputs).unwrap();
    for (output, input) in outputs.iter().flatten().zip(&inputs) {
        assert_eq!(output.bytes(), input.bytes());
        assert_eq!(output.offsets(), input.offsets());
    }
    let refused = run(session(plain.as_ref(), text).as_ref(), &inputs);
    assert_eq!(refused.unwrap_err().status, Status::BadInput);
}

#[test]
fn inputs_and_outputs_are_not_copied() {
    let backend = loaded();
    let session = session(backend.as_ref(), "aligned 64 48");
    let data = AlignedBytes::copy_of(&[1; 16]);
    let tensor = Tensor::new(DType::UInt8, Shape::new(&[16]).unwrap(), Box::new(data));
    let input = Arc::new(tensor.unwrap());
    let outputs = run(session.as_ref(), &[Arc::clone(&input)]).unwrap();
    let output = outputs[0].as_ref().unwrap();
    assert_eq!(output.bytes().as_ptr(), input.bytes().as_ptr());
    assert_eq!(output.buffer().tail(), 48);
    assert!(Arc::strong_count(&input) > 1, "the output holds the input");
    drop(outputs);
    assert_eq!(Arc::strong_count(&input), 1);
}

#[test]
fn memory_is_the_hosts_or_says_so() {
    let backend = loaded();
    let input = [sample(DType::Float, &[4], 0)];
    for (text, foreign) in [("identity", false), ("copy", false), ("foreign", true)] {
        let outputs = run(session(backend.as_ref(), text).as_ref(), &input).unwrap();
        let buffer = outputs[0].as_ref().unwrap();
        assert_eq!(buffer.buffer().is_foreign(), foreign, "{text}");
    }
    let big = session(backend.as_ref(), "allocate 100000");
    let outputs = run_with(big.as_ref(), &numbered(&[], 2)).unwrap();
    let output = outputs[1].as_ref().unwrap();
    assert_eq!(output.bytes(), vec![0; 100_000]);
    assert!(output.buffer().tail() >= 32);
    let huge = session(backend.as_ref(), &format!("allocate {}", 1_u64 << 50));
    let refused = run_with(huge.as_ref(), &numbered(&[], 1)).unwrap_err();
    assert_eq!(refused.status, Status::NoMemory);
}

#[test]
fn outputs_may_be_none_and_must_be_as_many_as_asked() {
    let backend = loaded();
    let none = session(backend.as_ref(), "none");
    let outputs = run_with(none.as_ref(), &numbered(&[], 3)).unwrap();
    assert!(outputs.iter().all(Option::is_none));
    let two = session(backend.as_ref(), "give 2");
    run_with(two.as_ref(), &numbered(&[], 2)).unwrap();
    for asked in [0, 1, 3] {
        let error = run_with(two.as_ref(), &numbered(&[], asked)).unwrap_err();
        assert_eq!(
            error.text,
            "ERR Model did not generate the expected number of outputs"
        );
    }
}

#[test]
fn scripts_get_their_words_and_reach_the_host() {
    let backend = fresh(&Arc::new(Door::default()), &[]).unwrap();
    let words = session(backend.as_ref(), "words\nfunction f");
    let keys = [b"k\0".to_vec()];
    let args = [b"".to_vec(), b"\xff".to_vec()];
    let mut request = numbered(&[], 1);
    (request.function, request.keys, request.args) = (b"f", &keys, &args);
    let outputs = run_with(words.as_ref(), &request).unwrap();
    let words: Vec<Vec<u8>> = outputs[0]
        .as_ref()
        .unwrap()
        .strings()
        .map(<[u8]>::to_vec)
        .collect();
    assert_eq!(words, [b"f" as &[u8], b"k\0", b"", b"\xff"]);

    let reply = |text: &str| {
        let session = session(backend.as_ref(), text);
        let mut request = numbered(&[], 1);
        request.call_context = 77;
        let outputs = run_with(session.as_ref(), &request)?;
        Ok::<_, redisai_core::BackendError>(outputs[0].as_ref().unwrap().bytes().to_vec())
    };
    assert_eq!(reply("call SET a b").unwrap(), b"77:3\0");
    let denied = reply("call DENIED").unwrap_err();
    assert_eq!(
        (denied.status, denied.text.as_ref()),
        (Status::RunFailed, "NOPERM denied")
    );
    assert!(reply("call PANIC").unwrap_err().text.contains("in call"));
}

#[test]
fn scripts_run_models() {
    let backend = fresh(&Arc::new(Door::default()), &[]).unwrap();
    let twice = session(backend.as_ref(), "run-model twice");
    let inputs = [
        sample(DType::Float, &[2], 9),
        sample(DType::String, &[3], 9),
    ];
    let mut request = numbered(&inputs, 4);
    request.call_context = 77;
    let outputs = run_with(twice.as_ref(), &request).unwrap();
    for (output, input) in outputs.iter().flatten().zip(inputs.iter().chain(&inputs)) {
        assert_eq!(output.bytes(), input.bytes());
        // It went out, in, out and in again without a copy.
        assert_eq!(output.bytes().as_ptr(), input.bytes().as_ptr());
    }
    drop(outputs);
    assert_eq!(Arc::strong_count(&inputs[0]), 1);
    let missing = session(backend.as_ref(), "run-model other");
    let error = run_with(missing.as_ref(), &request).unwrap_err();
    assert_eq!(error.text, "ERR model key is empty");
    assert_eq!(Arc::strong_count(&inputs[1]), 1);
}

#[test]
fn a_gate_holds_a_run_until_it_is_opened() {
    let backend = loaded();
    let path = std::env::temp_dir().join(format!("redisai-gate-{}", std::process::id()));
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    let session = session(backend.as_ref(), &format!("gate {}", path.display()));
    let inputs = [sample(DType::Float, &[1], 1)];
    thread::scope(|scope| {
        let running = scope.spawn(|| run(session.as_ref(), &inputs));
        // Returns when the run has come to the gate.
        let writer = OpenOptions::new().write(true).open(&path).unwrap();
        assert!(!running.is_finished());
        drop(writer);
        assert_eq!(running.join().unwrap().unwrap().len(), 1);
    });
    let request = numbered(&inputs, 1);
    thread::scope(|scope| {
        let running = scope.spawn(|| run_with(session.as_ref(), &request));
        let writer = OpenOptions::new().write(true).open(&path).unwrap();
        while !running.is_finished() {
            backend.cancel(request.id);
            thread::yield_now();
        }
        let error = running.join().unwrap().unwrap_err();
        assert_eq!(error.status, Status::Cancelled);
        drop(writer);
    });
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_crash_is_a_crash() {
    use std::os::unix::process::ExitStatusExt;
    const NAME: &str = "REDISAI_TEST_CRASH";
    if let Ok(text) = std::env::var(NAME) {
        let backend = loaded();
        let _ = run(session(backend.as_ref(), &text).as_ref(), &[]);
        std::process::exit(0);
    }
    for (text, signal) in [("crash", libc::SIGABRT), ("crash segv", libc::SIGSEGV)] {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_crash_is_a_crash"])
            .env(NAME, text)
            .output()
            .unwrap()
            .status;
        assert_eq!(status.signal(), Some(signal), "{text}: {status}");
    }
}

#[test]
fn figures_count_sessions_and_runs() {
    let backend = fresh(&Arc::new(Door::default()), &[]).unwrap();
    let figure = |name: &str| {
        let figures = backend.figures();
        figures.into_iter().find(|pair| pair.0 == name).unwrap().1
    };
    assert_eq!(figure("sessions"), "0");
    let session = session(backend.as_ref(), "identity");
    run(session.as_ref(), &[sample(DType::Float, &[1], 1)]).unwrap();
    assert_eq!(
        (figure("sessions"), figure("runs")),
        ("1".into(), "1".into())
    );
    assert_eq!(session.figures(), [("runs".to_owned(), "1".to_owned())]);
    drop(session);
    assert_eq!(figure("sessions"), "0");
}
