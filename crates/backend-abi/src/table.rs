//! The backend's table, and what its functions take and give.

use crate::{
    DLDataType, DLManagedTensorVersioned, DLTensor, RaiBytes, RaiHost, RaiPair, RaiPairs,
    RaiSignature, RaiText,
};
use std::ptr;

/// The version of this ABI. Another number is another layout; within one version structs only grow
/// at their end, and say their size.
pub const RAI_ABI_VERSION: u32 = 1;

/// The symbol that a backend library exports: a [`RaiEntry`].
pub const RAI_ENTRY_SYMBOL: &str = "redisai_backend_v1";

/// The type code of `STRING` tensors. Ours, not DLPack's (whose 7 is a float8): bits 8, lanes 1,
/// and the tensor's `offsets` say where each element starts.
pub const RAI_DTYPE_STRING: u8 = 200;

/// [`RaiTensor::flags`]: the memory is the host's own (from `tensor_alloc`, or an input's that was
/// retained). Without it the memory counts as foreign, and is copied before it is kept as a key.
pub const RAI_TENSOR_HOST_MEMORY: u32 = 1;

/// [`RaiCapabilities::flags`]: rows of several requests may be joined along dimension 0.
pub const RAI_CAN_BATCH: u64 = 1;
/// [`RaiCapabilities::flags`]: `cancel` can stop a run.
pub const RAI_CAN_CANCEL: u64 = 2;
/// [`RaiCapabilities::flags`]: models have named functions (scripts).
pub const RAI_HAS_FUNCTIONS: u64 = 4;
/// [`RaiCapabilities::flags`]: dimensions may differ from run to run.
pub const RAI_DYNAMIC_SHAPES: u64 = 8;

/// [`RaiLoad::kind`]: a model.
pub const RAI_LOAD_MODEL: i32 = 0;
/// [`RaiLoad::kind`]: a script's source.
pub const RAI_LOAD_SCRIPT: i32 = 1;

/// An input: the host's memory, which must not be written to. Valid during the call; whoever keeps
/// it longer calls `retain(owner)` first and `release(owner)` at the end.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiView {
    /// Compact, row-major (`strides` is null), in host memory. No alignment is promised beyond what
    /// the capabilities ask for.
    pub tensor: DLTensor,
    /// For `STRING`: where each element starts, and the length of all bytes at the end; one more
    /// than there are elements. Every element is followed by a NUL that is not part of it. Null for
    /// other dtypes.
    pub offsets: *const u64,
    /// Handle for `retain` and `release`; never 0.
    pub owner: u64,
    /// Bytes behind the data that may be read too.
    pub tail: u32,
    /// 0.
    pub reserved: u32,
}

/// A tensor that the receiver owns and releases through `managed->deleter`: from any thread, also
/// after the model is unloaded or poisoned. It must not alias an input unless that input's owner was
/// retained.
#[repr(C)]
#[derive(Debug)]
pub struct RaiTensor {
    /// The tensor, compact and in host memory; null: no tensor.
    pub managed: *mut DLManagedTensorVersioned,
    /// For `STRING`, as in [`RaiView`]; lives as long as `managed`.
    pub offsets: *const u64,
    /// Bytes behind the data that may be read too.
    pub tail: u32,
    /// `RAI_TENSOR_…`.
    pub flags: u32,
}

impl RaiTensor {
    /// No tensor.
    pub const NONE: Self = Self {
        managed: ptr::null_mut(),
        offsets: ptr::null(),
        tail: 0,
        flags: 0,
    };
}

/// What a backend can do. The host asks; it never tries and sees.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiCapabilities {
    /// `RAI_CAN_…`, `RAI_HAS_…`, `RAI_DYNAMIC_SHAPES`.
    pub flags: u64,
    /// How many runs of one model may go on at once; 0: any number.
    pub max_concurrent_runs: u32,
    /// Alignment that inputs must have, in bytes, a power of two up to 4096; 0 or 1: none. The host
    /// makes aligned copies.
    pub min_align: u32,
    /// Readable bytes that inputs must have behind their end.
    pub tail_bytes: u32,
    /// 0.
    pub reserved: u32,
    /// Devices that it can use now (`CPU`, `GPU:0`, …); none: it does not say.
    pub devices: *const RaiBytes,
    /// Number of `devices`.
    pub n_devices: usize,
    /// Element types that it takes and gives; none: it does not say.
    pub dtypes: *const DLDataType,
    /// Number of `dtypes`.
    pub n_dtypes: usize,
    /// Model formats that it reads (`onnx`, `saved_model`, …); none: it does not say.
    pub formats: *const RaiBytes,
    /// Number of `formats`.
    pub n_formats: usize,
}

impl RaiCapabilities {
    /// None.
    pub const NONE: Self = Self {
        flags: 0,
        max_concurrent_runs: 0,
        min_align: 0,
        tail_bytes: 0,
        reserved: 0,
        devices: ptr::null(),
        n_devices: 0,
        dtypes: ptr::null(),
        n_dtypes: 0,
        formats: ptr::null(),
        n_formats: 0,
    };
}

