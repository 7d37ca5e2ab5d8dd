//! Signatures in the form of the ABI.

use crate::{DLDataType, RaiBytes};

/// [`RaiValueInfo::kind`]: a tensor, or an optional one.
pub const RAI_VALUE_TENSOR: i32 = 0;
/// [`RaiValueInfo::kind`]: a sequence of maps to float, given as a FLOAT tensor `[n, classes]`.
pub const RAI_VALUE_ZIPMAP: i32 = 1;
/// [`RaiValueInfo::kind`]: anything else; its output is no tensor.
pub const RAI_VALUE_OTHER: i32 = 2;

/// [`RaiFunction::flags`]: the last input takes all that is left.
pub const RAI_VARIADIC_INPUTS: u32 = 1;
/// [`RaiFunction::flags`]: the number of outputs shows only at the run.
pub const RAI_VARIADIC_OUTPUTS: u32 = 2;

/// [`RaiSignature::flags`]: the model holds operations with sub-graphs (`If`, `Loop`).
pub const RAI_CONTROL_FLOW: u32 = 1;

/// One input or output of a function, as the model declares it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiValueInfo {
    /// Its name, any bytes.
    pub name: RaiBytes,
    /// `RAI_VALUE_…`.
    pub kind: i32,
    /// Element type; all zeros: not known, or none of ours.
    pub dtype: DLDataType,
    /// Number of dimensions; −1: not known.
    pub rank: i32,
    /// 0.
    pub reserved: i32,
    /// `rank` dimensions, −1 for each that is not fixed.
    pub dims: *const i64,
    /// For a ZipMap: the class of each column, where known.
    pub classes: *const RaiBytes,
    /// Number of `classes`.
    pub n_classes: usize,
}

/// A function of a loaded model. A plain model has one, with an empty name.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiFunction {
    /// Its name, any bytes.
    pub name: RaiBytes,
    /// Its inputs, in order.
    pub inputs: *const RaiValueInfo,
    /// Number of `inputs`.
    pub n_inputs: usize,
    /// Its outputs, in order.
    pub outputs: *const RaiValueInfo,
    /// Number of `outputs`.
    pub n_outputs: usize,
    /// `RAI_VARIADIC_…`.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}

/// What a loaded model says of itself.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct RaiSignature {
    /// Its functions; at least one for a model.
    pub functions: *const RaiFunction,
    /// Number of `functions`.
    pub n_functions: usize,
    /// `RAI_CONTROL_FLOW`.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
}
