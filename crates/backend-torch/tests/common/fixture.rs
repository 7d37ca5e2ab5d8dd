//! The models of testkit's conformance cases.

use super::archive;
use redisai_core::DType;
use redisai_testkit::conformance::{Fixture, Model};

/// PyTorch.
pub struct Torch;

fn made(methods: &str) -> Model {
    Model {
        blob: archive::of(methods),
        options: Vec::new(),
    }
}

impl Fixture for Torch {
    fn identity(&self, dtype: DType, count: usize) -> Option<Model> {
        if dtype == DType::String {
            return None;
        }
        let names: Vec<_> = (0..count).map(|place| format!("x{place}")).collect();
        let parameters = format!("{}: Tensor", names.join(": Tensor, "));
        let (result, outputs) = if count == 1 {
            ("Tensor".to_owned(), "x0".to_owned())
        } else {
            let types = vec!["Tensor"; count].join(", ");
            (format!("Tuple[{types}]"), format!("({})", names.join(", ")))
        };
        Some(made(&format!(
            "def forward(self: __torch__.M, {parameters}) -> {result}:\n  return {outputs}"
        )))
    }

    fn sum(&self) -> Model {
        made(
            "def forward(self: __torch__.M, a: Tensor, b: Tensor) -> Tensor:\n  \
             return torch.add(a, b)",
        )
    }

    /// The shape that it wants has five elements.
    fn failing(&self) -> Model {
        made(
            "def forward(self: __torch__.M, x: Tensor) -> Tensor:\n  \
             return torch.reshape(x, [5])",
        )
    }

    fn garbage(&self) -> Vec<Model> {
        let good = archive::of("def forward(self: __torch__.M, x: Tensor) -> Tensor:\n  return x");
        let blobs = [
            good[..good.len() / 2].to_vec(),
            archive::of("def forward(self: __torch__.M, x: Tensor) -> Tensor:\n  return y"),
            archive::of("def backward(self: __torch__.M, x: Tensor) -> Tensor:\n  return x"),
            archive::zip(&[("m/data.pkl", b"\x80\x02}.")]),
            b"\x80\x02c__torch__\nM\n.".to_vec(),
            vec![0xff; 100],
        ];
        let model = |blob| Model {
            blob,
            options: Vec::new(),
        };
        blobs.into_iter().map(model).collect()
    }

    /// A loop in which no kernel runs.
    fn endless(&self) -> Option<Model> {
        Some(made(
            "def forward(self: __torch__.M, x: Tensor) -> Tensor:\n  \
             i = 0\n  while True:\n    i = torch.add(i, 1)\n  return x",
        ))
    }
}
