//! Tensors of strings: TensorFlow's are objects of its own.

use crate::environment::Environment;
use crate::handles::Value;
use crate::sys::{Api, TString};
use crate::tensor::{malformed, type_of};
use redisai_backend_abi::{HostBytes, no_memory, slice_of};
use redisai_core::{BackendError, DType, Shape, Tensor};
use std::ffi::c_void;
use std::sync::Arc;

/// The strings of an input: freed by TensorFlow's last use of them, which a variable may keep.
struct Strings {
    api: &'static Api,
    elements: Vec<TString>,
}

impl Drop for Strings {
    fn drop(&mut self) {
        for element in &mut self.elements {
            // SAFETY: made by `input`, freed once.
            unsafe { (self.api.string_free)(element) };
        }
    }
}

/// An input of strings, any bytes; copied.
pub(crate) fn input(
    environment: &'static Environment,
    tensor: &Tensor,
) -> Result<Value, BackendError> {
    let api = environment.api;
    let dims = tensor.shape().dims();
    let mut strings = Box::new(Strings {
        api,
        elements: Vec::with_capacity(tensor.shape().elements()),
    });
    for element in tensor.strings() {
        let mut made = std::mem::MaybeUninit::<TString>::uninit();
        // SAFETY: the first call makes an empty string of the place, which the second fills with a copy.
        let made = unsafe {
            (api.string_init)(made.as_mut_ptr());
            (api.string_copy)(made.as_mut_ptr(), element.as_ptr().cast(), element.len());
            made.assume_init()
        };
        strings.elements.push(made);
    }
    let len = size_of_val(strings.elements.as_slice());
    let data = strings.elements.as_mut_ptr().cast::<c_void>();
    let held = Box::into_raw(strings).cast::<c_void>();
    let rank = i32::try_from(dims.len()).unwrap_or(0);
    // SAFETY: the strings live in the box, which does not move, until `release` frees it.
    let raw = unsafe {
        let kind = type_of(DType::String);
        (api.new_tensor)(kind, dims.as_ptr(), rank, data, len, release, held)
    };
    // SAFETY: null, or a tensor that is ours.
    unsafe { Value::take(api, raw) }.ok_or_else(|| no_memory(len))
}

/// Frees the strings of an input.
unsafe extern "C" fn release(_: *mut c_void, _: usize, held: *mut c_void) {
    // SAFETY: from `Box::into_raw` of `input`, given back once.
    drop(unsafe { Box::from_raw(held.cast::<Strings>()) });
}

/// An output of strings.
pub(crate) fn output(
    environment: &'static Environment,
    value: &Value,
    shape: Shape,
) -> Result<Arc<Tensor>, BackendError> {
    let api = environment.api;
    let raw = value.as_ptr();
    // SAFETY: the tensor is valid; its data are the strings, as many as its bytes hold.
    let strings = unsafe {
        let count = (api.tensor_bytes)(raw) / size_of::<TString>();
        slice_of((api.tensor_data)(raw).cast::<TString>().cast_const(), count)
    };
    let elements = strings.iter().take(shape.elements()).map(|string| {
        // SAFETY: a string of a valid tensor, which nobody changes.
        unsafe {
            let len = (api.string_len)(string);
            slice_of((api.string_data)(string).cast::<u8>(), len)
        }
    });
    let total = elements.clone().map(|element| element.len() + 1).sum();
    let mut data = HostBytes::zeroed(environment.host, total).ok_or_else(|| no_memory(total))?;
    let mut offsets = Vec::with_capacity(shape.elements() + 1);
    let mut at = 0;
    for element in elements {
        offsets.push(at as u64);
        if let Some(place) = data.bytes_mut().get_mut(at..at + element.len()) {
            place.copy_from_slice(element);
        }
        // The NUL behind each element is there already.
        at += element.len() + 1;
    }
    offsets.push(at as u64);
    let made = Tensor::with_offsets(shape, Box::new(data), offsets.into());
    made.map(Arc::new).map_err(malformed)
}
