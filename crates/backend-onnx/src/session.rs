//! How sessions are built, and where they run.

use crate::cuda;
use crate::environment::Environment;
use crate::error::{Doing, NO_DEVICE, unsupported};
use crate::folding::Folding;
use crate::handles::{Session, SessionOptions};
use crate::sys::ort;
use ort_sys::{ExecutionMode, GraphOptimizationLevel};
use redisai_core::{BackendError, Device, DeviceKind, LoadRequest};
use std::ffi::CString;

/// Builds the session of a model. Its blob may go afterwards.
pub(crate) fn build(
    environment: &'static Environment,
    request: &LoadRequest<'_>,
    folding: Folding,
) -> Result<Session, BackendError> {
    let options = session_options(environment, request.device)?;
    limit_folding(environment, &options, folding)?;
    let blob = request.blob.bytes();
    let api = environment.api();
    // SAFETY: the bytes live during the call, which copies what it needs; the options are valid.
    unsafe {
        Session::make(api, Doing::Load, |out| {
            (api.CreateSessionFromArray)(
                environment.as_ptr(),
                blob.as_ptr().cast(),
                blob.len(),
                options.as_ptr(),
                out,
            )
        })
    }
}

/// The options of every session, and its device.
fn session_options(
    environment: &'static Environment,
    device: &Device,
) -> Result<SessionOptions, BackendError> {
    let api = environment.api();
    let entries = [
        // Memory comes from our allocator, which the environment has.
        (c"session.use_env_allocators", c"1"),
        // Never the FlatBuffers format, which our walk does not read.
        (c"session.load_model_format", c"ONNX"),
    ];
    // SAFETY: the options are valid, the keys and values C strings that are copied.
    let options = unsafe {
        let options =
            SessionOptions::make(api, Doing::Load, |out| (api.CreateSessionOptions)(out))?;
        let raw = options.as_ptr();
        ort!(api, Doing::Load, DisablePerSessionThreads(raw))?;
        ort!(
            api,
            Doing::Load,
            SetSessionGraphOptimizationLevel(raw, GraphOptimizationLevel::ORT_ENABLE_ALL)
        )?;
        ort!(api, Doing::Load, DisableCpuMemArena(raw))?;
        if environment.settings.inter_threads > 1 {
            ort!(
                api,
                Doing::Load,
                SetSessionExecutionMode(raw, ExecutionMode::ORT_PARALLEL)
            )?;
        }
        for (key, value) in entries {
            ort!(
                api,
                Doing::Load,
                AddSessionConfigEntry(raw, key.as_ptr(), value.as_ptr())
            )?;
        }
        options
    };
    match device.kind() {
        DeviceKind::Cpu => {}
        DeviceKind::Gpu(index) => cuda::use_device(environment, &options, index)?,
        DeviceKind::Unknown => return Err(unsupported(NO_DEVICE)),
    }
    Ok(options)
}

/// Keeps what is computed of constants alone small: beyond that it is computed by every run, in memory
/// that is counted and limited. Libraries before 1.28 know no limit: there nothing is folded then.
fn limit_folding(
    environment: &'static Environment,
    options: &SessionOptions,
    folding: Folding,
) -> Result<(), BackendError> {
    if folding.is_small() {
        return Ok(());
    }
    let limit = CString::new(folding.limit().to_string()).unwrap_or_default();
    let (key, value) = if environment.ort.is_at_least(1, 28) {
        (
            c"optimization.constant_folding_max_output_size_in_bytes",
            limit.as_c_str(),
        )
    } else {
        (
            c"optimization.disable_specified_optimizers",
            c"ConstantFolding",
        )
    };
    let api = environment.api();
    // SAFETY: the options are valid; key and value are C strings that are copied.
    unsafe {
        ort!(
            api,
            Doing::Load,
            AddSessionConfigEntry(options.as_ptr(), key.as_ptr(), value.as_ptr())
        )
    }
}
