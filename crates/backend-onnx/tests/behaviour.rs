//! Signatures, errors, aliases, stopping: what the contract says of a loaded model.

mod common;

use common::{floats, ints, load, load_on, logged, model, onnx, request, run, tensor, values};
use redisai_core::{Backend, DType, Status, ValueKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

fn names(values: &[redisai_core::ValueInfo]) -> Vec<String> {
    values
        .iter()
        .map(|value| String::from_utf8(value.name.to_vec()).unwrap())
        .collect()
}

#[test]
fn the_backend_says_what_it_is() {
    let info = common::backend().info();
    assert_eq!(info.name, "ONNX");
    assert!(info.version.starts_with("1."), "{}", info.version);
    assert_eq!(info.framework, common::library().to_str().unwrap());
    assert!(info.capabilities.batching && info.capabilities.cancellation);
    assert_eq!(info.capabilities.dtypes.len(), 14);
}

#[test]
fn signatures() {
    let mlp = model("mlp.onnx");
    let [function] = mlp.signature().functions.as_slice() else {
        panic!("one function")
    };
    assert_eq!(
        (names(&function.inputs), names(&function.outputs)),
        (vec!["x".into()], vec!["y".into()])
    );
    assert_eq!(function.inputs[0].dtype, Some(DType::Float));
    assert_eq!(function.inputs[0].dims, Some(vec![None, Some(4)]));
    assert_eq!(function.outputs[0].dims, Some(vec![None, Some(3)]));
    assert!(!mlp.signature().control_flow);
    for name in ["branch.onnx", "loop.onnx"] {
        assert!(model(name).signature().control_flow, "{name}");
    }
    let scalar = model("scalar.onnx");
    let inputs = &scalar.signature().functions[0].inputs;
    assert_eq!(
        (inputs[0].dtype, &inputs[0].dims),
        (Some(DType::Double), &Some(vec![]))
    );
    assert_eq!(
        model("unknown_rank.onnx").signature().functions[0].inputs[0].dims,
        None
    );
    let many = model("many_outputs.onnx");
    assert_eq!(
        names(&many.signature().functions[0].outputs),
        ["y0", "y1", "y2", "y3", "y4", "y5", "shape"]
    );
    assert!(
        model("no_inputs.onnx").signature().functions[0]
            .inputs
            .is_empty()
    );
    let float8 = model("float8.onnx");
    assert_eq!(float8.signature().functions[0].outputs[0].dtype, None);
}

#[test]
fn signatures_of_what_is_no_tensor() {
    let kind = |name: &str| model(name).signature().functions[0].outputs[0].clone();
    let strings = kind("zipmap_string.onnx");
    assert_eq!(
        (strings.kind, strings.dims),
        (ValueKind::ZipMap, Some(vec![None, Some(3)]))
    );
    assert_eq!(
        strings.classes,
        [b"pear" as &[u8], b"apple", b"fig"].map(Into::into)
    );
    assert_eq!(
        kind("zipmap_int.onnx").classes,
        [b"30" as &[u8], b"-1", b"7"].map(Into::into)
    );
    assert_eq!(kind("sequence.onnx").kind, ValueKind::Other);
    let optional = kind("optional.onnx");
    assert_eq!(
        (optional.kind, optional.dtype),
        (ValueKind::Tensor, Some(DType::Float))
    );
    assert_eq!(optional.dims, Some(vec![Some(2), Some(3)]));
}

#[test]
fn an_output_without_a_tensor_is_told_once_a_model() {
    let x = floats(&[1, 3], &[1.0, 2.0, 3.0]);
    let sequence = model("sequence.onnx");
    let before = logged("\"s\" is no tensor").len();
    for _ in 0..3 {
        let outputs = run(sequence.as_ref(), &[Arc::clone(&x)]).unwrap();
        assert!(outputs[0].is_none());
        assert_eq!(values(outputs[1].as_ref().unwrap()), [-1.0, -2.0, -3.0]);
    }
    let lines = logged("\"s\" is no tensor");
    assert_eq!(lines.len(), before + 1, "{lines:?}");
    assert_eq!(lines[0].0, redisai_backend_abi::RAI_LOG_WARNING);
}

/// A line a weight that nothing uses: no client can fill the log with them.
#[test]
fn a_models_warnings_are_limited() {
    let unused: Vec<_> = (0..100)
        .map(|place| onnx::initializer(&format!("never{place}"), DType::Float, &[1], &[0; 4]))
        .collect();
    let (x, y) = (
        onnx::value("x", DType::Float),
        onnx::value("y", DType::Float),
    );
    load(onnx::model(
        &[onnx::node("Neg", &["x"], &["y"])],
        &unused,
        &[x],
        &[y],
    ))
    .unwrap();
    let lines = logged("'never");
    let loud = |line: &&(i32, String)| line.0 == redisai_backend_abi::RAI_LOG_WARNING;
    assert_eq!(lines.len(), 100, "ONNX Runtime warns of each");
    assert_eq!(lines.iter().filter(loud).count(), 20);
    assert!(!logged("more lines of this model").is_empty());
}

#[test]
fn counts_have_the_contracts_texts() {
    let mlp = model("mlp.onnx");
    let x = floats(&[1, 4], &[0.0; 4]);
    let text = |inputs: &[_], outputs| {
        let error = mlp.run(&request(inputs, outputs)).unwrap_err();
        assert_eq!(error.status, Status::BadInput);
        error.text.into_owned()
    };
    assert_eq!(text(&[], 1), "ERR Expected 1 inputs but got 0");
    assert_eq!(
        text(&[Arc::clone(&x), Arc::clone(&x)], 1),
        "ERR Expected 1 inputs but got 2"
    );
    assert_eq!(
        text(&[Arc::clone(&x)], 0),
        "ERR Expected 1 outputs but got 0"
    );
    assert_eq!(
        text(&[Arc::clone(&x)], 3),
        "ERR Expected 1 outputs but got 3"
    );
}

/// ONNX Runtime judges shapes and dtypes; its own words go out, one line.
#[test]
fn onnx_runtime_judges_inputs() {
    let mlp = model("mlp.onnx");
    for (input, part) in [
        (
            floats(&[1, 5], &[0.0; 5]),
            "Got invalid dimensions for input: x",
        ),
        (floats(&[4], &[0.0; 4]), "Invalid rank for input: x"),
        (floats(&[], &[0.0]), "Invalid rank for input: x"),
        (ints(&[1, 4], &[0; 4]), "Unexpected input data type"),
    ] {
        let error = run(mlp.as_ref(), &[input]).unwrap_err();
        assert_eq!(error.status, Status::BadInput, "{error}");
        assert!(
            error.text.contains(part) && !error.text.contains('\n'),
            "{error}"
        );
    }
    let error = run(model("upper.onnx").as_ref(), &[floats(&[1], &[0.0])]).unwrap_err();
    assert!(error.text.contains("Unexpected input data type"), "{error}");
    let error = run(
        model("divide.onnx").as_ref(),
        &[
            tensor(DType::Int32, &[2], &[0; 8]),
            tensor(DType::Int32, &[3], &[1; 12]),
        ],
    )
    .unwrap_err();
    assert_eq!(error.status, Status::RunFailed, "{error}");
    assert!(error.text.contains("Div"), "{error}");
}

#[test]
fn types_that_tensors_cannot_have_are_named() {
    let error = run(model("float8.onnx").as_ref(), &[floats(&[2], &[1.0, 2.0])]).unwrap_err();
    assert_eq!(error.status, Status::Unsupported);
    assert!(
        error.text.starts_with("ERR ") && error.text.contains("FLOAT8E4M3FN"),
        "{error}"
    );
}

#[test]
fn outputs_never_share_memory_with_inputs() {
    for name in ["pass_through.onnx", "aliases.onnx"] {
        let x = floats(&[4], &[1.0, 2.0, 3.0, 4.0]);
        let outputs = run(model(name).as_ref(), &[Arc::clone(&x)]).unwrap();
        let input = x.bytes().as_ptr_range();
        for output in outputs.iter().flatten() {
            assert!(!input.contains(&output.bytes().as_ptr()), "{name}");
        }
        let first = Arc::clone(outputs[0].as_ref().unwrap());
        drop((x, outputs));
        assert_eq!(values(&first), [1.0, 2.0, 3.0, 4.0]);
    }
}

#[test]
fn outputs_are_aligned_counted_and_outlive_their_model() {
    let mlp = model("mlp.onnx");
    let rows = 100_000;
    let outputs = run(
        mlp.as_ref(),
        &[floats(&[rows, 4], &vec![0.5; rows as usize * 4])],
    )
    .unwrap();
    let output = outputs[0].as_ref().unwrap();
    assert_eq!(output.bytes().as_ptr() as usize % 64, 0);
    assert!(!output.buffer().is_foreign());
    assert!(common::figure("onnxruntime_memory") >= 1_200_000);
    drop(mlp);
    // Each row is a softmax.
    for row in values(output).chunks(3) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
    }
}

