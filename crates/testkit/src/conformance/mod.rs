//! What every backend must do. A backend's tests say how its models are made ([`Fixture`]) and run all
//! cases natively and through its library:
//!
//! ```text
//! mod native {
//!     redisai_testkit::conformance_tests!(super::native_backend(), super::OnnxFixture);
//! }
//! mod loaded {
//!     redisai_testkit::conformance_tests!(super::loaded_backend(), super::OnnxFixture);
//! }
//! ```
//!
//! where both functions give an `Arc<dyn Backend>`. A case that a backend's capabilities or fixtures
//! rule out passes without doing anything; [`cases::every_dtype`] and the others say which.

pub mod cases;
mod session;

pub use session::{load, model, numbered, run, run_with};

use redisai_core::DType;

/// A model for a backend.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Its bytes.
    pub blob: Vec<u8>,
    /// Options of the load request (`input`, `output`, …).
    pub options: Vec<(String, Vec<u8>)>,
}

impl From<&str> for Model {
    fn from(text: &str) -> Self {
        Self {
            blob: text.into(),
            options: Vec::new(),
        }
    }
}

/// How the models of a backend are made.
pub trait Fixture: Sync {
    /// A model with `count` inputs and as many outputs, each output equal to its input, for any
    /// shape. None where the backend has no such dtype.
    fn identity(&self, dtype: DType, count: usize) -> Option<Model>;

    /// Whether the backend's framework cannot take inputs of this shape at all: it must then say so.
    fn refuses(&self, dims: &[i64]) -> bool {
        let _ = dims;
        false
    }

    /// A model of two `FLOAT` inputs of any one shape, whose one output is their sum.
    fn sum(&self) -> Model;

    /// A model that loads and takes one `FLOAT` `[2]`, on which its run fails.
    fn failing(&self) -> Model;

    /// Blobs that no session can be built from.
    fn garbage(&self) -> Vec<Model>;

    /// A model that takes one tensor ([`Self::endless_input`]) and runs for a minute at least, unless
    /// it is cancelled. Needed where the capabilities say `cancellation`.
    fn endless(&self) -> Option<Model> {
        None
    }

    /// The input of [`Self::endless`].
    fn endless_input(&self) -> std::sync::Arc<redisai_core::Tensor> {
        crate::sample(DType::Float, &[1], 0)
    }
}

/// Makes a `#[test]` of each case. `$backend` gives an `Arc<dyn Backend>`, `$fixture` a [`Fixture`].
#[macro_export]
macro_rules! conformance_tests {
    ($backend:expr, $fixture:expr) => {
        $crate::conformance_tests!(@each $backend, $fixture,
            every_dtype, scalars_and_empty_dims, many_inputs_and_outputs, computes,
            wrong_counts_are_refused, errors_leave_the_session_usable, garbage_is_refused,
            unknown_devices_are_refused, outputs_outlive_everything, inputs_are_let_go,
            blobs_are_let_go, runs_side_by_side, sessions_come_and_go, cancel_ends_a_run,
            cancel_of_nothing_is_ignored, a_late_run_does_not_start, signature_says_what_it_is,
            info_says_what_it_is);
    };
    (@each $backend:expr, $fixture:expr, $($case:ident),+) => {
        $(
            #[test]
            fn $case() {
                let backend: ::std::sync::Arc<dyn $crate::conformance::Backend> = $backend;
                $crate::conformance::cases::$case(backend.as_ref(), &$fixture);
            }
        )+
    };
}

pub use redisai_core::Backend;
