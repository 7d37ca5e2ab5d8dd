//! The host as a Rust backend sees it, and the host of native tests.

use crate::tensor::{export_tensor, import_tensor, release_tensor};
use crate::{
    HostBytes, RAI_ABI_VERSION, RAI_LOG_DEBUG, RAI_LOG_NOTICE, RAI_LOG_VERBOSE, RAI_LOG_WARNING,
    RAI_OK, RaiBytes, RaiHost, RaiTensor, RaiText, code_of, memory, owner, status_of,
};
use redisai_core::{BackendError, DType, LogLevel, RunOutput, Shape, Status, Tensor};
use smallvec::SmallVec;
use std::ffi::c_void;
use std::io::Write;
use std::ptr::NonNull;
use std::sync::Arc;

/// What the host does for a backend. A copy of a pointer: keep it wherever it is needed.
#[derive(Clone, Copy)]
pub struct Host {
    table: &'static RaiHost,
}

// SAFETY: the table is never changed, and its functions may be called from any thread.
unsafe impl Send for Host {}
// SAFETY: as above.
unsafe impl Sync for Host {}

impl Host {
    /// A host without a server, for backends that run natively in tests: memory from Rust's
    /// allocator, log to stderr, no commands and no models.
    pub fn system() -> Self {
        Self { table: &SYSTEM }
    }

    /// The host of a table; none where it is of another ABI version.
    ///
    /// # Safety
    /// `table` points at a host's table as documented there.
    pub unsafe fn from_raw(table: *const RaiHost) -> Option<Self> {
        // SAFETY: the caller's promise; the table lives for ever.
        let table = unsafe { table.as_ref() }?;
        let whole = table.size as usize >= size_of::<RaiHost>();
        (table.abi_version == RAI_ABI_VERSION && whole).then_some(Self { table })
    }

    /// `bytes` bytes of the host, aligned to `align`, not cleared; none where they are refused.
    pub fn alloc(self, bytes: usize, align: usize) -> Option<NonNull<u8>> {
        let alloc = self.table.alloc?;
        // SAFETY: a function of the table, with the table.
        NonNull::new(unsafe { alloc(self.table, bytes, align) }.cast())
    }

    /// The same for a tensor: readable up to the next multiple of 64.
    pub fn tensor_alloc(self, bytes: usize, align: usize) -> Option<NonNull<u8>> {
        let alloc = self.table.tensor_alloc?;
        // SAFETY: a function of the table, with the table.
        NonNull::new(unsafe { alloc(self.table, bytes, align) }.cast())
    }

    /// Gives memory back.
    ///
    /// # Safety
    /// `memory` came from this host and is not used again.
    pub unsafe fn free(self, memory: NonNull<u8>) {
        if let Some(free) = self.table.free {
            // SAFETY: a function of the table, and the caller's promise.
            unsafe { free(self.table, memory.as_ptr().cast()) };
        }
    }

    /// Writes a line to the log.
    pub fn log(self, level: LogLevel, text: &str) {
        let level = match level {
            LogLevel::Debug => RAI_LOG_DEBUG,
            LogLevel::Verbose => RAI_LOG_VERBOSE,
            LogLevel::Notice => RAI_LOG_NOTICE,
            LogLevel::Warning => RAI_LOG_WARNING,
        };
        if let Some(log) = self.table.log {
            // SAFETY: a function of the table; the text lives through the call.
            unsafe { log(self.table, level, RaiBytes::of(text.as_bytes())) };
        }
    }

    /// A tensor in the host's memory with a copy of `bytes`.
    pub fn tensor(
        self,
        dtype: DType,
        shape: Shape,
        bytes: &[u8],
    ) -> Result<Arc<Tensor>, BackendError> {
        let data = HostBytes::copy_of(self, bytes).ok_or_else(|| no_memory(bytes.len()))?;
        Tensor::new(dtype, shape, Box::new(data))
            .map(Arc::new)
            .map_err(|error| {
                let text = format!(
                    "ERR the backend made a bad {} tensor: {error:?}",
                    dtype.name()
                );
                BackendError::new(Status::RunFailed, text)
            })
    }

    /// Runs a server command for a script; the reply as RESP2 bytes. `context` is the run's
    /// `call_context`.
    pub fn call(self, context: u64, argv: &[&[u8]]) -> Result<Vec<u8>, BackendError> {
        let call = self.table.call.ok_or_else(no_server)?;
        let argv: Vec<RaiBytes> = argv.iter().map(|arg| RaiBytes::of(arg)).collect();
        let mut reply = RaiText::EMPTY;
        // SAFETY: a function of the table; everything lives through the call.
        let code = unsafe {
            call(
                self.table,
                context,
                argv.as_ptr(),
                argv.len(),
                &raw mut reply,
            )
        };
        // SAFETY: the host filled it, or it is empty.
        let reply = unsafe { reply.take() };
        if code == RAI_OK {
            Ok(reply)
        } else {
            Err(error_of(code, &reply))
        }
    }