#[test]
fn a_session_does_not_keep_the_models_bytes() {
    for name in ["divide.onnx", "zipmap_string.onnx", "branch.onnx"] {
        let blob: Arc<dyn redisai_core::Buffer> = Arc::new(common::fixture(name));
        let request = redisai_core::LoadRequest {
            kind: redisai_core::LoadKind::Model,
            blob: &blob,
            device: &redisai_core::Device::cpu(),
            options: Vec::new(),
        };
        let _model = common::backend().load(&request).unwrap();
        assert_eq!(Arc::strong_count(&blob), 1, "{name}");
    }
}

#[test]
fn devices() {
    for good in ["CPU", "cpu", "CPU:1", "CPU:"] {
        assert!(load_on(good, common::fixture("mlp.onnx")).is_ok(), "{good}");
    }
    let refused = |device: &str| {
        let error = load_on(device, common::fixture("mlp.onnx"))
            .err()
            .expect("refused");
        assert_eq!(error.status, Status::Unsupported);
        error.text.into_owned()
    };
    assert_eq!(refused("TPU"), "ERR unsupported device");
    let has_cuda = common::backend().info().capabilities.devices != ["CPU"];
    for gpu in ["GPU", "GPU:0", "GPU:7", "GPU:4000"] {
        if !has_cuda {
            assert_eq!(
                refused(gpu),
                "ERR GPU requested but ONNX couldn't find CUDA"
            );
        } else if gpu == "GPU:4000" {
            // `onnxruntime-gpu`, with a driver or without: no machine has that many.
            assert!(!refused(gpu).is_empty());
        }
    }
}

