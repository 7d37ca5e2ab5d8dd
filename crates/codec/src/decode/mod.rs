//! The fields of an RDB payload to values, by encoding version.

mod v4;

use crate::{Error, RdbRead};
use redisai_core::{AlignedBytes, Buffer, DType, ModelDef, Shape, Tensor, zeros_and_ones};
use std::sync::Arc;

/// Reads a tensor of this encoding version.
pub fn decode_tensor(input: &mut impl RdbRead, version: i32) -> Result<Tensor, Error> {
    match version {
        4 => v4::tensor(input),
        other => Err(Error::Version(other)),
    }
}

/// Reads a model of this encoding version.
pub fn decode_model(input: &mut impl RdbRead, version: i32) -> Result<ModelDef, Error> {
    match version {
        4 => v4::model(input),
        other => Err(Error::Version(other)),
    }
}

/// A shape of read dimensions.
fn shape(dims: &[i64]) -> Result<Shape, Error> {
    Shape::new(dims).map_err(|_| Error::Damaged("dimensions of a tensor"))
}

/// A numeric or BOOL tensor.
fn numeric(dtype: DType, shape: Shape, blob: Box<dyn Buffer>) -> Result<Tensor, Error> {
    let blob = if dtype == DType::Bool {
        zeros_and_ones(blob)
    } else {
        blob
    };
    Tensor::new(dtype, shape, blob).map_err(|_| Error::Damaged("length of a tensor's data"))
}

/// A STRING tensor of read offsets, one an element. Where they disagree with the blob (RedisAI
/// wrote wrong ones for slices), elements are found again from their NULs.
fn strings(shape: Shape, blob: Box<dyn Buffer>, mut offsets: Vec<u64>) -> Result<Tensor, Error> {
    offsets.push(blob.bytes().len() as u64);
    Tensor::with_saved_offsets(shape, blob, offsets.into())
        .map_err(|_| Error::Damaged("elements of a STRING tensor"))
}

/// A C string that was saved with its NUL.
fn text(input: &mut impl RdbRead) -> Result<Box<[u8]>, Error> {
    let field = input.bytes()?;
    let bytes = field.bytes();
    Ok(bytes.strip_suffix(b"\0").unwrap_or(bytes).into())
}

/// A count, and as many C strings.
fn names(input: &mut impl RdbRead) -> Result<Vec<Box<[u8]>>, Error> {
    let count = input.unsigned()?;
    // Grows with what is really read: the count may lie.
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(text(input)?);
    }
    Ok(names)
}

/// A blob in chunks: its length, their number, the chunks. A blob in one chunk is not copied.
fn chunks(input: &mut impl RdbRead) -> Result<Arc<dyn Buffer>, Error> {
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
            chunks.push(chunk);
        }
    }
    if total != length {
        return Err(WRONG);
    }
    if chunks.len() == 1 {
        return chunks.pop().map(Arc::from).ok_or(WRONG);
    }
    Ok(Arc::new(AlignedBytes::join(
        chunks.iter().map(|chunk| chunk.bytes()),
    )))
}
