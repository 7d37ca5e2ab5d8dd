//! The host's table: what libraries call.

use redisai_backend_abi::{
    RAI_LOG_DEBUG, RAI_LOG_NOTICE, RAI_LOG_VERBOSE, RAI_OK, RaiBytes, RaiHost, RaiTensor, RaiText,
    SYSTEM, export_host_tensor, guard, import_all, put_error, slice_of,
};
use redisai_core::{BackendError, HostServices, LogLevel, RunOutput, Status};
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

/// From this size on the kernel is asked first: the server's allocator aborts where it gets no
/// memory, and the page faults of such a block cost a thousand times more than the question.
const PROBE_FROM: usize = 4 << 20;

/// A library's host. The table comes first: its address is the host's.
#[repr(C)]
pub(crate) struct LibraryHost {
    table: RaiHost,
    services: Arc<dyn HostServices>,
}

impl LibraryHost {
    /// A host that lives for ever, as the library does.
    pub(crate) fn leak(services: Arc<dyn HostServices>) -> &'static Self {
        Box::leak(Box::new(Self {
            table: RaiHost {
                alloc: Some(alloc),
                tensor_alloc: Some(tensor_alloc),
                log: Some(log),
                call: Some(call),
                run_model: Some(run_model),
                ..SYSTEM
            },
            services,
        }))
    }

    /// What the library gets. The pointer is good for the whole value.
    pub(crate) fn table(&'static self) -> *const RaiHost {
        ptr::from_ref(self).cast()
    }

    /// # Safety
    /// `host` came from [`Self::table`].
    unsafe fn of(host: *const RaiHost) -> &'static Self {
        // SAFETY: the caller's promise; it was leaked.
        unsafe { &*host.cast::<Self>() }
    }
}

/// Whether the kernel would map this many bytes now; sizes below 4 MiB are not asked for. It may still
/// run out later; what this catches is the size that can never be had.
pub fn can_have(bytes: usize) -> bool {
    if bytes < PROBE_FROM {
        return true;
    }
    // SAFETY: a fresh private mapping, unmapped at once and never touched.
    unsafe {
        let memory = libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        memory != libc::MAP_FAILED && libc::munmap(memory, bytes) == 0
    }
}

unsafe extern "C" fn alloc(_: *const RaiHost, bytes: usize, align: usize) -> *mut c_void {
    if !can_have(bytes) {
        return ptr::null_mut();
    }
    redisai_backend_abi::memory::allocate(bytes, align).cast()
}

unsafe extern "C" fn tensor_alloc(_: *const RaiHost, bytes: usize, align: usize) -> *mut c_void {
    if !can_have(bytes) {
        return ptr::null_mut();
    }
    redisai_backend_abi::memory::allocate_tensor(bytes, align).cast()
}

unsafe extern "C" fn log(host: *const RaiHost, level: i32, text: RaiBytes) {
    let level = match level {
        RAI_LOG_DEBUG => LogLevel::Debug,
        RAI_LOG_VERBOSE => LogLevel::Verbose,
        RAI_LOG_NOTICE => LogLevel::Notice,
        _ => LogLevel::Warning,
    };
    // SAFETY: the library's host, and a text that is valid during the call, says the ABI.
    let (host, text) = unsafe { (LibraryHost::of(host), text.as_slice()) };
    // There is nowhere to report a panic of the log to.
    let _ = guard(|| host.services.log(level, &String::from_utf8_lossy(text)));
}

unsafe extern "C" fn call(
    host: *const RaiHost,
    call_ctx: u64,
    argv: *const RaiBytes,
    count: usize,
    reply: *mut RaiText,
) -> i32 {
    let outcome = guarded(|| {
        // SAFETY: the library's host, and arguments that are valid during the call, says the ABI.
        let (host, argv) = unsafe { (LibraryHost::of(host), slice_of(argv, count)) };
        let argv: Vec<&[u8]> = argv
            .iter()
            // SAFETY: as above.
            .map(|arg| unsafe { arg.as_slice() })
            .collect();
        host.services.call(call_ctx, &argv)
    });
    match outcome {
        Ok(bytes) => {
            // SAFETY: the library's place for the reply.
            unsafe { reply.write(RaiText::from_vec(bytes)) };
            RAI_OK
        }
        // SAFETY: as above.
        Err(error) => unsafe { put_error(reply, error) },
    }
}

unsafe extern "C" fn run_model(
    host: *const RaiHost,
    call_ctx: u64,
    key: RaiBytes,
    inputs: *mut RaiTensor,
    n_inputs: usize,
    outputs: *mut RaiTensor,
    n_outputs: usize,
    error: *mut RaiText,
) -> i32 {
    let outcome = guarded(|| {
        // SAFETY: the library's host, a key that is valid during the call, and tensors that are ours
        // from now on, says the ABI.
        let (host, key, inputs) = unsafe {
            let inputs = import_all(slice_of(inputs, n_inputs))?;
            (LibraryHost::of(host), key.as_slice(), inputs)
        };
        let inputs = inputs.into_iter().collect::<Option<Vec<_>>>();
        let inputs = inputs.ok_or_else(|| {
            BackendError::new(Status::BadInput, "ERR an input of a model is no tensor")
        })?;
        let results = host.services.run_model(call_ctx, key, inputs, n_outputs)?;
        expect_count(results, n_outputs)
    });
    match outcome {
        Ok(results) => {
            for (index, result) in results.into_iter().enumerate() {
                // SAFETY: the library has `n_outputs` places, and there are as many results.
                unsafe { outputs.add(index).write(export_host_tensor(result)) };
            }
            RAI_OK
        }
        // SAFETY: the library's place for an error.
        Err(failure) => unsafe { put_error(error, failure) },
    }
}

/// A count of outputs that is not the one asked for is an error in all places.
pub(crate) fn expect_count(results: RunOutput, count: usize) -> Result<RunOutput, BackendError> {
    if results.len() == count {
        return Ok(results);
    }
    let text = "ERR Model did not generate the expected number of outputs";
    Err(BackendError::new(Status::RunFailed, text))
}

fn guarded<T>(work: impl FnOnce() -> Result<T, BackendError>) -> Result<T, BackendError> {
    guard(work).unwrap_or_else(|panic| {
        let text = format!("ERR the host panicked: {panic}");
        Err(BackendError::new(Status::RunFailed, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_never_be_had_is_refused() {
        assert!(can_have(1));
        assert!(can_have(PROBE_FROM));
        assert!(!can_have(1 << 60));
    }
}
