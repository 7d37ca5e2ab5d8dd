//! A Rust [`Backend`] as a C table: what [`export_backend!`](crate::export_backend) puts its entry on.

use crate::guard::guard;
use crate::host::put_error;
use crate::tensor::{adopt_view, export_tensor};
use crate::text::slice_of;
use crate::{
    DLDataType, ExportedSignature, Host, InitOptions, RAI_ABI_VERSION, RAI_CAN_BATCH,
    RAI_CAN_CANCEL, RAI_DYNAMIC_SHAPES, RAI_HAS_FUNCTIONS, RAI_LOAD_MODEL, RAI_LOAD_SCRIPT, RAI_OK,
    RAI_UNSUPPORTED, RaiBackend, RaiBytes, RaiCapabilities, RaiHost, RaiInfo, RaiLoad, RaiLoaded,
    RaiPair, RaiPairs, RaiRun, RaiTensor, RaiText, RaiView, SharedBytes, tensor::Retained,
};
use redisai_core::{
    Backend, BackendError, BackendInfo, Buffer, Device, LoadKind, LoadRequest, LoadedModel,
    LogLevel, Run, RunOutput, Status, Tensor,
};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A backend that a library exports. [`export_backend!`](crate::export_backend) implements it.
pub trait Exported: 'static {
    /// The backend's own name, without a NUL.
    const NAME: &'static str;

    /// Loads the framework.
    fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError>;

    /// The library's one state.
    fn state() -> &'static State;
}

/// What a backend library keeps for the life of the process.
pub struct State {
    host: OnceLock<Host>,
    loaded: OnceLock<Loaded>,
    /// Keeps two calls of `init` apart.
    init: Mutex<()>,
    poisoned: AtomicBool,
}

/// An initialised backend and what `init` told of it.
struct Loaded {
    backend: Arc<dyn Backend>,
    lists: Lists,
}

/// The lists of the capabilities in the form of the ABI.
struct Lists {
    _info: Box<BackendInfo>,
    info: RaiInfo,
    _devices: Vec<RaiBytes>,
    _dtypes: Vec<DLDataType>,
    _formats: Vec<RaiBytes>,
}

// SAFETY: the pointers lead into the values beside them, which nobody changes.
unsafe impl Send for Lists {}
// SAFETY: as above.
unsafe impl Sync for Lists {}

impl State {
    /// The state of a library that nobody has entered yet.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Self {
        Self {
            host: OnceLock::new(),
            loaded: OnceLock::new(),
            init: Mutex::new(()),
            poisoned: AtomicBool::new(false),
        }
    }

    fn host(&self) -> Host {
        self.host.get().copied().unwrap_or_else(Host::system)
    }

    fn backend(&self) -> Result<&dyn Backend, BackendError> {
        self.usable()?;
        let loaded = self.loaded.get().ok_or_else(|| {
            BackendError::new(Status::Unsupported, "ERR the backend is not initialised")
        })?;
        Ok(loaded.backend.as_ref())
    }

    fn usable(&self) -> Result<(), BackendError> {
        if self.poisoned.load(Ordering::Acquire) {
            let text = "ERR the backend panicked before and is not used any more";
            return Err(BackendError::new(Status::Poisoned, text));
        }
        Ok(())
    }

    /// Runs work whose panic poisons the whole backend, and answers with a code.
    ///
    /// # Safety
    /// As [`put_error`].
    unsafe fn guarded(
        &self,
        error: *mut RaiText,
        work: impl FnOnce() -> Result<(), BackendError>,
    ) -> i32 {
        let outcome = guard(work).unwrap_or_else(|panic| {
            self.poisoned.store(true, Ordering::Release);
            Err(poisoned("the backend", &panic))
        });
        // SAFETY: the caller's promise.
        outcome.map_or_else(|failure| unsafe { put_error(error, failure) }, |()| RAI_OK)
    }

    /// Runs work that has no way to report: a panic is logged.
    fn quiet(&self, what: &str, work: impl FnOnce()) {
        if let Err(panic) = guard(work) {
            let host = self.host();
            host.log(LogLevel::Warning, &format!("panic in {what}: {panic}"));
        }
    }
}

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

/// The entry of a library: puts the table into `out_table`.
///
/// # Safety
/// As [`RaiEntry`](crate::RaiEntry) says.
pub unsafe fn entry<E: Exported>(host: *const RaiHost, out_table: *mut *const RaiBackend) -> i32 {
    let entered = guard(|| {
        // SAFETY: the caller's promise.
        let Some(host) = (unsafe { Host::from_raw(host) }) else {
            return RAI_UNSUPPORTED;
        };
        // A second entry of the same library keeps the first host: both live for ever.
        if E::state().host.set(host).is_ok() {
            log_panics(host);
        }
        let table: &'static RaiBackend = &Table::<E>::TABLE;
        // SAFETY: the caller's promise.
        unsafe { out_table.write(table) };
        RAI_OK
    });
    entered.unwrap_or(RAI_UNSUPPORTED)
}

/// Panics of this library go to the host's log, with their place: a daemon has no stderr. Each
/// library has a standard library, and so a hook, of its own.
fn log_panics(host: Host) {
    std::panic::set_hook(Box::new(move |info| {
        host.log(
            LogLevel::Warning,
            &format!("backend {info}").replace('\n', " "),
        );
    }));
}

struct Table<E>(std::marker::PhantomData<E>);

