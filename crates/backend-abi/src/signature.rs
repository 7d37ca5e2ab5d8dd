//! Signatures across the border.

use crate::text::slice_of;
use crate::{
    DLDataType, RAI_CONTROL_FLOW, RAI_VALUE_OTHER, RAI_VALUE_TENSOR, RAI_VALUE_ZIPMAP,
    RAI_VARIADIC_INPUTS, RAI_VARIADIC_OUTPUTS, RaiBytes, RaiFunction, RaiSignature, RaiValueInfo,
};
use redisai_core::{Function, Signature, ValueInfo, ValueKind};
use std::ptr;

/// A signature in the form of the ABI, with everything that it points at.
pub struct ExportedSignature {
    raw: Box<RaiSignature>,
    _functions: Vec<RaiFunction>,
    _values: Vec<Vec<RaiValueInfo>>,
    _dims: Vec<Vec<i64>>,
    _classes: Vec<Vec<RaiBytes>>,
    _signature: Box<Signature>,
}

impl ExportedSignature {
    /// The form of `signature`.
    pub fn new(signature: Signature) -> Self {
        let signature = Box::new(signature);
        let mut parts = Parts::default();
        let functions: Vec<RaiFunction> = signature
            .functions
            .iter()
            .map(|function| parts.function(function))
            .collect();
        let raw = Box::new(RaiSignature {
            functions: functions.as_ptr(),
            n_functions: functions.len(),
            flags: flag(signature.control_flow, RAI_CONTROL_FLOW),
            reserved: 0,
        });
        Self {
            raw,
            _functions: functions,
            _values: parts.values,
            _dims: parts.dims,
            _classes: parts.classes,
            _signature: signature,
        }
    }

    /// Its address, good as long as this value lives.
    pub fn raw(&self) -> *const RaiSignature {
        &raw const *self.raw
    }
}

/// The vectors that the structs point into. A vector that moves keeps its heap memory in place.
#[derive(Default)]
struct Parts {
    values: Vec<Vec<RaiValueInfo>>,
    dims: Vec<Vec<i64>>,
    classes: Vec<Vec<RaiBytes>>,
}

impl Parts {
    fn function(&mut self, function: &Function) -> RaiFunction {
        let (inputs, n_inputs) = self.values(&function.inputs);
        let (outputs, n_outputs) = self.values(&function.outputs);
        RaiFunction {
            name: RaiBytes::of(&function.name),
            inputs,
            n_inputs,
            outputs,
            n_outputs,
            flags: flag(function.variadic_inputs, RAI_VARIADIC_INPUTS)
                | flag(function.variadic_outputs, RAI_VARIADIC_OUTPUTS),
            reserved: 0,
        }
    }

    fn values(&mut self, values: &[ValueInfo]) -> (*const RaiValueInfo, usize) {
        let values: Vec<RaiValueInfo> = values.iter().map(|value| self.value(value)).collect();
        let place = (values.as_ptr(), values.len());
        self.values.push(values);
        place
    }

    fn value(&mut self, value: &ValueInfo) -> RaiValueInfo {
        let (rank, dims) = match &value.dims {
            None => (-1, ptr::null()),
            Some(dims) => {
                let dims: Vec<i64> = dims.iter().map(|dim| dim.unwrap_or(-1)).collect();
                let place = (dims.len() as i32, dims.as_ptr());
                self.dims.push(dims);
                place
            }
        };
        let classes: Vec<RaiBytes> = value.classes.iter().map(|it| RaiBytes::of(it)).collect();
        let (classes_at, n_classes) = (classes.as_ptr(), classes.len());
        self.classes.push(classes);
        RaiValueInfo {
            name: RaiBytes::of(&value.name),
            kind: match value.kind {
                ValueKind::Tensor => RAI_VALUE_TENSOR,
                ValueKind::ZipMap => RAI_VALUE_ZIPMAP,
                ValueKind::Other => RAI_VALUE_OTHER,
            },
            dtype: value
                .dtype
                .map_or(DLDataType::unknown(), DLDataType::from_dtype),
            rank,
            reserved: 0,
            dims,
            classes: classes_at,
            n_classes,
        }
    }
}

