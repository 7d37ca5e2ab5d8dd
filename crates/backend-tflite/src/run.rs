//! One run of a compiled model.

use crate::buffers::{Feeds, Outputs};
use crate::compiled::Compiled;
use crate::environment::Environment;
use crate::error::{NO_RUN, STOPPED, UNWRITTEN, unsupported, with_detail};
use crate::handles::TensorBuffer;
use crate::resize;
use crate::signature::Signature;
use crate::sys::Raw;
use redisai_core::{BackendError, RunOutput, Status, Tensor};
use smallvec::SmallVec;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Runs in all: with larger outputs, or with tensors laid out anew, after the first.
const TRIES: u8 = 4;
/// What LiteRT says of tensors that must be laid out anew before they can be run again.
const LAID_OUT: &str = "allocation_type != kTfLiteCustom";

/// Runs a signature on inputs whose number and types were checked.
pub(crate) fn run(
    environment: &'static Environment,
    compiled: &mut Compiled,
    signature: &Signature,
    inputs: &[Arc<Tensor>],
) -> Result<RunOutput, BackendError> {
    let shapes = resize::shapes_of(inputs)?;
    resize::fit(compiled, signature, &shapes)?;
    if compiled.fickle {
        resize::shake(compiled, signature, &shapes)?;
    }
    let feeds = Feeds::new(environment, signature, inputs, &shapes)?;
    let mut layouts = compiled.allocate(signature)?;
    for turn in 0..TRIES {
        let mut outputs = Outputs::new(environment, signature, inputs, &layouts, turn)?;
        let status = invoke(compiled, signature, &feeds, &mut outputs)?;
        let after = compiled.layouts(signature)?;
        let said = if status == 0 {
            String::new()
        } else {
            compiled.take_errors()
        };
        if status != 0 && compiled.stop().load(Ordering::Relaxed) {
            return Err(BackendError::new(Status::Cancelled, STOPPED));
        }
        // Inner shapes that the run computes may have left the outputs too small.
        if !outputs.hold(&after)? || (status != 0 && after != layouts) {
            layouts = after;
            continue;
        }
        if said.contains(LAID_OUT) || (status == 0 && outputs.is_unwritten(&after)?) {
            compiled.fickle = true;
            resize::shake(compiled, signature, &shapes)?;
            layouts = compiled.allocate(signature)?;
            continue;
        }
        if status != 0 {
            return Err(with_detail(Status::RunFailed, NO_RUN, &said));
        }
        return outputs.into_tensors(&after);
    }
    Err(unsupported(UNWRITTEN))
}

fn invoke(
    compiled: &mut Compiled,
    signature: &Signature,
    feeds: &Feeds,
    outputs: &mut Outputs<'_>,
) -> Result<i32, BackendError> {
    let mut ins = feeds.raw();
    let wrapped = outputs.wrap()?;
    let mut outs: SmallVec<[Raw; 4]> = wrapped.iter().map(TensorBuffer::as_ptr).collect();
    // SAFETY: the buffers are as many as the signature has inputs and outputs, of its types; inputs
    // have the shapes that the tensors were given, outputs the sizes that LiteRT has said. All their
    // memory outlives the call.
    Ok(unsafe { compiled.invoke(signature, &mut ins, &mut outs) })
}
