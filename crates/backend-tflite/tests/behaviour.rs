//! The contract's texts, signatures, shapes, stopping.

mod common;

use common::{backend, floats, load, load_on, model, request, run, tensor, values};
use redisai_core::{
    Backend, BackendError, DType, LoadedModel, RunOutput, Status, Tensor, ValueInfo,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn text(outcome: Result<RunOutput, BackendError>) -> String {
    outcome.expect_err("refused").text.into_owned()
}

fn refused(name: &str) -> BackendError {
    load(common::fixture(name))
        .err()
        .unwrap_or_else(|| panic!("{name} was loaded"))
}

fn names(values: &[ValueInfo]) -> Vec<&str> {
    let names = values
        .iter()
        .map(|value| std::str::from_utf8(&value.name).unwrap());
    names.collect()
}

fn run_named(
    model: &dyn LoadedModel,
    function: &[u8],
    inputs: &[Arc<Tensor>],
) -> Result<RunOutput, BackendError> {
    let mut named = request(inputs, 1);
    named.function = function;
    model.run(&named)
}

#[test]
fn the_backend_says_what_it_is() {
    let info = backend().info();
    assert_eq!(info.name, "TFLITE");
    assert!(info.version.starts_with("2."), "{}", info.version);
    assert_eq!(info.framework, common::library().to_str().unwrap());
    let can = &info.capabilities;
    assert!(can.batching && can.cancellation);
    assert_eq!(
        (can.min_align, can.tail_bytes, can.dtypes.len()),
        (64, 64, 13)
    );
}

#[test]
fn signatures_show_the_tensors_names() {
    let mlp = model("mlp.tflite");
    let function = &mlp.signature().functions[0];
    assert_eq!(names(&function.inputs), ["x"]);
    assert_eq!(function.inputs[0].dtype, Some(DType::Float));
    assert_eq!(function.inputs[0].dims, Some(vec![None, Some(4)]));
    assert_eq!(names(&function.outputs).len(), 2);
    let sum = model("sum.tflite");
    assert_eq!(names(&sum.signature().functions[0].inputs), ["a", "b"]);
    assert!(!sum.signature().control_flow);
    assert!(model("endless.tflite").signature().control_flow);
    assert_eq!(
        names(&model("no_signature.tflite").signature().functions[0].inputs),
        ["x0"]
    );
}

#[test]
fn the_default_signature_runs_and_others_by_name() {
    let x = [floats(&[2], &[3.0, 5.0])];
    let two = model("two_signatures.tflite");
    let functions = &two.signature().functions;
    assert_eq!(functions.len(), 2);
    assert_eq!(
        (&*functions[0].name, &*functions[1].name),
        (b"serving_default" as &[u8], b"double" as &[u8])
    );
    let one = |function: &[u8]| {
        let outputs = run_named(two.as_ref(), function, &x).unwrap();
        values(outputs[0].as_ref().unwrap())
    };
    assert_eq!(one(b""), [9.0, 25.0]);
    assert_eq!(one(b"double"), [6.0, 10.0]);
    assert_eq!(one(b"serving_default"), [9.0, 25.0]);
    assert!(text(run_named(two.as_ref(), b"other", &x)).contains("no signature"));
    // Without the default one the first counts.
    let outputs = run(model("first_signature.tflite").as_ref(), &x).unwrap();
    assert_eq!(values(outputs[0].as_ref().unwrap()), [6.0, 10.0]);
}

#[test]
fn the_contracts_texts_of_a_run() {
    let sum = model("sum.tflite");
    let x = floats(&[2], &[1.0, 2.0]);
    let two = [Arc::clone(&x), Arc::clone(&x)];
    assert_eq!(
        text(sum.run(&request(&two[..1], 1))),
        "Inconsistent number of inputs"
    );
    assert_eq!(
        text(sum.run(&request(&two, 2))),
        "Inconsistent number of outputs"
    );
    let whole = tensor(DType::Int32, &[2], &[0; 8]);
    assert_eq!(
        text(run(sum.as_ref(), &[Arc::clone(&whole), whole])),
        "Input tensor type doesn't match the type expected by the model definition"
    );
    let text_tensor = Arc::new(Tensor::from_strings(x.shape().clone(), &[b"a", b"b"]).unwrap());
    assert_eq!(
        text(run(sum.as_ref(), &[Arc::clone(&text_tensor), x])),
        "Unsupported input data type"
    );
    let strings = model("string_output.tflite");
    let one = [floats(&[1], &[1.0])];
    assert_eq!(
        text(strings.run(&request(&one, 2))),
        "Unsupported output data type"
    );
}

#[test]
fn the_contracts_texts_of_a_store() {
    assert_eq!(
        load(vec![7; 100]).err().unwrap().text,
        "Failed to load model from buffer"
    );
    assert_eq!(
        load(Vec::new()).err().unwrap().text,
        "Failed to load model from buffer"
    );
    let on = |device: &str| {
        load_on(device, common::fixture("sum.tflite"))
            .err()
            .unwrap()
            .text
    };
    assert_eq!(on("TPU"), "ERR Unsupported device");
    assert_eq!(on("GPU:1"), "Failed to set GPU delegate");
}

#[test]
fn an_operator_that_is_not_there_is_named() {
    for (name, part) in [
        ("flex.tflite", "FlexErf"),
        ("custom.tflite", "Mine"),
        ("new_version.tflite", "ABS 99"),
        ("new_operator.tflite", "operator 250"),
    ] {
        let error = refused(name);
        assert!(error.text.contains(part), "{error}");
        assert_eq!(error.status, Status::BadModel);
    }
    assert!(
        refused("flex.tflite")
            .text
            .starts_with("Failed to allocate tensors")
    );
    assert!(
        refused("new_operator.tflite")
            .text
            .starts_with("Failed to construct interpreter")
    );
}

#[test]
fn shapes_that_do_not_fit_are_refused_and_the_model_lives() {
    let sum = model("sum.tflite");
    let of = |dims: &[i64]| {
        let count = dims.iter().product::<i64>() as usize;
        floats(dims, &vec![1.0; count])
    };
    let good = [of(&[3]), of(&[3])];
    for dims in [&[0][..], &[], &[1, 1, 1, 1, 1, 1, 1, 1, 1]] {
        let error = run(sum.as_ref(), &[of(dims), of(dims)]).unwrap_err();
        assert_eq!(
            (error.status, &*error.text),
            (Status::BadInput, "Failed to resize input tensors")
        );
        run(sum.as_ref(), &good).unwrap();
    }
    // No broadcast fits.
    assert!(
        text(run(sum.as_ref(), &[of(&[2]), of(&[3])])).starts_with("Failed to allocate tensors")
    );
    run(sum.as_ref(), &good).unwrap();
    // A product of matrices whose inner dimensions differ.
    let large = model("large.tflite");
    assert!(
        text(run(large.as_ref(), &[of(&[2, 3]), of(&[2, 3])])).starts_with("Failed to allocate")
    );
    let outputs = run(large.as_ref(), &[of(&[2, 3]), of(&[3, 2])]).unwrap();
    assert_eq!(values(outputs[0].as_ref().unwrap()), [3.0; 4]);
}

#[test]
fn a_run_that_fails_says_why() {
    let divide = model("divide.tflite");
    let of = |values: [i32; 2]| tensor(DType::Int32, &[2], &values.map(i32::to_ne_bytes).concat());
    let failed = text(run(divide.as_ref(), &[of([6, 4]), of([0, 2])]));
    assert!(
        failed.starts_with("Failed to invoke TfLite: ") && failed.contains("DIV"),
        "{failed}"
    );
    let outputs = run(divide.as_ref(), &[of([6, 4]), of([3, 2])]).unwrap();
    assert_eq!(outputs[0].as_ref().unwrap().bytes(), of([2, 2]).bytes());
}

#[test]
fn a_variable_keeps_its_value_from_run_to_run() {
    let counter = model("variable.tflite");
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    run(counter.as_ref(), &[floats(&[1], &[1.0])]).unwrap();
                }
            });
        }
    });
    let outputs = run(counter.as_ref(), &[floats(&[1], &[0.5])]).unwrap();
    assert_eq!(values(outputs[0].as_ref().unwrap()), [100.5]);
}

#[test]
fn a_stopped_run_ends_at_once_and_the_model_runs_on() {
    let endless = model("endless.tflite");
    let inputs = [floats(&[1], &[0.0])];
    for _ in 0..2 {
        let run = request(&inputs, 1);
        let start = Instant::now();
        let error = std::thread::scope(|scope| {
            let (over, is_over) = std::sync::mpsc::channel::<()>();
            let running = scope.spawn(|| {
                let outcome = endless.run(&run);
                drop(over);
                outcome
            });
            while is_over.recv_timeout(Duration::from_millis(5))
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                backend().cancel(run.id);
            }
            running.join().unwrap().unwrap_err()
        });
        assert_eq!(error.status, Status::Cancelled);
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
