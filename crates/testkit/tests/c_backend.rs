//! A backend written in C by the header.

mod common;

use common::{Temp, compile, loader, open};
use redisai_core::{BackendKind, Buffer, DType, Device, LoadKind, LoadRequest, LoadedModel};
use redisai_core::{Status, Tensor};
use redisai_testkit::conformance::{Model, load, numbered, run, run_with};
use redisai_testkit::{CountedBytes, OffsetBytes, sample};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn floats(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect()
}

#[test]
fn it_doubles() {
    let backend = open(&[]).unwrap();
    assert_eq!(backend.info().version, "c-1.0");
    assert!(backend.info().capabilities.dynamic_shapes);
    let session = load(backend.as_ref(), &Model::from("double")).unwrap();
    let function = &session.signature().functions[0];
    assert_eq!(function.inputs[0].name.as_ref(), b"x");
    assert_eq!(function.inputs[0].dims, None);
    assert_eq!(function.outputs[0].dtype, Some(DType::Float));
    let shape = redisai_core::Shape::new(&[3, 1]).unwrap();
    let data = OffsetBytes::copy_of(&floats(&[1.0, -2.5, 1e30]));
    let input = Tensor::new(DType::Float, shape, Box::new(data)).unwrap();
    let outputs = run(session.as_ref(), &[Arc::new(input)]).unwrap();
    let output = outputs[0].as_ref().unwrap();
    assert_eq!(output.shape().dims(), [3, 1]);
    assert_eq!(output.bytes(), floats(&[2.0, -5.0, 2e30]));
    assert!(!output.buffer().is_foreign());
    // It has neither cancel nor figures.
    backend.cancel(1);
    assert_eq!(backend.figures(), []);
}

#[test]
fn its_errors_come_across() {
    let backend = open(&[]).unwrap();
    let error = load(backend.as_ref(), &Model::from("triple"))
        .err()
        .unwrap();
    assert_eq!(
        (error.status, error.text.as_ref()),
        (Status::BadModel, "ERR the model is not 'double'")
    );
    let session = load(backend.as_ref(), &Model::from("double")).unwrap();
    let error = run(session.as_ref(), &[sample(DType::Int32, &[1], 0)]).unwrap_err();
    assert_eq!(
        (error.status, error.text.as_ref()),
        (Status::BadInput, "ERR the input is not FLOAT")
    );
    let error = run_with(session.as_ref(), &numbered(&[], 1)).unwrap_err();
    assert_eq!(error.status, Status::BadInput);
}

#[test]
fn its_session_holds_the_blob() {
    let backend = open(&[]).unwrap();
    let alive = Arc::new(AtomicUsize::new(0));
    let session: Arc<dyn LoadedModel> = {
        let blob: Arc<dyn Buffer> = Arc::new(CountedBytes::new(b"double".to_vec(), &alive));
        let request = LoadRequest {
            kind: LoadKind::Model,
            blob: &blob,
            device: &Device::cpu(),
            options: Vec::new(),
        };
        backend.load(&request).unwrap()
    };
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    drop(session);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn signal_handlers_are_put_back() {
    let ignored = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("SigIgn:"))
            .unwrap();
        u64::from_str_radix(line["SigIgn:".len()..].trim(), 16).unwrap()
    };
    let before = ignored();
    open(&["-DSTEAL_SIGNAL"]).unwrap();
    assert_eq!(ignored(), before);
}

#[test]
fn one_file_is_one_backend_from_any_thread() {
    let temp = Temp::new();
    compile(&temp.0, &[]);
    let open = || loader(&temp.0, &[]).open(BackendKind::Onnx, None).unwrap();
    let first = open();
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(open)).collect();
        for other in opened {
            assert!(Arc::ptr_eq(&first, &other.join().unwrap()));
        }
    });
}
