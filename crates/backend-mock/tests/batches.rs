//! What tests of batches ask the mock.

mod common;

use common::loaded;
use redisai_core::{DType, LoadedModel, Shape, Status, Tensor};
use redisai_testkit::conformance::{Model, load, numbered, run, run_with};
use redisai_testkit::sample;
use std::sync::Arc;

fn session(text: &str) -> Arc<dyn LoadedModel> {
    load(loaded().as_ref(), &Model::from(text)).unwrap()
}

fn numbers(outputs: &[Option<Arc<Tensor>>], at: usize) -> (Vec<i64>, Vec<i64>) {
    let output = outputs[at].as_ref().unwrap();
    assert_eq!(output.dtype(), DType::Int64);
    let words = output.bytes().chunks_exact(8);
    let words = words.map(|word| i64::from_ne_bytes(word.try_into().unwrap()));
    (output.shape().dims().to_vec(), words.collect())
}

#[test]
fn tell_says_what_shared_a_run() {
    let model = session("tell");
    let input = [sample(DType::Float, &[2, 5], 0)];
    let outputs = run(model.as_ref(), &input).unwrap();
    assert_eq!(numbers(&outputs, 0), (vec![2, 3], vec![2, 1, 0, 2, 1, 1]));
    let single = [sample(DType::Int8, &[1], 0)];
    let outputs = run_with(model.as_ref(), &numbered(&single, 2)).unwrap();
    for at in 0..2 {
        assert_eq!(numbers(&outputs, at), (vec![1, 3], vec![1, 2, 0]));
    }
    let error = run(model.as_ref(), &[sample(DType::Int8, &[], 0)]).unwrap_err();
    assert_eq!(error.status, Status::BadInput);
}

#[test]
fn picky_refuses_a_byte() {
    let model = session("picky /nowhere");
    let input = |bytes: Vec<u8>| {
        let shape = Shape::new(&[bytes.len() as i64]).unwrap();
        Arc::new(Tensor::new(DType::UInt8, shape, Box::new(bytes)).unwrap())
    };
    let good = input(vec![1, 2]);
    let outputs = run(model.as_ref(), &[Arc::clone(&good)]).unwrap();
    assert_eq!(outputs[0].as_ref().unwrap().bytes(), good.bytes());
    let error = run(model.as_ref(), &[input(vec![0, 254, 255])]).unwrap_err();
    assert_eq!(error.text, "ERR mock: a byte is 255");
    // It looks for its gate.
    let error = run(model.as_ref(), &[input(vec![254])]).unwrap_err();
    assert!(error.text.contains("/nowhere"), "{error}");
}
