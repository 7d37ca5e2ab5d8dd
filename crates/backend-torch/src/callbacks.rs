//! What the shim asks of us during a run: commands and models of the server.

use crate::sys::{self, Bytes, RawHost, RawTensor, Table, Text};
use crate::{log, memory, tensor};
use redisai_backend_abi::{Host, guard, slice_of};
use redisai_core::{BackendError, Status, Tensor};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Arc, OnceLock};

static SERVER: OnceLock<(Host, &'static Table)> = OnceLock::new();

/// Whom to ask; the first call decides.
pub(crate) fn set(host: Host, table: &'static Table) {
    SERVER.get_or_init(|| (host, table));
}

/// What the shim gets.
pub(crate) static TABLE: RawHost = RawHost {
    allocate: memory::allocate,
    release: memory::release,
    refusal: memory::refusal,
    log: log::log,
    call,
    run_model,
    drop_model_output,
};

unsafe extern "C" fn call(
    context: u64,
    argv: *const Bytes,
    argc: usize,
    reply: *mut Text,
) -> c_int {
    let outcome = guarded(|| {
        let (host, _) = server()?;
        // SAFETY: the shim's arguments, valid during the call.
        let argv: Vec<&[u8]> = unsafe {
            let argv = slice_of(argv, argc).iter();
            argv.map(|arg| arg.as_slice()).collect()
        };
        host.call(context, &argv)
    });
    let (code, text) = match outcome {
        Ok(text) => (sys::OK, text),
        Err(error) => (sys::ERROR, error.text.into_owned().into_bytes()),
    };
    // SAFETY: the shim's place for the reply.
    unsafe { reply.write(Text::of(&text)) };
    code
}

unsafe extern "C" fn run_model(
    context: u64,
    key: Bytes,
    inputs: *const RawTensor,
    n_inputs: usize,
    outputs: *mut RawTensor,
    n_outputs: usize,
    error: *mut Text,
) -> c_int {
    let outcome = guarded(|| {
        let (host, table) = server()?;
        // SAFETY: the shim's key and tensors, valid during the call; the tensors' handles are ours.
        let (key, inputs) = unsafe { (key.as_slice(), slice_of(inputs, n_inputs)) };
        let mut tensors = Vec::with_capacity(inputs.len());
        let mut failure = None;
        for raw in inputs {
            // SAFETY: as above. All are taken over, whatever becomes of the first.
            match unsafe { tensor::output(table, host, raw) } {
                Ok(Some(tensor)) => tensors.push(tensor),
                Ok(None) => failure = Some(no_input()),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) => Err(error),
            None => host.run_model(context, key, tensors, n_outputs),
        }
    });
    let results = outcome.and_then(|results| {
        let described = results.into_iter().map(described);
        described.collect::<Result<Vec<_>, _>>()
    });
    match results {
        Ok(described) => {
            for (place, (mut raw, tensor)) in described.into_iter().take(n_outputs).enumerate() {
                raw.handle = tensor.map_or(null_mut(), |it| Box::into_raw(Box::new(it)).cast());
                // SAFETY: the shim has `n_outputs` places.
                unsafe { outputs.add(place).write(raw) };
            }
            sys::OK
        }
        Err(failure) => {
            // SAFETY: the shim's place for an error.
            unsafe { error.write(Text::of(failure.text.as_bytes())) };
            sys::ERROR
        }
    }
}

/// A model's output for the shim, and what its handle is to keep.
fn described(
    tensor: Option<Arc<Tensor>>,
) -> Result<(RawTensor, Option<Arc<Tensor>>), BackendError> {
    let raw = tensor
        .as_deref()
        .map_or(Ok(RawTensor::NONE), tensor::input)?;
    Ok((raw, tensor))
}

unsafe extern "C" fn drop_model_output(handle: *mut c_void) {
    if !handle.is_null() {
        // SAFETY: the box of `run_model`, given back once. A tensor's drop does not panic.
        drop(unsafe { Box::from_raw(handle.cast::<Arc<Tensor>>()) });
    }
}

fn server() -> Result<(Host, &'static Table), BackendError> {
    SERVER
        .get()
        .copied()
        .ok_or_else(|| BackendError::new(Status::Unsupported, "ERR there is no server to ask"))
}

fn no_input() -> BackendError {
    BackendError::new(Status::BadInput, "ERR an input of a model is no tensor")
}

fn guarded<T>(work: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
    guard(work).unwrap_or_else(|panic| {
        let text = format!("ERR the backend panicked: {panic}");
        Err(BackendError::new(Status::RunFailed, text))
    })
}
