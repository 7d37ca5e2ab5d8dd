//! The host's table.

use crate::{RaiBytes, RaiTensor, RaiText};
use std::ffi::c_void;

/// `level` of [`RaiHost::log`]: for developers.
pub const RAI_LOG_DEBUG: i32 = 0;
/// `level` of [`RaiHost::log`]: details.
pub const RAI_LOG_VERBOSE: i32 = 1;
/// `level` of [`RaiHost::log`]: what an operator wants to see once.
pub const RAI_LOG_NOTICE: i32 = 2;
/// `level` of [`RaiHost::log`]: what an operator must see.
pub const RAI_LOG_WARNING: i32 = 3;

/// What the host does for a backend. Lives for ever; every function may be called from any thread
/// and takes the table itself first. The backend checks `size` before it uses a member that a later
/// release added.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiHost {
    /// `RAI_ABI_VERSION` of the host.
    pub abi_version: u32,
    /// Bytes of this table as the host knows it.
    pub size: u32,
    /// Memory of the host: `bytes` many, aligned to `align` (a power of two, at most 4096), not
    /// cleared. Null: refused, which is no reason to abort.
    pub alloc:
        Option<unsafe extern "C" fn(host: *const Self, bytes: usize, align: usize) -> *mut c_void>,
    /// Memory for a tensor, likewise, and readable up to the next multiple of 64. Where a backend
    /// runs in a process of its own, this is what both processes share.
    pub tensor_alloc:
        Option<unsafe extern "C" fn(host: *const Self, bytes: usize, align: usize) -> *mut c_void>,
    /// Gives back memory of `alloc` or `tensor_alloc`; null is ignored.
    pub free: Option<unsafe extern "C" fn(host: *const Self, memory: *mut c_void)>,
    /// Writes a line to the log (`RAI_LOG_…`). The text is never a format.
    pub log: Option<unsafe extern "C" fn(host: *const Self, level: i32, text: RaiBytes)>,
    /// Keeps an input's or a model blob's memory beyond the call that brought it.
    pub retain: Option<unsafe extern "C" fn(host: *const Self, owner: u64)>,
    /// Ends one `retain`.
    pub release: Option<unsafe extern "C" fn(host: *const Self, owner: u64)>,
    /// Runs a server command for a script. `call_ctx` is the run's. On `RAI_OK` `reply` gets the
    /// reply as RESP2 bytes, otherwise an error text. Waits until the run's deadline.
    pub call: Option<
        unsafe extern "C" fn(
            host: *const Self,
            call_ctx: u64,
            argv: *const RaiBytes,
            argc: usize,
            reply: *mut RaiText,
        ) -> i32,
    >,
    /// Runs the model of a key for a script, on the calling thread. Takes the `inputs` over, whatever
    /// it returns. On `RAI_OK` `outputs` holds `n_outputs` tensors, otherwise none, and `error` a
    /// text.
    pub run_model: Option<
        unsafe extern "C" fn(
            host: *const Self,
            call_ctx: u64,
            key: RaiBytes,
            inputs: *mut RaiTensor,
            n_inputs: usize,
            outputs: *mut RaiTensor,
            n_outputs: usize,
            error: *mut RaiText,
        ) -> i32,
    >,
}
