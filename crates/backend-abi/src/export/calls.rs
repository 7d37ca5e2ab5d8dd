//! The functions of the table.

use super::Exported;
use super::state::{Lists, Loaded, State, poisoned};
use crate::guard::guard;
use crate::host::put_error;
use crate::tensor::{Retained, adopt_view, export_tensor};
use crate::text::slice_of;
use crate::{
    ExportedSignature, Host, InitOptions, RAI_LOAD_MODEL, RAI_LOAD_SCRIPT, RAI_OK, RaiBytes,
    RaiInfo, RaiLoad, RaiLoaded, RaiPair, RaiPairs, RaiRun, RaiTensor, RaiText, RaiView,
    SharedBytes,
};
use redisai_core::{
    Backend, BackendError, Buffer, Device, LoadKind, LoadRequest, LoadedModel, Run, RunOutput,
    Status, Tensor,
};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

/// A session as the host's handle stands for it: a `Box` whose address is the handle.
struct Session {
    model: Arc<dyn LoadedModel>,
    signature: ExportedSignature,
    poisoned: AtomicBool,
}

impl Session {
    /// # Safety
    /// `handle` came from `load`, and `unload` was not called for it.
    unsafe fn of<'a>(handle: u64) -> Option<&'a Self> {
        let session = std::ptr::with_exposed_provenance::<Self>(handle as usize);
        // SAFETY: the caller's promise; 0 is null.
        unsafe { session.as_ref() }
    }
}

pub(super) unsafe extern "C" fn init<E: Exported>(
    options: *const RaiPair,
    n_options: usize,
    info: *mut RaiInfo,
    error: *mut RaiText,
) -> i32 {
    let state = E::state();
    let work = || {
        let _one = state.init.lock().unwrap_or_else(PoisonError::into_inner);
        state.usable()?;
        if state.loaded.get().is_some() {
            let text = "ERR the backend is initialised already";
            return Err(BackendError::new(Status::Unsupported, text));
        }
        // SAFETY: valid during the call, says the ABI.
        let options = InitOptions::new(unsafe { RaiPair::read(options, n_options) });
        let backend = E::init(state.host(), &options)?;
        let lists = Lists::new(backend.info().clone());
        let loaded = state.loaded.get_or_init(|| Loaded { backend, lists });
        // SAFETY: the host's struct, its `size` set.
        unsafe { loaded.lists.write(info) };
        Ok(())
    };
    // SAFETY: the host's place for an error.
    unsafe { state.guarded(error, work) }
}

pub(super) unsafe extern "C" fn load<E: Exported>(
    request: *const RaiLoad,
    loaded: *mut RaiLoaded,
    error: *mut RaiText,
) -> i32 {
    let state = E::state();
    let work = || {
        // SAFETY: valid during the call, says the ABI.
        let session = unsafe { build(state, &*request) }?;
        let signature = session.signature.raw();
        let model = Box::into_raw(Box::new(session)).expose_provenance() as u64;
        // SAFETY: the host's place for the result.
        unsafe { loaded.write(RaiLoaded { model, signature }) };
        Ok(())
    };
    // SAFETY: the host's place for an error.
    unsafe { state.guarded(error, work) }
}

/// # Safety
/// The request is filled as the ABI says.
unsafe fn build(state: &State, request: &RaiLoad) -> Result<Session, BackendError> {
    let backend = state.backend()?;
    let kind = match request.kind {
        RAI_LOAD_MODEL => LoadKind::Model,
        RAI_LOAD_SCRIPT => LoadKind::Script,
        other => {
            let text = format!("ERR the backend knows no load kind {other}");
            return Err(BackendError::new(Status::Unsupported, text));
        }
    };
    // SAFETY: the blob lives as long as its owner is retained, `tail` included.
    let blob = unsafe {
        let retained = Retained::new(state.host(), request.owner);
        SharedBytes::new(request.blob.data, request.blob.len, retained)
            .with_tail(request.tail as usize)
    };
    let blob: Arc<dyn Buffer> = Arc::new(blob.in_host_memory());
    // SAFETY: valid during the call.
    let (device, options) = unsafe {
        (
            Device::lenient(request.device.as_slice()),
            RaiPair::read(request.options, request.n_options),
        )
    };
    let model = backend.load(&LoadRequest {
        kind,
        blob: &blob,
        device: &device,
        options,
    })?;
    let signature = ExportedSignature::new(model.signature().clone());
    Ok(Session {
        model,
        signature,
        poisoned: AtomicBool::new(false),
    })
}