#[test]
fn broken_models_say_what_is_wrong() {
    for (name, part) in [
        ("bad_domain.onnx", "com.example"),
        ("bad_opset.onnx", "999"),
        ("bad_type.onnx", "StringNormalizer"),
    ] {
        let error = load(common::fixture(name)).err().expect(name);
        assert_eq!(error.status, Status::BadModel, "{name}: {error}");
        assert!(
            error.text.contains(part) && !error.text.contains('\n'),
            "{name}: {error}"
        );
    }
    for (bytes, text) in [
        (b"" as &[u8], "No graph was found in the protobuf."),
        (
            b"garbage",
            "Failed to load model because protobuf parsing failed.",
        ),
    ] {
        let error = load(bytes.to_vec()).err().expect("refused");
        assert_eq!(error.text, text);
    }
    let error = load(b"\x18\0\0\0ORTM and so on".to_vec())
        .err()
        .expect("refused");
    assert!(error.text.contains("ORT format"), "{error}");
}

#[test]
fn external_data_is_refused_wherever_it_stands() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/external");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let error = load(std::fs::read(&path).unwrap()).err().expect("refused");
        assert_eq!(
            error.text,
            "Initializer tensors with external data is not allowed.",
            "{}",
            path.display()
        );
        assert_eq!(error.status, Status::BadModel);
        seen += 1;
    }
    assert_eq!(seen, 17);
}

