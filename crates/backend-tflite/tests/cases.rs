//! The runs of `data/cases.json`: what LiteRT's own interpreter computes, we give.

mod common;

use common::{model, run};
use redisai_core::{AlignedBytes, DType, Shape, Tensor};
use serde_json::Value;
use std::sync::Arc;

#[test]
fn every_case_gives_what_litert_gives() {
    let cases: Value = serde_json::from_slice(&common::fixture("cases.json")).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 30, "{} cases", cases.len());
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let model = model(case["model"].as_str().unwrap());
        let inputs: Vec<_> = list(case, "inputs").iter().map(parse).collect();
        let outputs =
            run(model.as_ref(), &inputs).unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = list(case, "outputs");
        assert_eq!(outputs.len(), expected.len(), "{name}");
        drop(model);
        for (place, (output, expected)) in outputs.iter().zip(expected).enumerate() {
            match output {
                None => assert!(expected.is_null(), "{name}: no output {place}"),
                Some(output) => same(output, &parse(expected), &format!("{name}, output {place}")),
            }
        }
    }
}

/// Every case once more with inputs at an odd address: a held command argument has no alignment.
#[test]
fn inputs_may_lie_anywhere() {
    let cases: Value = serde_json::from_slice(&common::fixture("cases.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let model = model(case["model"].as_str().unwrap());
        let inputs: Vec<_> = list(case, "inputs")
            .iter()
            .map(|input| shifted(&parse(input)))
            .collect();
        let outputs = run(model.as_ref(), &inputs).unwrap();
        for (output, expected) in outputs.iter().zip(list(case, "outputs")) {
            if let Some(output) = output {
                same(output, &parse(expected), case["name"].as_str().unwrap());
            }
        }
    }
}

struct Shifted(AlignedBytes, usize);

impl redisai_core::Buffer for Shifted {
    fn bytes(&self) -> &[u8] {
        &self.0.bytes()[self.1..]
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

fn shifted(tensor: &Tensor) -> Arc<Tensor> {
    let mut bytes = vec![0_u8; 3];
    bytes.extend_from_slice(tensor.bytes());
    let data = Box::new(Shifted(AlignedBytes::copy_of(&bytes), 3));
    let shape = tensor.shape().clone();
    let made = match tensor.offsets() {
        Some(offsets) => Tensor::with_offsets(shape, data, offsets.into()),
        None => Tensor::new(tensor.dtype(), shape, data),
    };
    Arc::new(made.unwrap())
}

fn list<'a>(case: &'a Value, field: &str) -> &'a Vec<Value> {
    case[field].as_array().unwrap()
}

fn parse(value: &Value) -> Arc<Tensor> {
    let dims: Vec<i64> = list(value, "dims")
        .iter()
        .map(|dim| dim.as_i64().unwrap())
        .collect();
    let shape = Shape::new(&dims).unwrap();
    let dtype = DType::parse(value["dtype"].as_str().unwrap().as_bytes()).unwrap();
    if dtype == DType::String {
        let elements: Vec<_> = list(value, "strings").iter().map(hex).collect();
        let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
        return Arc::new(Tensor::from_strings(shape, &elements).unwrap());
    }
    let bytes = AlignedBytes::copy_of(&hex(&value["hex"]));
    Arc::new(Tensor::new(dtype, shape, Box::new(bytes)).unwrap())
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes().chunks_exact(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Equal but for the last bits of floating point, which depend on the processor.
fn same(output: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!(output.dtype(), expected.dtype(), "{what}");
    assert_eq!(output.shape(), expected.shape(), "{what}");
    if output.dtype() == DType::Float {
        for (got, wanted) in common::values(output).iter().zip(common::values(expected)) {
            let close = (got - wanted).abs() <= 1e-6_f32.max(wanted.abs() * 1e-5);
            assert!(
                close || got.to_bits() == wanted.to_bits(),
                "{what}: {got} is not {wanted}"
            );
        }
    } else {
        assert_eq!(output.bytes(), expected.bytes(), "{what}");
        assert_eq!(output.offsets(), expected.offsets(), "{what}");
    }
}
