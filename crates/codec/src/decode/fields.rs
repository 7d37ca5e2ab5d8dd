//! What several layouts have in common. Nothing here trusts a count: memory grows with what has
//! really been read, and an allocation that is refused is an error.

use crate::{Error, RdbRead};
use redisai_core::{
    AlignedBytes, BackendKind, Buffer, DType, Device, Shape, Tensor, TensorError, zeros_and_ones,
};
use std::sync::Arc;

/// A dtype of its saved code and bits.
pub(super) fn dtype(code: u64, bits: u64) -> Result<DType, Error> {
    DType::from_code(code, bits).ok_or(Error::Damaged("dtype of a tensor"))
}

/// A shape of read dimensions.
pub(super) fn shape(dims: &[i64]) -> Result<Shape, Error> {
    Shape::new(dims).map_err(|_| Error::Damaged("dimensions of a tensor"))
}

/// A tensor over its blob; the elements of a STRING are found from their NULs.
pub(super) fn tensor(dtype: DType, shape: Shape, blob: Box<dyn Buffer>) -> Result<Tensor, Error> {
    let blob = if dtype == DType::Bool {
        zeros_and_ones(blob).ok_or(Error::Memory)?
    } else {
        blob
    };
    Tensor::new(dtype, shape, blob).map_err(|error| refused(error, "length of a tensor's data"))
}

/// Why a tensor was not made.
pub(super) fn refused(error: TensorError, what: &'static str) -> Error {
    match error {
        TensorError::Memory => Error::Memory,
        _ => Error::Damaged(what),
    }
}

/// A number that a command could have set: none is above the largest signed one.
pub(super) fn number(input: &mut impl RdbRead) -> Result<u64, Error> {
    Ok(input.unsigned()?.min(i64::MAX as u64))
}

/// The framework of a model.
pub(super) fn backend(input: &mut impl RdbRead) -> Result<BackendKind, Error> {
    BackendKind::from_code(input.unsigned()?).ok_or(Error::Damaged("backend of a model"))
}

/// A device: any text, since RedisAI took many.
pub(super) fn device(input: &mut impl RdbRead) -> Result<Device, Error> {
    text(input).map(Device::from)
}

/// A string that was saved without a NUL.
pub(super) fn string(input: &mut impl RdbRead) -> Result<Box<[u8]>, Error> {
    owned(input.bytes()?.bytes())
}

/// A C string that was saved with its NUL.
pub(super) fn text(input: &mut impl RdbRead) -> Result<Box<[u8]>, Error> {
    let field = input.bytes()?;
    let bytes = field.bytes();
    owned(bytes.strip_suffix(b"\0").unwrap_or(bytes))
}

/// What a script consists of ends at its first NUL, for RedisAI and in our commands.
fn c_string(input: &mut impl RdbRead) -> Result<Box<[u8]>, Error> {
    let field = input.bytes()?;
    let mut parts = field.bytes().split(|&byte| byte == 0);
    owned(parts.next().unwrap_or_default())
}

/// The source of a script.
pub(super) fn source(input: &mut impl RdbRead) -> Result<Arc<dyn Buffer>, Error> {
    c_string(input).map(|source| Arc::new(source.into_vec()) as _)
}

/// A count, and as many names.
pub(super) fn names(input: &mut impl RdbRead) -> Result<Vec<Box<[u8]>>, Error> {
    list(input, text)
}

/// A count, and as many entry points of a script.
pub(super) fn entry_points(input: &mut impl RdbRead) -> Result<Vec<Box<[u8]>>, Error> {
    list(input, c_string)
}

fn list<R: RdbRead>(
    input: &mut R,
    item: impl Fn(&mut R) -> Result<Box<[u8]>, Error>,
) -> Result<Vec<Box<[u8]>>, Error> {
    let count = input.unsigned()?;
    let mut items = Vec::new();
    for _ in 0..count {
        push(&mut items, item(input)?)?;
    }
    Ok(items)
}

/// A blob in chunks: its length, their number, the chunks. A blob in one chunk is not copied.
pub(super) fn chunks(input: &mut impl RdbRead) -> Result<Arc<dyn Buffer>, Error> {
    const WRONG: Error = Error::Damaged("chunks of a model");
    let length = usize::try_from(input.unsigned()?).map_err(|_| WRONG)?;
    let count = input.unsigned()?;
    let mut chunks = Vec::new();
    let mut total = 0_usize;
    for _ in 0..count {
        let chunk = input.bytes()?;
        total = total.checked_add(chunk.bytes().len()).ok_or(WRONG)?;
        if total > length {
            return Err(WRONG);
        }
        if !chunk.bytes().is_empty() {
            push(&mut chunks, chunk)?;
        }
    }
    if total != length {
        return Err(WRONG);
    }
    if chunks.len() == 1 {
        return chunks.pop().map(Arc::from).ok_or(WRONG);
    }
    join(chunks, length)
}

/// One blob of all chunks, `length` bytes together. Each chunk is released as soon as it is copied:
/// the memory of a big model is not needed twice.
fn join(chunks: Vec<Box<dyn Buffer>>, length: usize) -> Result<Arc<dyn Buffer>, Error> {
    let mut joined = AlignedBytes::try_zeroed(length).ok_or(Error::Memory)?;
    let mut rest = joined.bytes_mut();
    for chunk in chunks {
        let (place, behind) = rest
            .split_at_mut_checked(chunk.bytes().len())
            .ok_or(Error::Damaged("chunks of a model"))?;
        place.copy_from_slice(chunk.bytes());
        rest = behind;
    }
    Ok(Arc::new(joined))
}

/// Appends to a list whose length a file claims.
pub(super) fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), Error> {
    list.try_reserve(1).map_err(|_| Error::Memory)?;
    list.push(item);
    Ok(())
}

fn owned(bytes: &[u8]) -> Result<Box<[u8]>, Error> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())
        .map_err(|_| Error::Memory)?;
    copy.extend_from_slice(bytes);
    Ok(copy.into())
}