impl<E: Exported> Table<E> {
    const TABLE: RaiBackend = RaiBackend {
        abi_version: RAI_ABI_VERSION,
        size: size_of::<RaiBackend>() as u32,
        name: RaiBytes::of(E::NAME.as_bytes()),
        init: Some(init::<E>),
        load: Some(load::<E>),
        unload: Some(unload::<E>),
        run: Some(run::<E>),
        cancel: Some(cancel::<E>),
        info: Some(info::<E>),
    };
}

unsafe extern "C" fn init<E: Exported>(
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

unsafe extern "C" fn load<E: Exported>(
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

unsafe extern "C" fn unload<E: Exported>(model: u64) {
    let session = std::ptr::with_exposed_provenance_mut::<Session>(model as usize);
    if session.is_null() {
        return;
    }
    // SAFETY: the box that `load` made; the host unloads it once.
    E::state().quiet("unload", || drop(unsafe { Box::from_raw(session) }));
}

unsafe extern "C" fn run<E: Exported>(
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
                Err(poisoned("this session", "before"))
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

unsafe extern "C" fn cancel<E: Exported>(run_id: u64) {
    let state = E::state();
    state.quiet("cancel", || {
        if let Ok(backend) = state.backend() {
            backend.cancel(run_id);
        }
    });
}

unsafe extern "C" fn info<E: Exported>(model: u64, pairs: *mut RaiPairs) {
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

fn poisoned(what: &str, panic: &str) -> BackendError {
    let text = format!("ERR {what} panicked: {panic}");
    BackendError::new(Status::Poisoned, text)
}

impl Lists {
    fn new(info: BackendInfo) -> Self {
        let info = Box::new(info);
        let can = &info.capabilities;
        let bytes = |texts: &[String]| -> Vec<RaiBytes> {
            texts.iter().map(|it| RaiBytes::of(it.as_bytes())).collect()
        };
        let (devices, formats) = (bytes(&can.devices), bytes(&can.formats));
        let dtypes: Vec<DLDataType> = can
            .dtypes
            .iter()
            .map(|&dtype| DLDataType::from_dtype(dtype))
            .collect();
        let flag = |set, bit| if set { bit } else { 0 };
        let capabilities = RaiCapabilities {
            flags: flag(can.batching, RAI_CAN_BATCH)
                | flag(can.cancellation, RAI_CAN_CANCEL)
                | flag(can.functions, RAI_HAS_FUNCTIONS)
                | flag(can.dynamic_shapes, RAI_DYNAMIC_SHAPES),
            max_concurrent_runs: can.max_concurrent_runs,
            min_align: can.min_align,
            tail_bytes: can.tail_bytes,
            reserved: 0,
            devices: devices.as_ptr(),
            n_devices: devices.len(),
            dtypes: dtypes.as_ptr(),
            n_dtypes: dtypes.len(),
            formats: formats.as_ptr(),
            n_formats: formats.len(),
        };
        let raw = RaiInfo {
            size: size_of::<RaiInfo>(),
            version: RaiBytes::of(info.version.as_bytes()),
            framework: RaiBytes::of(info.framework.as_bytes()),
            capabilities,
        };
        Self {
            _info: info,
            info: raw,
            _devices: devices,
            _dtypes: dtypes,
            _formats: formats,
        }
    }

    /// Writes as much as the host's struct holds; its `size` stays.
    ///
    /// # Safety
    /// `place` is null or the host's struct, its `size` set.
    unsafe fn write(&self, place: *mut RaiInfo) {
        if place.is_null() {
            return;
        }
        // SAFETY: the host's struct has `size` bytes; ours is read as bytes only up to its own size.
        unsafe {
            let size = (*place).size;
            let len = size.min(size_of::<RaiInfo>());
            place
                .cast::<u8>()
                .copy_from_nonoverlapping((&raw const self.info).cast(), len);
            (*place).size = size;
        }
    }
}

/// Exports a backend as a library's one symbol.
///
/// ```ignore
/// redisai_backend_abi::export_backend!("ONNX", init);
///
/// fn init(host: Host, options: &InitOptions) -> Result<Arc<dyn Backend>, BackendError> { … }
/// ```
///
/// `init` loads the framework; it is called once, or again after an error. Every entry is guarded: a
/// panic in a run poisons that session, one in init or load the whole backend, and what panics in
/// unload, cancel and info is logged.
#[macro_export]
macro_rules! export_backend {
    ($name:expr, $init:path) => {
        struct ExportedBackend;

        impl $crate::Exported for ExportedBackend {
            const NAME: &'static str = $name;

            fn init(
                host: $crate::Host,
                options: &$crate::InitOptions,
            ) -> ::std::result::Result<
                ::std::sync::Arc<dyn $crate::core::Backend>,
                $crate::core::BackendError,
            > {
                $init(host, options)
            }

            fn state() -> &'static $crate::State {
                static STATE: $crate::State = $crate::State::new();
                &STATE
            }
        }

        /// The library's entry.
        ///
        /// # Safety
        /// As `RaiEntry` of the ABI says.
        // SAFETY: the one symbol that a backend library exports; nothing else bears its name.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn redisai_backend_v1(
            host: *const $crate::RaiHost,
            out_table: *mut *const $crate::RaiBackend,
        ) -> i32 {
            // SAFETY: the caller's promise.
            unsafe { $crate::entry::<ExportedBackend>(host, out_table) }
        }
    };
}
