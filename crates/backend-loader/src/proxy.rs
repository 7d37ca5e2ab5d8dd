//! A library's table as a core [`Backend`].

use crate::aligned::aligned_copy;
use crate::host::expect_count;
use crate::library::Library;
use redisai_backend_abi::owner::{Blob, tensor_owner};
use redisai_backend_abi::{
    MAX_RANK, RAI_CAN_BATCH, RAI_CAN_CANCEL, RAI_DYNAMIC_SHAPES, RAI_HAS_FUNCTIONS, RAI_LOAD_MODEL,
    RAI_LOAD_SCRIPT, RAI_OK, RaiBytes, RaiCapabilities, RaiInfo, RaiLoad, RaiLoaded, RaiPair,
    RaiPairs, RaiRun, RaiTensor, RaiText, RaiView, error_of, import_all, import_signature,
    release_tensor, slice_of, view_of,
};
use redisai_core::{
    Backend, BackendError, BackendInfo, Capabilities, LoadKind, LoadRequest, LoadedModel, Run,
    RunOutput, Signature, Status, Tensor,
};
use smallvec::SmallVec;
use std::ptr;
use std::sync::Arc;

/// A backend behind a table.
pub(crate) struct Proxy {
    library: &'static Library,
    info: BackendInfo,
}

impl Proxy {
    /// Initialises the backend with these pairs.
    pub(crate) fn init(
        library: &'static Library,
        options: &[(String, Vec<u8>)],
    ) -> Result<Self, BackendError> {
        let pairs = pairs_of(options);
        let mut info = RaiInfo {
            size: size_of::<RaiInfo>(),
            version: RaiBytes::EMPTY,
            framework: RaiBytes::EMPTY,
            capabilities: RaiCapabilities::NONE,
        };
        let mut error = RaiText::EMPTY;
        // SAFETY: as the ABI says; everything lives through the call.
        let code = unsafe {
            (library.functions.init)(pairs.as_ptr(), pairs.len(), &raw mut info, &raw mut error)
        };
        // SAFETY: empty, or filled by the backend.
        unsafe { answer(code, &mut error) }?;
        // SAFETY: what `init` gives lives for ever, says the ABI.
        let info = unsafe { read_info(library, &info) };
        Ok(Self { library, info })
    }
}

/// # Safety
/// The struct was filled as the ABI says.
unsafe fn read_info(library: &Library, info: &RaiInfo) -> BackendInfo {
    let can = &info.capabilities;
    let has = |bit| can.flags & bit != 0;
    // SAFETY: the caller's promise.
    unsafe {
        BackendInfo {
            name: library.name.clone(),
            version: text_of(info.version),
            library: library.path.to_string_lossy().into_owned(),
            framework: text_of(info.framework),
            capabilities: Capabilities {
                batching: has(RAI_CAN_BATCH),
                cancellation: has(RAI_CAN_CANCEL),
                functions: has(RAI_HAS_FUNCTIONS),
                dynamic_shapes: has(RAI_DYNAMIC_SHAPES),
                max_concurrent_runs: can.max_concurrent_runs,
                min_align: can.min_align,
                tail_bytes: can.tail_bytes,
                devices: texts_of(can.devices, can.n_devices),
                dtypes: slice_of(can.dtypes, can.n_dtypes)
                    .iter()
                    .filter_map(|dtype| dtype.to_dtype())
                    .collect(),
                formats: texts_of(can.formats, can.n_formats),
            },
        }
    }
}

unsafe fn texts_of(items: *const RaiBytes, len: usize) -> Vec<String> {
    // SAFETY: the caller's promise.
    let items = unsafe { slice_of(items, len) };
    // SAFETY: the caller's promise.
    items.iter().map(|item| unsafe { text_of(*item) }).collect()
}

unsafe fn text_of(bytes: RaiBytes) -> String {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { bytes.as_slice() }).into_owned()
}

impl Backend for Proxy {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn load(&self, request: &LoadRequest<'_>) -> Result<Arc<dyn LoadedModel>, BackendError> {
        let blob = Blob::new(Arc::clone(request.blob));
        let options = pairs_of(&request.options);
        let tail = request.blob.tail();
        let raw = RaiLoad {
            size: size_of::<RaiLoad>(),
            kind: match request.kind {
                LoadKind::Model => RAI_LOAD_MODEL,
                LoadKind::Script => RAI_LOAD_SCRIPT,
            },
            tail: u32::try_from(tail).unwrap_or(u32::MAX),
            blob: RaiBytes::of(request.blob.bytes()),
            owner: blob.owner(),
            device: RaiBytes::of(request.device.text()),
            options: options.as_ptr(),
            n_options: options.len(),
        };
        let mut loaded = RaiLoaded {
            model: 0,
            signature: ptr::null(),
        };
        let mut error = RaiText::EMPTY;
        // SAFETY: as the ABI says; everything lives through the call.
        let code = unsafe {
            (self.library.functions.load)(&raw const raw, &raw mut loaded, &raw mut error)
        };
        // SAFETY: empty, or filled by the backend.
        unsafe { answer(code, &mut error) }?;
        if loaded.model == 0 {
            let text = "ERR the backend gave no session";
            return Err(BackendError::new(Status::BadModel, text));
        }
        let mut model = Session {
            library: self.library,
            model: loaded.model,
            align: self.info.capabilities.min_align as usize,
            tail: self.info.capabilities.tail_bytes as usize,
            signature: Signature::default(),
        };
        // SAFETY: valid until unload, says the ABI, which comes when `model` is dropped.
        model.signature = unsafe { import_signature(loaded.signature) };
        Ok(Arc::new(model))
    }