    /// Runs the model of a key for a script, on the calling thread.
    pub fn run_model(
        self,
        context: u64,
        key: &[u8],
        inputs: Vec<Arc<Tensor>>,
        outputs: usize,
    ) -> Result<RunOutput, BackendError> {
        let run_model = self.table.run_model.ok_or_else(no_server)?;
        let mut inputs: SmallVec<[RaiTensor; 8]> =
            inputs.into_iter().map(|t| export_tensor(Some(t))).collect();
        let mut results: SmallVec<[RaiTensor; 4]> = (0..outputs).map(|_| RaiTensor::NONE).collect();
        let mut error = RaiText::EMPTY;
        // SAFETY: a function of the table; everything lives through the call, which takes the inputs.
        let code = unsafe {
            run_model(
                self.table,
                context,
                RaiBytes::of(key),
                inputs.as_mut_ptr(),
                inputs.len(),
                results.as_mut_ptr(),
                results.len(),
                &raw mut error,
            )
        };
        // SAFETY: the host filled it, or it is empty.
        let text = unsafe { error.take() };
        if code != RAI_OK {
            return Err(error_of(code, &text));
        }
        // SAFETY: the host gave these tensors to us.
        unsafe { import_all(&results) }
    }

    pub(crate) unsafe fn retain(self, owner: u64) {
        if let Some(retain) = self.table.retain {
            // SAFETY: a function of the table, and the caller's owner is alive.
            unsafe { retain(self.table, owner) };
        }
    }

    pub(crate) unsafe fn release(self, owner: u64) {
        if let Some(release) = self.table.release {
            // SAFETY: a function of the table, and the caller retained the owner.
            unsafe { release(self.table, owner) };
        }
    }
}

/// Takes tensors over; where one is bad, the rest are released.
///
/// # Safety
/// The tensors are the caller's own, filled as documented.
pub unsafe fn import_all(tensors: &[RaiTensor]) -> Result<RunOutput, BackendError> {
    let mut values = RunOutput::with_capacity(tensors.len());
    let mut failure = None;
    for tensor in tensors {
        if failure.is_some() {
            // SAFETY: the caller's own, released once.
            unsafe { release_tensor(tensor) };
            continue;
        }
        // SAFETY: the caller's own, taken over once.
        match unsafe { import_tensor(tensor) } {
            Ok(value) => values.push(value),
            Err(error) => failure = Some(error),
        }
    }
    failure.map_or(Ok(values), Err)
}

/// The error of a code and a text.
pub fn error_of(code: i32, text: &[u8]) -> BackendError {
    let text = if text.is_empty() {
        format!("ERR the backend failed with status {code} and no text")
    } else {
        String::from_utf8_lossy(text).into_owned()
    };
    BackendError::new(status_of(code), text)
}

/// Fills an out-parameter with an error and gives its code.
///
/// # Safety
/// `place` is null or may be written to; what it holds is overwritten.
pub unsafe fn put_error(place: *mut RaiText, error: BackendError) -> i32 {
    if !place.is_null() {
        // SAFETY: not null, and the caller's promise.
        unsafe { place.write(RaiText::from_vec(error.text.into_owned().into_bytes())) };
    }
    code_of(error.status)
}

/// "No memory" in words, for an output of `bytes` bytes.
pub fn no_memory(bytes: usize) -> BackendError {
    let text = format!("ERR no memory for a result of {bytes} bytes");
    BackendError::new(Status::NoMemory, text)
}

fn no_server() -> BackendError {
    BackendError::new(Status::Unsupported, "ERR there is no server to ask")
}

/// The functions of a host in this process that need no server; a loader fills in the rest.
pub const SYSTEM: RaiHost = RaiHost {
    abi_version: RAI_ABI_VERSION,
    size: size_of::<RaiHost>() as u32,
    alloc: Some(system_alloc),
    tensor_alloc: Some(system_tensor_alloc),
    free: Some(system_free),
    log: Some(system_log),
    retain: Some(system_retain),
    release: Some(system_release),
    call: None,
    run_model: None,
};

unsafe extern "C" fn system_alloc(_: *const RaiHost, bytes: usize, align: usize) -> *mut c_void {
    memory::allocate(bytes, align).cast()
}

unsafe extern "C" fn system_tensor_alloc(
    _: *const RaiHost,
    bytes: usize,
    align: usize,
) -> *mut c_void {
    memory::allocate_tensor(bytes, align).cast()
}

unsafe extern "C" fn system_free(_: *const RaiHost, block: *mut c_void) {
    // SAFETY: the backend got it from the functions above, says the ABI.
    unsafe { memory::free(block.cast()) };
}

unsafe extern "C" fn system_log(_: *const RaiHost, level: i32, text: RaiBytes) {
    // SAFETY: valid during the call, says the ABI.
    let text = unsafe { text.as_slice() };
    if level >= RAI_LOG_NOTICE {
        // A closed stderr is no reason to panic.
        let _ = writeln!(std::io::stderr(), "{}", String::from_utf8_lossy(text));
    }
}

unsafe extern "C" fn system_retain(_: *const RaiHost, owner: u64) {
    // SAFETY: an owner that this process gave out and that lives, says the ABI.
    unsafe { owner::retain(owner) };
}

unsafe extern "C" fn system_release(_: *const RaiHost, owner: u64) {
    // A buffer's drop is the host's own code; should it panic all the same, the reference is lost.
    // SAFETY: an owner that was retained, says the ABI.
    let _ = crate::guard::guard(|| unsafe { owner::release(owner) });
}
