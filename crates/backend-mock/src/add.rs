//! The element-wise sum.

use crate::model::bad_input;
use bytemuck::{AnyBitPattern, NoUninit};
use redisai_backend_abi::{Host, HostBytes, no_memory};
use redisai_core::{BackendError, DType, Status, Tensor};
use std::sync::Arc;

/// The sum of tensors of one dtype and shape, in the host's memory.
pub(crate) fn sum(host: Host, inputs: &[Arc<Tensor>]) -> Result<Arc<Tensor>, BackendError> {
    let (first, rest) = inputs
        .split_first()
        .ok_or_else(|| bad_input("ERR mock: nothing to add".to_owned()))?;
    if rest
        .iter()
        .any(|input| input.dtype() != first.dtype() || input.shape() != first.shape())
    {
        return Err(bad_input("ERR mock: inputs of different kinds".to_owned()));
    }
    let add = adder(first.dtype())?;
    let size = first.bytes().len();
    let mut total = HostBytes::copy_of(host, first.bytes()).ok_or_else(|| no_memory(size))?;
    for input in rest {
        add(total.bytes_mut(), input.bytes());
    }
    Tensor::new(first.dtype(), first.shape().clone(), Box::new(total))
        .map(Arc::new)
        .map_err(|error| bad_input(format!("ERR mock: {error:?}")))
}

type Adder = fn(&mut [u8], &[u8]);

fn adder(dtype: DType) -> Result<Adder, BackendError> {
    Ok(match dtype {
        DType::Float => |to, from| add(to, from, |a: f32, b| a + b),
        DType::Double => |to, from| add(to, from, |a: f64, b| a + b),
        DType::Int8 => |to, from| add(to, from, i8::wrapping_add),
        DType::Int16 => |to, from| add(to, from, i16::wrapping_add),
        DType::Int32 => |to, from| add(to, from, i32::wrapping_add),
        DType::Int64 => |to, from| add(to, from, i64::wrapping_add),
        DType::UInt8 => |to, from| add(to, from, u8::wrapping_add),
        DType::UInt16 => |to, from| add(to, from, u16::wrapping_add),
        DType::UInt32 => |to, from| add(to, from, u32::wrapping_add),
        DType::UInt64 => |to, from| add(to, from, u64::wrapping_add),
        DType::Float16 | DType::BFloat16 | DType::Bool | DType::String => {
            let text = format!("ERR mock: {} cannot be added", dtype.name());
            return Err(BackendError::new(Status::Unsupported, text));
        }
    })
}

/// Adds element by element. The other side's bytes have no promised alignment.
fn add<T: AnyBitPattern + NoUninit>(to: &mut [u8], from: &[u8], plus: impl Fn(T, T) -> T) {
    let pairs = to.chunks_exact_mut(size_of::<T>());
    for (to, from) in pairs.zip(from.chunks_exact(size_of::<T>())) {
        let sum = plus(
            bytemuck::pod_read_unaligned(to),
            bytemuck::pod_read_unaligned(from),
        );
        to.copy_from_slice(bytemuck::bytes_of(&sum));
    }
}
