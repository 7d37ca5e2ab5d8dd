//! Version 4: RedisAI 1.2.5 and later, and this project. Tensors are compact, STRING among them.

use super::fields::{dtype, push, refused, shape, tensor as make};
use crate::{Error, RdbRead};
use redisai_core::{DType, Tensor};

const STRINGS: &str = "elements of a STRING tensor";

pub(super) fn tensor(input: &mut impl RdbRead) -> Result<Tensor, Error> {
    let code = input.unsigned()?;
    let dtype = dtype(code, input.unsigned()?)?;
    let rank = input.signed()?;
    if rank < 0 {
        return Err(Error::Damaged("number of dimensions of a tensor"));
    }
    let mut dims = Vec::new();
    for _ in 0..rank {
        push(&mut dims, input.signed()?)?;
    }
    let shape = shape(&dims)?;
    let blob = input.bytes()?;
    if dtype != DType::String {
        return make(dtype, shape, blob);
    }
    // Each element takes a byte at least, so the blob bounds the offsets.
    if shape.elements() > blob.bytes().len() {
        return Err(Error::Damaged(STRINGS));
    }
    let mut offsets = Vec::new();
    for _ in 0..shape.elements() {
        push(&mut offsets, input.unsigned()?)?;
    }
    push(&mut offsets, blob.bytes().len() as u64)?;
    // Where they disagree with the blob (RedisAI wrote wrong ones for slices), elements are found
    // again from their NULs.
    Tensor::with_saved_offsets(shape, blob, offsets.into()).map_err(|error| refused(error, STRINGS))
}