pub(super) unsafe extern "C" fn unload<E: Exported>(model: u64) {
    let session = std::ptr::with_exposed_provenance_mut::<Session>(model as usize);
    if session.is_null() {
        return;
    }
    // SAFETY: the box that `load` made; the host unloads it once.
    E::state().quiet("unload", || drop(unsafe { Box::from_raw(session) }));
}

pub(super) unsafe extern "C" fn run<E: Exported>(
    model: u64,
    run: *const RaiRun,
    inputs: *const RaiView,
    n_inputs: usize,
    outputs: *mut RaiTensor,
    n_outputs: usize,
    error: *mut RaiText,
) -> i32 {
    let state = E::state();
    // SAFETY: a session that is loaded, and everything else valid during the call, says the ABI.
    let outcome = unsafe {
        match Session::of(model) {
            None => Err(BackendError::new(Status::BadModel, "ERR no such session")),
            Some(session) if session.poisoned.load(Ordering::Acquire) => {
                let text = "ERR this session panicked before and is not used any more";
                Err(BackendError::new(Status::Poisoned, text))
            }
            Some(session) => guard(|| {
                let views = slice_of(inputs, n_inputs);
                run_session(state.host(), session, &*run, views, n_outputs)
            })
            .unwrap_or_else(|panic| {
                session.poisoned.store(true, Ordering::Release);
                Err(poisoned("this run", &panic))
            }),
        }
    };
    match outcome {
        Ok(results) => {
            for (index, result) in results.into_iter().enumerate() {
                // SAFETY: there are `n_outputs` places, and as many results.
                unsafe { outputs.add(index).write(export_tensor(result)) };
            }
            RAI_OK
        }
        // SAFETY: the host's place for an error.
        Err(failure) => unsafe { put_error(error, failure) },
    }
}

/// # Safety
/// Everything is valid during the call, as the ABI says.
unsafe fn run_session(
    host: Host,
    session: &Session,
    run: &RaiRun,
    views: &[RaiView],
    n_outputs: usize,
) -> Result<RunOutput, BackendError> {
    let mut inputs: SmallVec<[Arc<Tensor>; 8]> = SmallVec::with_capacity(views.len());
    for view in views {
        // SAFETY: the caller's promise.
        inputs.push(unsafe { adopt_view(host, view) }?);
    }
    // SAFETY: the caller's promise.
    let (function, keys, args) = unsafe {
        (
            run.function.as_slice(),
            copies(run.keys, run.n_keys),
            copies(run.args, run.n_args),
        )
    };
    let results = session.model.run(&Run {
        id: run.run_id,
        deadline: run.deadline,
        call_context: run.call_ctx,
        function,
        inputs: &inputs,
        outputs: n_outputs,
        keys: &keys,
        args: &args,
    })?;
    if results.len() == n_outputs {
        return Ok(results);
    }
    let text = "ERR Model did not generate the expected number of outputs";
    Err(BackendError::new(Status::RunFailed, text))
}

pub(super) unsafe extern "C" fn cancel<E: Exported>(run_id: u64) {
    let state = E::state();
    state.quiet("cancel", || {
        if let Ok(backend) = state.backend() {
            backend.cancel(run_id);
        }
    });
}

pub(super) unsafe extern "C" fn info<E: Exported>(model: u64, pairs: *mut RaiPairs) {
    let state = E::state();
    state.quiet("info", || {
        // SAFETY: 0, or a session that is loaded.
        let figures = match unsafe { Session::of(model) } {
            Some(session) => session.model.figures(),
            None => state.backend().map(Backend::figures).unwrap_or_default(),
        };
        // SAFETY: the host's place for the pairs.
        unsafe { pairs.write(RaiPairs::from_vec(figures)) };
    });
}

/// # Safety
/// As [`slice_of`], and for each item as [`RaiBytes::as_slice`].
unsafe fn copies(items: *const RaiBytes, len: usize) -> Vec<Vec<u8>> {
    // SAFETY: the caller's promise.
    let items = unsafe { slice_of(items, len) };
    let copy = |item: &RaiBytes| {
        // SAFETY: the caller's promise.
        unsafe { item.as_slice() }.to_vec()
    };
    items.iter().map(copy).collect()
}