    fn cancel(&self, run: u64) {
        if let Some(cancel) = self.library.functions.cancel {
            // SAFETY: any number, from any thread, says the ABI.
            unsafe { cancel(run) };
        }
    }

    fn figures(&self) -> Vec<(String, String)> {
        figures(self.library, 0)
    }
}

/// A session behind a handle.
struct Session {
    library: &'static Library,
    model: u64,
    /// What inputs must have; 0 or 1: nothing.
    align: usize,
    tail: usize,
    signature: Signature,
}

/// A tensor may have more dimensions than cross the border; no model takes so many.
fn check_rank(input: &Tensor) -> Result<(), BackendError> {
    let rank = input.shape().rank();
    if rank <= MAX_RANK {
        return Ok(());
    }
    let text = format!(
        "ERR an input has {rank} dimensions, models take at most {MAX_RANK}: set it with fewer"
    );
    Err(BackendError::new(Status::BadInput, text))
}

impl LoadedModel for Session {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&self, run: &Run<'_>) -> Result<RunOutput, BackendError> {
        // Copies live until the run is over.
        let mut copies: SmallVec<[Arc<Tensor>; 2]> = SmallVec::new();
        let mut views: SmallVec<[RaiView; 8]> = SmallVec::with_capacity(run.inputs.len());
        for input in run.inputs {
            check_rank(input)?;
            if self.fits(input) {
                views.push(view_of(input, tensor_owner(input)));
            } else {
                let copy = aligned_copy(input, self.align, self.tail)?;
                views.push(view_of(&copy, tensor_owner(&copy)));
                copies.push(copy);
            }
        }
        let keys = bytes_of(run.keys);
        let args = bytes_of(run.args);
        let raw = RaiRun {
            size: size_of::<RaiRun>(),
            run_id: run.id,
            call_ctx: run.call_context,
            deadline: run.deadline,
            function: RaiBytes::of(run.function),
            keys: keys.as_ptr(),
            n_keys: keys.len(),
            args: args.as_ptr(),
            n_args: args.len(),
        };
        let mut outputs: SmallVec<[RaiTensor; 4]> =
            (0..run.outputs).map(|_| RaiTensor::NONE).collect();
        let mut error = RaiText::EMPTY;
        // SAFETY: as the ABI says: the session is loaded, and everything lives through the call.
        let code = unsafe {
            (self.library.functions.run)(
                self.model,
                &raw const raw,
                views.as_ptr(),
                views.len(),
                outputs.as_mut_ptr(),
                outputs.len(),
                &raw mut error,
            )
        };
        drop(copies);
        // SAFETY: empty, or filled by the backend.
        if let Err(error) = unsafe { answer(code, &mut error) } {
            for output in &outputs {
                // SAFETY: empty, or handed over by a backend that failed after it made some.
                unsafe { release_tensor(output) };
            }
            return Err(error);
        }
        // SAFETY: the outputs are ours.
        let results = unsafe { import_all(&outputs)? };
        expect_count(results, run.outputs)
    }

    fn figures(&self) -> Vec<(String, String)> {
        figures(self.library, self.model)
    }
}

impl Session {
    fn fits(&self, tensor: &Tensor) -> bool {
        let address = tensor.bytes().as_ptr() as usize;
        (self.align <= 1 || address.is_multiple_of(self.align))
            && tensor.buffer().tail() >= self.tail
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // SAFETY: loaded, unloaded once; no run is going on, for a run borrows the session.
        unsafe { (self.library.functions.unload)(self.model) };
    }
}

fn figures(library: &Library, model: u64) -> Vec<(String, String)> {
    let Some(info) = library.functions.info else {
        return Vec::new();
    };
    let mut pairs = RaiPairs::EMPTY;
    // SAFETY: 0 or a loaded session, and a place for the pairs.
    unsafe {
        info(model, &raw mut pairs);
        pairs.take()
    }
}

/// The outcome of a call: its error's text is taken whatever the code is.
///
/// # Safety
/// The text is empty or was filled as the ABI says.
unsafe fn answer(code: i32, error: &mut RaiText) -> Result<(), BackendError> {
    // SAFETY: the caller's promise.
    let text = unsafe { error.take() };
    if code == RAI_OK {
        Ok(())
    } else {
        Err(error_of(code, &text))
    }
}

fn pairs_of(options: &[(String, Vec<u8>)]) -> Vec<RaiPair> {
    let pair = |(name, value): &(String, Vec<u8>)| RaiPair::of(name.as_bytes(), value);
    options.iter().map(pair).collect()
}

fn bytes_of(items: &[Vec<u8>]) -> Vec<RaiBytes> {
    items.iter().map(|item| RaiBytes::of(item)).collect()
}
