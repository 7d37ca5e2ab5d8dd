//! A script: named functions compiled from source.

use crate::archive;
use crate::device;
use crate::error::{bad_input, bad_model};
use crate::session::{Call, Function, Kind, Session};
use crate::signature;
use crate::sys::{self, Bounds, Bytes, RawArgument};
use crate::torch::Torch;
use redisai_backend_abi::RaiBytes;
use redisai_backend_abi::Stops;
use redisai_core::{BackendError, LoadRequest, LoadedModel, Run, RunOutput, Signature};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::sync::Arc;

/// What torch's compiler can take without harm: it recurses over the source.
static BOUNDS: Bounds = Bounds {
    depth: 2_000,
    nodes: 1_000_000,
};

/// Sources end at their first NUL, so little more than the beginning of an archive comes here.
const ARCHIVE: &str = "ERR this is an archive of a TorchScript model, not the source of a script: \
                       store it with AI.MODELSTORE, or store the text of the functions";

/// The parameters of an entry point.
const ENTRY_POINT: [Kind; 3] = [Kind::Tensors, Kind::Strings, Kind::Strings];

/// A compiled script.
pub(crate) struct TorchScript {
    session: Session,
    signature: Signature,
    entry_points: Vec<Box<[u8]>>,
}

impl TorchScript {
    /// Builds a session.
    pub(crate) fn compile(
        torch: &'static Torch,
        runs: Arc<Stops>,
        request: &LoadRequest<'_>,
    ) -> Result<Self, BackendError> {
        let cuda = device::number(torch, request.device)?;
        let source = request.blob.bytes();
        if source.starts_with(archive::MAGIC) {
            return Err(bad_model(ARCHIVE));
        }
        let session = Session::new(torch, runs, |model, error| {
            // SAFETY: source and bounds live during the call, which copies what it needs.
            unsafe {
                (torch.table.compile)(Bytes::of(source), cuda, &raw const BOUNDS, model, error)
            }
        })?;
        let entry_points: Vec<Box<[u8]>> = request
            .options
            .iter()
            .filter(|option| option.0 == "entry_point")
            .map(|option| option.1.as_slice().into())
            .collect();
        for name in &entry_points {
            check_entry_point(&session.functions, name)?;
        }
        let signature = signature::of_script(&session);
        Ok(Self {
            session,
            signature,
            entry_points,
        })
    }
}

impl LoadedModel for TorchScript {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        let functions = self.session.functions.iter().enumerate();
        let name = text(run.function);
        let (index, function) = functions
            .into_iter()
            .find(|(_, function)| *function.name == *run.function)
            .ok_or_else(|| bad_input(format!("Function does not exist: {name}")))?;
        let entry_point = self.entry_points.iter().any(|it| **it == *run.function);
        let mut call = if entry_point {
            as_entry_point(run)
        } else {
            best_effort(function, run)?
        };
        call.function = index;
        self.session.run(run, call)
    }

    fn figures(&self) -> Vec<(String, String)> {
        vec![("memory".to_owned(), self.session.allocated().to_string())]
    }
}

/// Refuses what cannot be called with tensors, keys and arguments, with the contract's texts.
fn check_entry_point(functions: &[Function], name: &[u8]) -> Result<(), BackendError> {
    let shown = text(name);
    let function = functions
        .iter()
        .find(|function| *function.name == *name)
        .ok_or_else(|| {
            bad_model(format!(
                "Function {shown} does not exist in the given script."
            ))
        })?;
    let kinds: Vec<Kind> = function.inputs.iter().map(|input| input.kind).collect();
    if kinds.len() != ENTRY_POINT.len() {
        return Err(bad_model(format!(
            "Wrong number of inputs in function {shown}. Expected 3 but was {}",
            kinds.len()
        )));
    }
    if kinds != ENTRY_POINT {
        return Err(bad_model(format!(
            "Wrong inputs type in function {shown}. Expected signature similar to: \
             def {shown}(tensors: List[Tensor], keys: List[str], args: List[str])"
        )));
    }
    Ok(())
}

fn as_entry_point<'a>(run: &Run<'a>) -> Call<'a> {
    let (keys, args) = (run.keys.len(), run.args.len());
    let argument = |kind, first, count| RawArgument { kind, first, count };
    Call {
        arguments: SmallVec::from_slice(&[
            argument(sys::TENSORS, 0, run.inputs.len()),
            argument(sys::STRINGS, 0, keys),
            argument(sys::STRINGS, keys, args),
        ]),
        inputs: run.inputs,
        strings: run
            .keys
            .iter()
            .chain(run.args)
            .map(|it| RaiBytes::of(it))
            .collect(),
        ..Call::default()
    }
}

/// Any function of tensors, the last of which may be a list of them.
fn best_effort<'a>(function: &Function, run: &Run<'a>) -> Result<Call<'a>, BackendError> {
    let name = text(run.function);
    let given = run.inputs.len();
    let mut arguments = SmallVec::new();
    let last = function.inputs.len().saturating_sub(1);
    for (place, value) in function.inputs.iter().enumerate() {
        let (kind, count) = match value.kind {
            Kind::Tensor if place < given => (sys::TENSOR, 1),
            Kind::Tensors if place == last && place <= given => (sys::TENSORS, given - place),
            Kind::Tensor | Kind::Tensors if place == last || value.kind == Kind::Tensor => {
                let text = format!("Wrong number of inputs provided to function: {name}");
                return Err(bad_input(text));
            }
            _ => {
                let text = format!("Unsupported input type in function definition: {name}");
                return Err(bad_input(text));
            }
        };
        arguments.push(RawArgument {
            kind,
            first: place,
            count,
        });
    }
    Ok(Call {
        arguments,
        inputs: run.inputs,
        ..Call::default()
    })
}

fn text(name: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_points_are_checked_with_the_contracts_texts() {
        let wanted = ENTRY_POINT.map(|kind| (kind, false));
        let mut functions = vec![Function::of_kinds(&wanted)];
        functions[0].name = b"good".as_slice().into();
        functions.push(Function {
            name: b"two".as_slice().into(),
            ..Function::of_kinds(&wanted[..2])
        });
        functions.push(Function {
            name: b"other".as_slice().into(),
            ..Function::of_kinds(&[wanted[1], wanted[0], wanted[2]])
        });
        let check = |name: &str| {
            let checked = check_entry_point(&functions, name.as_bytes());
            checked.map_err(|error| error.text.into_owned())
        };
        assert_eq!(check("good"), Ok(()));
        assert_eq!(
            check("none"),
            Err("Function none does not exist in the given script.".to_owned())
        );
        assert_eq!(
            check("two"),
            Err("Wrong number of inputs in function two. Expected 3 but was 2".to_owned())
        );
        assert_eq!(
            check("other"),
            Err(
                "Wrong inputs type in function other. Expected signature similar to: def \
                 other(tensors: List[Tensor], keys: List[str], args: List[str])"
                    .to_owned()
            )
        );
    }
}
