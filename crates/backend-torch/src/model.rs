//! A model: its one function, `forward`, in TorchScript or machine code.

use crate::archive::{self, Format};
use crate::error::{NATIVE, bad_input, bad_model};
use crate::package::Package;
use crate::session::{Call, Function, Kind, Session};
use crate::sys::{self, Bytes, RawArgument};
use crate::torch::Torch;
use crate::{device, signature};
use redisai_backend_abi::Stops;
use redisai_core::{BackendError, LoadRequest, LoadedModel, Run, RunOutput, Signature};
use smallvec::SmallVec;
use std::ffi::{CString, c_int};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;

/// A loaded model.
pub(crate) struct TorchModel {
    session: Session,
    signature: Signature,
    /// What a package's inputs must be.
    package: Option<Package>,
}

impl TorchModel {
    /// Builds a session.
    pub(crate) fn load(
        torch: &'static Torch,
        runs: Arc<Stops>,
        request: &LoadRequest<'_>,
    ) -> Result<Self, BackendError> {
        let cuda = device::number(torch, request.device)?;
        let bytes = request.blob.bytes();
        if archive::check(bytes, torch.table.newest_format)? == Format::Package {
            return Self::load_package(torch, runs, bytes, cuda);
        }
        let session = Session::new(torch, runs, |model, error| {
            // SAFETY: the bytes live during the call, which copies what it needs.
            unsafe { (torch.table.load)(Bytes::of(bytes), cuda, model, error) }
        })?;
        let signature = signature::of_model(&session)?;
        Ok(Self {
            session,
            signature,
            package: None,
        })
    }

    /// Builds a session of machine code.
    fn load_package(
        torch: &'static Torch,
        runs: Arc<Stops>,
        bytes: &[u8],
        cuda: c_int,
    ) -> Result<Self, BackendError> {
        if !torch.settings.native_models {
            return Err(bad_model(NATIVE));
        }
        let package = Package::read(bytes)?;
        torch.prepare_packages()?;
        let file = in_memory(bytes)
            .map_err(|cause| bad_model(format!("ERR the package cannot be unpacked: {cause}")))?;
        let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
        let (n_inputs, n_outputs) = (package.n_inputs(), package.n_outputs());
        let session = Session::new(torch, runs, |model, error| {
            // SAFETY: the path lives during the call, and so does the file that it names.
            unsafe {
                let load = torch.table.load_package;
                load(path.as_ptr(), cuda, n_inputs, n_outputs, model, error)
            }
        })?;
        let mut signature = signature::of_model(&session)?;
        if let Some(forward) = signature.functions.first_mut() {
            forward.inputs = package.inputs();
        }
        Ok(Self {
            session,
            signature,
            package: Some(package),
        })
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
        if let Some(package) = &self.package {
            package.check(run.inputs)?;
        }
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

/// A file that is on no disk: torch reads packages by path only.
fn in_memory(bytes: &[u8]) -> std::io::Result<File> {
    // SAFETY: a C string; the descriptor is ours alone.
    let mut file = unsafe {
        let descriptor = libc::memfd_create(c"redisai-package".as_ptr(), libc::MFD_CLOEXEC);
        if descriptor < 0 {
            return Err(std::io::Error::last_os_error());
        }
        File::from_raw_fd(descriptor)
    };
    file.write_all(bytes)?;
    Ok(file)
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
