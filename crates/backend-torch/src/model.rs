//! A model: its one function, `forward`.

use crate::error::bad_input;
use crate::runs::Runs;
use crate::session::{Call, Function, Kind, Session};
use crate::sys::{self, Bytes, RawArgument};
use crate::torch::Torch;
use crate::{archive, device, signature};
use redisai_core::{BackendError, LoadRequest, LoadedModel, Run, RunOutput, Signature};
use smallvec::SmallVec;
use std::sync::Arc;

/// A loaded TorchScript archive.
pub(crate) struct TorchModel {
    session: Session,
    signature: Signature,
}

impl TorchModel {
    /// Builds a session.
    pub(crate) fn load(
        torch: &'static Torch,
        runs: Arc<Runs>,
        request: &LoadRequest<'_>,
    ) -> Result<Self, BackendError> {
        let cuda = device::number(torch, request.device)?;
        let bytes = request.blob.bytes();
        archive::check(bytes, torch.table.newest_format)?;
        let session = Session::new(torch, runs, |model, error| {
            // SAFETY: the bytes live during the call, which copies what it needs.
            unsafe { (torch.table.load)(Bytes::of(bytes), cuda, model, error) }
        })?;
        let signature = signature::of_model(&session)?;
        Ok(Self { session, signature })
    }

    fn forward(&self) -> Option<&Function> {
        self.session.functions.first()
    }
}

impl LoadedModel for TorchModel {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        let arguments = self
            .forward()
            .and_then(|forward| arguments(forward, run.inputs.len()))
            .ok_or_else(|| {
                bad_input("Number of keys given as INPUTS here does not match model definition")
            })?;
        let call = Call {
            arguments,
            inputs: run.inputs,
            ..Call::default()
        };
        self.session.run(run, call)
    }

    fn figures(&self) -> Vec<(String, String)> {
        vec![("memory".to_owned(), self.session.allocated().to_string())]
    }
}

/// Spreads `given` inputs over the arguments: a list takes what the others leave. `None`: they do not
/// fit.
fn arguments(forward: &Function, given: usize) -> Option<SmallVec<[RawArgument; 8]>> {
    let single = |value: &&crate::session::Value| value.kind == Kind::Tensor;
    let has_list = forward
        .inputs
        .iter()
        .any(|value| value.kind == Kind::Tensors);
    let singles = forward.inputs.iter().filter(single).count();
    let mut rest = if has_list {
        given.checked_sub(singles)?
    } else {
        0
    };
    let mut found = SmallVec::new();
    let mut first = 0;
    for value in &forward.inputs {
        let (kind, count) = match value.kind {
            Kind::Tensor if first < given => (sys::TENSOR, 1),
            Kind::Tensors => (sys::TENSORS, std::mem::take(&mut rest)),
            // What has a default may be left out, with all behind it.
            _ if value.has_default => break,
            _ => return None,
        };
        found.push(RawArgument { kind, first, count });
        first += count;
    }
    (first == given).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(inputs: &[(Kind, bool)]) -> Function {
        Function::of_kinds(inputs)
    }

    fn spread(inputs: &[(Kind, bool)], given: usize) -> Option<Vec<(usize, usize)>> {
        let found = arguments(&function(inputs), given)?;
        Some(found.iter().map(|it| (it.first, it.count)).collect())
    }

    #[test]
    fn a_list_takes_what_is_left() {
        let (one, list) = ((Kind::Tensor, false), (Kind::Tensors, false));
        assert_eq!(spread(&[one, one], 2), Some(vec![(0, 1), (1, 1)]));
        assert_eq!(spread(&[one, one], 3), None);
        assert_eq!(spread(&[one, one], 1), None);
        assert_eq!(spread(&[one, list], 4), Some(vec![(0, 1), (1, 3)]));
        assert_eq!(spread(&[list, one], 3), Some(vec![(0, 2), (2, 1)]));
        assert_eq!(spread(&[one, list], 1), Some(vec![(0, 1), (1, 0)]));
        assert_eq!(spread(&[], 0), Some(vec![]));
    }

    #[test]
    fn defaults_may_be_left_out() {
        let (one, maybe, number) = (
            (Kind::Tensor, false),
            (Kind::Tensor, true),
            (Kind::Other, true),
        );
        assert_eq!(spread(&[one, maybe], 1), Some(vec![(0, 1)]));
        assert_eq!(spread(&[one, maybe], 2), Some(vec![(0, 1), (1, 1)]));
        assert_eq!(spread(&[one, number, maybe], 1), Some(vec![(0, 1)]));
        assert_eq!(spread(&[one, number, maybe], 2), None);
    }
}
