//! The models of testkit's conformance cases.

use redisai_core::{DType, Tensor};
use redisai_testkit::conformance::{Fixture, Model};
use std::sync::Arc;

/// LiteRT.
pub struct TfLite;

fn made(name: &str) -> Model {
    Model {
        blob: super::fixture(name),
        options: Vec::new(),
    }
}

impl Fixture for TfLite {
    fn identity(&self, dtype: DType, count: usize) -> Option<Model> {
        if dtype == DType::String {
            return None;
        }
        let dtype = dtype.name().to_ascii_lowercase();
        let count = if count == 1 {
            String::new()
        } else {
            format!("_{count}")
        };
        Some(made(&format!("identity_{dtype}{count}.tflite")))
    }

    /// LiteRT gives no input another rank than 1 to 8, and no dimension of 0.
    fn refuses(&self, dims: &[i64]) -> bool {
        dims.is_empty() || dims.contains(&0)
    }

    fn sum(&self) -> Model {
        made("sum.tflite")
    }

    /// Places in a constant of one element, out of numbers that are none.
    fn failing(&self) -> Model {
        made("gather.tflite")
    }

    fn garbage(&self) -> Vec<Model> {
        let cut = super::fixture("mlp.tflite");
        let half = Model {
            blob: cut[..cut.len() / 2].to_vec(),
            options: Vec::new(),
        };
        let text = Model::from("xxxxTFL3 is no model, whatever it says");
        vec![half, text, made("new_operator.tflite"), made("flex.tflite")]
    }

    fn endless(&self) -> Option<Model> {
        Some(made("endless.tflite"))
    }

    fn endless_input(&self) -> Arc<Tensor> {
        super::floats(&[1], &[0.0])
    }
}
