//! The models of testkit's conformance cases.

use super::onnx::{initializer, model, node, value};
use redisai_core::{DType, Tensor};
use redisai_testkit::conformance::{Fixture, Model};
use std::sync::Arc;

/// ONNX.
pub struct Onnx;

fn made(blob: Vec<u8>) -> Model {
    Model {
        blob,
        options: Vec::new(),
    }
}

impl Fixture for Onnx {
    fn identity(&self, dtype: DType, count: usize) -> Option<Model> {
        let names: Vec<_> = (0..count)
            .map(|place| (format!("x{place}"), format!("y{place}")))
            .collect();
        let nodes: Vec<_> = names
            .iter()
            .map(|(x, y)| node("Identity", &[x], &[y]))
            .collect();
        let inputs: Vec<_> = names.iter().map(|(x, _)| value(x, dtype)).collect();
        let outputs: Vec<_> = names.iter().map(|(_, y)| value(y, dtype)).collect();
        Some(made(model(&nodes, &[], &inputs, &outputs)))
    }

    fn sum(&self) -> Model {
        let inputs = [value("a", DType::Float), value("b", DType::Float)];
        made(model(
            &[node("Add", &["a", "b"], &["y"])],
            &[],
            &inputs,
            &[value("y", DType::Float)],
        ))
    }

    /// The shape that it wants has five elements.
    fn failing(&self) -> Model {
        let shape = initializer("shape", DType::Int64, &[1], &5_i64.to_ne_bytes());
        let nodes = [node("Reshape", &["x", "shape"], &["y"])];
        made(model(
            &nodes,
            &[shape],
            &[value("x", DType::Float)],
            &[value("y", DType::Float)],
        ))
    }

    fn garbage(&self) -> Vec<Model> {
        let cut = super::fixture("mlp.onnx");
        let cyclic = [node("Neg", &["a"], &["b"]), node("Neg", &["b"], &["a"])];
        vec![
            made(cut[..cut.len() / 2].to_vec()),
            made(super::fixture("bad_domain.onnx")),
            made(model(&cyclic, &[], &[], &[value("b", DType::Float)])),
            made(vec![0xff; 100]),
        ]
    }

    fn endless(&self) -> Option<Model> {
        Some(made(super::fixture("loop.onnx")))
    }

    fn endless_input(&self) -> Arc<Tensor> {
        super::ints(&[], &[i64::MAX])
    }
}