/// A copy of a signature.
///
/// # Safety
/// `signature` is null or filled as the ABI says.
pub unsafe fn import_signature(signature: *const RaiSignature) -> Signature {
    // SAFETY: the caller's promise.
    let Some(signature) = (unsafe { signature.as_ref() }) else {
        return Signature::default();
    };
    // SAFETY: the caller's promise.
    let functions = unsafe { slice_of(signature.functions, signature.n_functions) };
    Signature {
        functions: functions
            .iter()
            // SAFETY: the caller's promise.
            .map(|function| unsafe { import_function(function) })
            .collect(),
        control_flow: signature.flags & RAI_CONTROL_FLOW != 0,
    }
}

unsafe fn import_function(function: &RaiFunction) -> Function {
    // SAFETY: filled as the ABI says.
    unsafe {
        Function {
            name: function.name.as_slice().into(),
            inputs: import_values(function.inputs, function.n_inputs),
            outputs: import_values(function.outputs, function.n_outputs),
            variadic_inputs: function.flags & RAI_VARIADIC_INPUTS != 0,
            variadic_outputs: function.flags & RAI_VARIADIC_OUTPUTS != 0,
        }
    }
}

unsafe fn import_values(values: *const RaiValueInfo, len: usize) -> Vec<ValueInfo> {
    // SAFETY: filled as the ABI says.
    let values = unsafe { slice_of(values, len) };
    values
        .iter()
        .map(|value| {
            let rank = usize::try_from(value.rank).ok();
            // SAFETY: filled as the ABI says: `rank` dimensions, `n_classes` classes.
            let (name, dims, classes) = unsafe {
                (
                    value.name.as_slice(),
                    rank.map(|rank| slice_of(value.dims, rank)),
                    slice_of(value.classes, value.n_classes),
                )
            };
            ValueInfo {
                name: name.into(),
                kind: match value.kind {
                    RAI_VALUE_TENSOR => ValueKind::Tensor,
                    RAI_VALUE_ZIPMAP => ValueKind::ZipMap,
                    _ => ValueKind::Other,
                },
                dtype: value.dtype.to_dtype(),
                dims: dims.map(|dims| {
                    let known = |dim: &i64| (*dim >= 0).then_some(*dim);
                    dims.iter().map(known).collect()
                }),
                classes: classes
                    .iter()
                    // SAFETY: filled as the ABI says.
                    .map(|class| unsafe { class.as_slice() }.into())
                    .collect(),
            }
        })
        .collect()
}

fn flag(set: bool, bit: u32) -> u32 {
    if set { bit } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redisai_core::DType;

    #[test]
    fn signatures_round_trip() {
        let value = |name: &[u8], kind, dtype, dims| ValueInfo {
            name: name.into(),
            kind,
            dtype,
            dims,
            classes: Vec::new(),
        };
        let mut zipmap = value(b"p\xff", ValueKind::ZipMap, None, None);
        zipmap.classes = vec![b"cat".as_slice().into(), b"".as_slice().into()];
        let signature = Signature {
            functions: vec![
                Function {
                    name: b"f".as_slice().into(),
                    inputs: vec![
                        value(
                            b"x",
                            ValueKind::Tensor,
                            Some(DType::String),
                            Some(vec![None, Some(3)]),
                        ),
                        value(b"", ValueKind::Tensor, Some(DType::Float), Some(vec![])),
                    ],
                    outputs: vec![zipmap, value(b"o", ValueKind::Other, None, None)],
                    variadic_inputs: true,
                    variadic_outputs: false,
                },
                Function {
                    variadic_outputs: true,
                    ..Function::default()
                },
            ],
            control_flow: true,
        };
        let exported = ExportedSignature::new(signature.clone());
        // SAFETY: filled by `ExportedSignature`.
        assert_eq!(unsafe { import_signature(exported.raw()) }, signature);
        // SAFETY: null is allowed.
        let none = unsafe { import_signature(ptr::null()) };
        assert_eq!(none, Signature::default());
    }
}