/// What `init` says. The host sets `size` and clears the rest; what the backend puts in lives for
/// ever.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiInfo {
    /// Bytes of this struct as the host knows it; nothing behind them is written.
    pub size: usize,
    /// The framework's version.
    pub version: RaiBytes,
    /// The framework's path; empty where there is none.
    pub framework: RaiBytes,
    /// What the backend can do. Stays the last member: it grows at its end.
    pub capabilities: RaiCapabilities,
}

/// A request to build a session.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiLoad {
    /// Bytes of this struct as the host knows it; nothing behind them is there.
    pub size: usize,
    /// `RAI_LOAD_…`.
    pub kind: i32,
    /// Bytes behind the blob that may be read too.
    pub tail: u32,
    /// The model's or script's bytes. Valid during the call, or as long as `owner` is retained.
    pub blob: RaiBytes,
    /// Handle for `retain` and `release`; never 0.
    pub owner: u64,
    /// The device as the client named it: `CPU`, `GPU:1`, …, any bytes. One that is not there is
    /// refused, never replaced by another.
    pub device: RaiBytes,
    /// Options: `input`, `output`, `entry_point`, …
    pub options: *const RaiPair,
    /// Number of `options`.
    pub n_options: usize,
}

/// A built session.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiLoaded {
    /// The handle for `run`, `info` and `unload`; never 0.
    pub model: u64,
    /// Valid until `unload`.
    pub signature: *const RaiSignature,
}

/// One run. Everything in it is valid during the call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiRun {
    /// Bytes of this struct as the host knows it; nothing behind them is there.
    pub size: usize,
    /// Number of the run, unique in the process: what `cancel` takes.
    pub run_id: u64,
    /// What the backend hands to `call` and `run_model`; 0 for models.
    pub call_ctx: u64,
    /// When it must be over: nanoseconds of `CLOCK_MONOTONIC`; 0: never. A run looks at it when it
    /// starts.
    pub deadline: u64,
    /// The function to run; empty for a model's only one.
    pub function: RaiBytes,
    /// Key names, for scripts.
    pub keys: *const RaiBytes,
    /// Number of `keys`.
    pub n_keys: usize,
    /// Arguments, for scripts.
    pub args: *const RaiBytes,
    /// Number of `args`.
    pub n_args: usize,
}

/// A backend's functions. Lives for ever, is never changed, and `abi_version`, `size` and `name` are
/// set before the entry returns. Every function may be called from any thread; none may let an
/// exception or a panic out. Where a function returns a status other than `RAI_OK` it fills `error`,
/// which the host cleared before, and no other result.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiBackend {
    /// [`RAI_ABI_VERSION`] of the backend.
    pub abi_version: u32,
    /// Bytes of this table as the backend knows it.
    pub size: u32,
    /// The backend's own name: `TF`, `TFLITE`, `TORCH`, `ONNX`.
    pub name: RaiBytes,
    /// Called once, before anything else: loads the framework. After an error it may be called
    /// again. The names of the pairs are `RAI_OPTION_…`.
    pub init: Option<
        unsafe extern "C" fn(
            options: *const RaiPair,
            n_options: usize,
            info: *mut RaiInfo,
            error: *mut RaiText,
        ) -> i32,
    >,
    /// Builds a session.
    pub load: Option<
        unsafe extern "C" fn(
            request: *const RaiLoad,
            loaded: *mut RaiLoaded,
            error: *mut RaiText,
        ) -> i32,
    >,
    /// Ends a session; no run of it is going on, and none comes. Its outputs live on.
    pub unload: Option<unsafe extern "C" fn(model: u64)>,
    /// Runs on the calling thread. The host cleared the `n_outputs` places of `outputs`; on `RAI_OK`
    /// each holds a tensor or null, otherwise all are null.
    pub run: Option<
        unsafe extern "C" fn(
            model: u64,
            run: *const RaiRun,
            inputs: *const RaiView,
            n_inputs: usize,
            outputs: *mut RaiTensor,
            n_outputs: usize,
            error: *mut RaiText,
        ) -> i32,
    >,
    /// Asks a run to stop: any number of times; a number that is not running is ignored.
    pub cancel: Option<unsafe extern "C" fn(run_id: u64)>,
    /// Figures of a session, or of the backend where `model` is 0: bytes held, allocator counts. May
    /// be null: no figures.
    pub info: Option<unsafe extern "C" fn(model: u64, pairs: *mut RaiPairs)>,
}

/// The one symbol that a backend library exports, under the name `redisai_backend_v1`. Puts its
/// table into `out_table` and keeps `host`, which lives for ever. Returns `RAI_OK`, or
/// `RAI_UNSUPPORTED` where it cannot work with this host (`abi_version`). Called once; does no work:
/// that is for `init`.
pub type RaiEntry =
    unsafe extern "C" fn(host: *const RaiHost, out_table: *mut *const RaiBackend) -> i32;