/// A run of an endless loop, and a way to know that it has begun.
fn endless(id: u64) -> std::thread::JoinHandle<redisai_core::BackendError> {
    let model = model("loop.onnx");
    std::thread::spawn(move || {
        let inputs = [ints(&[], &[i64::MAX])];
        let mut run = request(&inputs, 1);
        run.id = id;
        model.run(&run).expect_err("stopped")
    })
}

#[test]
fn a_run_is_stopped_by_its_number() {
    let (id, other) = (common::run_id(), common::run_id());
    let (stopped, running) = (endless(id), endless(other));
    let deadline = Instant::now() + Duration::from_mins(1);
    // The number is known once the run has begun, which no call tells: asking again is allowed.
    while !stopped.is_finished() {
        assert!(Instant::now() < deadline, "the run goes on");
        common::backend().cancel(id);
        std::thread::yield_now();
    }
    let error = stopped.join().unwrap();
    assert_eq!(error.status, Status::Cancelled);
    assert!(
        error
            .text
            .contains("Exiting due to terminate flag being set to true."),
        "{error}"
    );
    assert!(!running.is_finished(), "only that run is stopped");
    while !running.is_finished() {
        assert!(Instant::now() < deadline, "the run goes on");
        common::backend().cancel(other);
        std::thread::yield_now();
    }
    assert_eq!(running.join().unwrap().status, Status::Cancelled);
    // What was stopped leaves nothing behind: the same model runs again.
    let outputs = run(model("loop.onnx").as_ref(), &[ints(&[], &[3])]).unwrap();
    assert_eq!(outputs[0].as_ref().unwrap().bytes(), 3_i64.to_ne_bytes());
    common::backend().cancel(id);
    common::backend().cancel(u64::MAX);
}

#[test]
fn a_run_whose_deadline_is_past_does_not_begin() {
    let mlp = model("mlp.onnx");
    let inputs = [floats(&[1, 4], &[0.0; 4])];
    let mut run = request(&inputs, 1);
    run.deadline = 1;
    assert_eq!(mlp.run(&run).unwrap_err().status, Status::Cancelled);
    run.deadline = u64::MAX;
    assert!(mlp.run(&run).is_ok());
}

/// Many threads on one session, some of their runs stopped: nobody gets another's result.
#[test]
fn runs_do_not_disturb_each_other() {
    const THREADS: i32 = 4;
    const TURNS: i32 = 500;
    // Numbers of this test alone, so that no other test's run is stopped.
    const FIRST: u64 = 1 << 40;
    let model = model("concat_int32.onnx");
    let left = AtomicI32::new(THREADS);
    std::thread::scope(|scope| {
        for seed in 0..THREADS {
            let (model, left) = (&model, &left);
            scope.spawn(move || {
                for turn in 0..TURNS {
                    let value = seed * TURNS + turn;
                    let bytes = value.to_ne_bytes().repeat(3);
                    let inputs = [tensor(DType::Int32, &[1, 3], &bytes)];
                    let mut run = request(&inputs, 1);
                    run.id = FIRST + value as u64;
                    match model.run(&run) {
                        Ok(outputs) => {
                            assert_eq!(outputs[0].as_ref().unwrap().bytes(), bytes.repeat(2));
                        }
                        Err(error) => assert_eq!(error.status, Status::Cancelled, "{error}"),
                    }
                }
                left.fetch_sub(1, Ordering::Relaxed);
            });
        }
        let deadline = Instant::now() + Duration::from_mins(1);
        while left.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
            (0..(THREADS * TURNS) as u64)
                .for_each(|number| common::backend().cancel(FIRST + number));
        }
    });
    assert_eq!(left.load(Ordering::Relaxed), 0);
}
