//! The models of testkit's conformance cases.

use super::graph::{constant, endless, graph, node, of_type, placeholder};
use redisai_core::{DType, Tensor};
use redisai_testkit::conformance::{Fixture, Model};
use std::sync::Arc;

/// TensorFlow.
pub struct TensorFlow;

/// A graph with these names.
pub fn made(blob: Vec<u8>, inputs: &[&str], outputs: &[&str]) -> Model {
    let named = |kind: &str, names: &[&str]| -> Vec<(String, Vec<u8>)> {
        let names = names.iter();
        names
            .map(|name| (kind.to_owned(), name.as_bytes().to_vec()))
            .collect()
    };
    let mut options = named("input", inputs);
    options.extend(named("output", outputs));
    Model { blob, options }
}

impl Fixture for TensorFlow {
    fn identity(&self, dtype: DType, count: usize) -> Option<Model> {
        let names: Vec<_> = (0..count)
            .map(|place| (format!("x{place}"), format!("y{place}")))
            .collect();
        let nodes: Vec<_> = names
            .iter()
            .flat_map(|(x, y)| {
                [
                    placeholder(x, dtype),
                    node(y, "Identity", &[x], &[of_type("T", dtype)]),
                ]
            })
            .collect();
        let inputs: Vec<&str> = names.iter().map(|pair| pair.0.as_str()).collect();
        let outputs: Vec<&str> = names.iter().map(|pair| pair.1.as_str()).collect();
        Some(made(graph(&nodes), &inputs, &outputs))
    }

    fn sum(&self) -> Model {
        let nodes = [
            placeholder("a", DType::Float),
            placeholder("b", DType::Float),
            node("y", "AddV2", &["a", "b"], &[of_type("T", DType::Float)]),
        ];
        made(graph(&nodes), &["a", "b"], &["y"])
    }

    /// The shape that it wants has five elements.
    fn failing(&self) -> Model {
        let attrs = [of_type("T", DType::Float), of_type("Tshape", DType::Int32)];
        let nodes = [
            placeholder("x", DType::Float),
            constant("shape", DType::Int32, &[1], &5_i32.to_le_bytes(), &[]),
            node("y", "Reshape", &["x", "shape"], &attrs),
        ];
        made(graph(&nodes), &["x"], &["y"])
    }

    fn garbage(&self) -> Vec<Model> {
        let sum = self.sum();
        let cut = sum.blob[..sum.blob.len() / 2].to_vec();
        let unknown = graph(&[
            placeholder("x", DType::Float),
            node("y", "Nothing", &["x"], &[]),
        ]);
        vec![
            made(cut, &["a"], &["y"]),
            made(unknown, &["x"], &["y"]),
            made(Vec::new(), &["x"], &["y"]),
            made(vec![0xff; 100], &["x"], &["y"]),
        ]
    }

    fn endless(&self) -> Option<Model> {
        Some(made(endless(), &["x"], &["y"]))
    }

    fn endless_input(&self) -> Arc<Tensor> {
        super::floats(&[1], &[0.0])
    }
}
