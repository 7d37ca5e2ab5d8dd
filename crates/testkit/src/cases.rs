//! Runs whose outputs a framework's own Python API has computed: `cases.json`, a list of `{name, model,
//! inputs, outputs}` with tensors as `{dtype, dims, hex}` or `{dtype, dims, strings}`.

use crate::short::{run, values};
use redisai_core::{AlignedBytes, DType, LoadedModel, Shape, Tensor};
use serde_json::Value;
use std::sync::Arc;

/// Loads the model of a name.
pub type Load<'a> = &'a dyn Fn(&str) -> Arc<dyn LoadedModel>;

/// Every case, at least so many, gives what the framework gave.
pub fn every_case(cases: &[u8], least: usize, load: Load<'_>) {
    let cases: Value = serde_json::from_slice(cases).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= least, "{} cases", cases.len());
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let model = load(case["model"].as_str().unwrap());
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
pub fn inputs_anywhere(cases: &[u8], load: Load<'_>) {
    let cases: Value = serde_json::from_slice(cases).unwrap();
    for case in cases.as_array().unwrap() {
        let model = load(case["model"].as_str().unwrap());
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
        for (got, wanted) in values(output).iter().zip(values(expected)) {
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
