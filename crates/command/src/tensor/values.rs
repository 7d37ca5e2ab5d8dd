//! Tensors from one argument an element.

use super::Limits;
use crate::{Error, number};
use redisai_core::{AlignedBytes, DType, Shape, Tensor};

/// A tensor of `values`, which are as many as the shape has elements.
pub(super) fn from_values(
    dtype: DType,
    shape: Shape,
    values: &[&[u8]],
    limits: &Limits,
) -> Result<Tensor, Error> {
    if dtype == DType::String {
        return from_c_strings(shape, values, limits);
    }
    let bytes = shape.bytes(dtype.size()).map_err(|_| limits.too_large())?;
    limits.check(dtype, shape.elements(), bytes)?;
    let mut data = AlignedBytes::try_zeroed(bytes).ok_or(Error::OutOfMemory)?;
    write(dtype, values, data.bytes_mut()).ok_or(Error::InvalidValue)?;
    Tensor::new(dtype, shape, Box::new(data)).map_err(|_| Error::InvalidValue)
}

/// Writes the values; `None` where one is not of the dtype.
fn write(dtype: DType, values: &[&[u8]], out: &mut [u8]) -> Option<()> {
    use number::{double, integer, natural, to_bf16, to_f16};
    match dtype {
        DType::Float => fill(values, out, |v| Some((double(v)? as f32).to_ne_bytes())),
        DType::Double => fill(values, out, |v| Some(double(v)?.to_ne_bytes())),
        DType::Float16 => fill(values, out, |v| Some(to_f16(double(v)?).to_ne_bytes())),
        DType::BFloat16 => fill(values, out, |v| Some(to_bf16(double(v)?).to_ne_bytes())),
        DType::Int8 => fill(values, out, |v| {
            Some(i8::try_from(integer(v)?).ok()?.to_ne_bytes())
        }),
        DType::Int16 => fill(values, out, |v| {
            Some(i16::try_from(integer(v)?).ok()?.to_ne_bytes())
        }),
        DType::Int32 => fill(values, out, |v| {
            Some(i32::try_from(integer(v)?).ok()?.to_ne_bytes())
        }),
        DType::Int64 => fill(values, out, |v| Some(integer(v)?.to_ne_bytes())),
        DType::UInt8 => fill(values, out, |v| {
            Some(u8::try_from(natural(v)?).ok()?.to_ne_bytes())
        }),
        DType::UInt16 => fill(values, out, |v| {
            Some(u16::try_from(natural(v)?).ok()?.to_ne_bytes())
        }),
        DType::UInt32 => fill(values, out, |v| {
            Some(u32::try_from(natural(v)?).ok()?.to_ne_bytes())
        }),
        DType::UInt64 => fill(values, out, |v| Some(natural(v)?.to_ne_bytes())),
        DType::Bool => fill(values, out, |v| match v {
            b"0" => Some([0]),
            b"1" => Some([1]),
            _ => None,
        }),
        // Strings have no fixed size and never come here.
        DType::String => None,
    }
}

fn fill<const N: usize>(
    values: &[&[u8]],
    out: &mut [u8],
    read: impl Fn(&[u8]) -> Option<[u8; N]>,
) -> Option<()> {
    let (places, _) = out.as_chunks_mut::<N>();
    for (place, value) in places.iter_mut().zip(values) {
        *place = read(value)?;
    }
    Some(())
}

/// `VALUES` of a `STRING`: C strings. A NUL at the end is the string's end, inside it is an error.
fn from_c_strings(shape: Shape, values: &[&[u8]], limits: &Limits) -> Result<Tensor, Error> {
    let mut elements = Vec::with_capacity(values.len());
    for value in values {
        let element = value.strip_suffix(b"\0").unwrap_or(value);
        if memchr::memchr(0, element).is_some() {
            return Err(Error::InnerNul);
        }
        elements.push(element);
    }
    from_bytes(shape, &elements, limits)
}

/// `BYTES`: each argument is an element as it is.
pub(super) fn from_bytes(
    shape: Shape,
    elements: &[&[u8]],
    limits: &Limits,
) -> Result<Tensor, Error> {
    let bytes = elements
        .iter()
        .try_fold(0_usize, |sum, element| {
            sum.checked_add(element.len())?.checked_add(1)
        })
        .ok_or_else(|| limits.too_large())?;
    limits.check(DType::String, shape.elements(), bytes)?;
    Tensor::from_strings(shape, elements).map_err(|_| Error::ValuesCount)
}
