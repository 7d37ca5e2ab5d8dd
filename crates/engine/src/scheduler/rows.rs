//! Joining inputs of several requests along dimension 0, and splitting outputs again.

use crate::{Inputs, Request};
use redisai_core::{
    AlignedBytes, BackendError, BackendKind, DType, RunOutput, Shape, Status, Tensor,
};
use smallvec::SmallVec;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, OnceLock};

/// Dimension 0 of the inputs where they agree on one of 1 or more; 0: the request runs alone.
pub(crate) fn rows_of(inputs: &Inputs) -> u64 {
    let mut rows = inputs.iter().map(|input| {
        let first = input.shape().dims().first().copied();
        first.and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0)
    });
    let first = rows.next().unwrap_or(0);
    if rows.all(|other| other == first) {
        first
    } else {
        0
    }
}

/// A number that requests to one model share which can be joined: number of inputs and outputs,
/// dtypes, and shapes but for dimension 0. The hash has a key that nobody can know, and [`join`]
/// compares again.
pub(crate) fn class_of(request: &Request) -> u64 {
    static HASHER: OnceLock<RandomState> = OnceLock::new();
    let mut hash = HASHER.get_or_init(RandomState::new).build_hasher();
    (request.inputs.len(), request.outputs).hash(&mut hash);
    for input in &request.inputs {
        input.dtype().hash(&mut hash);
        input
            .shape()
            .dims()
            .get(1..)
            .unwrap_or_default()
            .hash(&mut hash);
    }
    hash.finish()
}

/// The inputs of all members in one tensor each, 64-byte aligned. `None`: the allocator refuses, or
/// they do not fit together.
pub(crate) fn join(members: &[&Inputs]) -> Option<Inputs> {
    let first = members.first()?;
    (0..first.len())
        .map(|place| {
            let parts: Option<SmallVec<[&Tensor; 32]>> = members
                .iter()
                .map(|inputs| inputs.get(place).map(Arc::as_ref))
                .collect();
            join_tensors(&parts?).map(Arc::new)
        })
        .collect()
}

fn join_tensors(parts: &[&Tensor]) -> Option<Tensor> {
    let (first, row) = (parts.first()?, parts.first()?.shape().dims().get(1..)?);
    let (mut rows, mut bytes) = (0_i64, 0_usize);
    for part in parts {
        let (&own, rest) = part.shape().dims().split_first()?;
        if rest != row || part.dtype() != first.dtype() {
            return None;
        }
        rows = rows.checked_add(own)?;
        bytes = bytes.checked_add(part.bytes().len())?;
    }
    let mut data = AlignedBytes::try_zeroed(bytes)?;
    let mut rest = data.bytes_mut();
    for part in parts {
        let (place, behind) = rest.split_at_mut_checked(part.bytes().len())?;
        place.copy_from_slice(part.bytes());
        rest = behind;
    }
    let shape = with_rows(rows, row)?;
    if first.dtype() != DType::String {
        return Tensor::new(first.dtype(), shape, Box::new(data)).ok();
    }
    let mut offsets = Vec::new();
    offsets
        .try_reserve_exact(shape.elements().checked_add(1)?)
        .ok()?;
    let mut base = 0;
    for part in parts {
        let own = part.offsets()?;
        let starts = own.get(..own.len().checked_sub(1)?)?;
        offsets.extend(starts.iter().map(|start| start + base));
        base += part.bytes().len() as u64;
    }
    offsets.push(base);
    Tensor::with_offsets(shape, Box::new(data), offsets.into()).ok()
}

fn with_rows(rows: i64, row: &[i64]) -> Option<Shape> {
    let mut dims: SmallVec<[i64; 6]> = SmallVec::new();
    dims.push(rows);
    dims.extend_from_slice(row);
    Shape::new(&dims).ok()
}

/// Whether every output has as many rows as the inputs had.
pub(crate) fn have_rows(outputs: &RunOutput, rows: u64) -> bool {
    outputs.iter().flatten().all(|output| {
        let first = output.shape().dims().first().copied();
        first.and_then(|first| u64::try_from(first).ok()) == Some(rows)
    })
}

/// The error of outputs that have not, in the contract's words.
pub(crate) fn wrong_rows(kind: BackendKind) -> BackendError {
    let text = match kind {
        BackendKind::Tf => {
            "ERR Tensorflow batching error: model did not generate the expected batch size"
        }
        _ => "ERR Model did not generate the expected batch size",
    };
    BackendError::new(Status::RunFailed, text)
}

/// Copies of `rows` rows of each output from row `from` on: a key that keeps them keeps no batch.
/// `None` stays `None`.
pub(crate) fn slice(outputs: &RunOutput, from: u64, rows: u64) -> Result<RunOutput, BackendError> {
    let copied: Option<RunOutput> = outputs
        .iter()
        .map(|output| match output {
            None => Some(None),
            Some(output) => slice_tensor(output, from, rows).map(|copy| Some(Arc::new(copy))),
        })
        .collect();
    copied.ok_or_else(|| {
        BackendError::new(
            Status::NoMemory,
            "ERR Not enough memory for the outputs of a batch",
        )
    })
}

fn slice_tensor(tensor: &Tensor, from: u64, rows: u64) -> Option<Tensor> {
    let row = tensor.shape().dims().get(1..)?;
    let shape = with_rows(i64::try_from(rows).ok()?, row)?;
    // Elements of one row.
    let row = with_rows(1, row)?.elements();
    let first = usize::try_from(from).ok()?.checked_mul(row)?;
    let last = first.checked_add(shape.elements())?;
    let Some(offsets) = tensor.offsets() else {
        let size = tensor.dtype().size();
        let range = first.checked_mul(size)?..last.checked_mul(size)?;
        let bytes = tensor.bytes().get(range)?;
        return Tensor::new(tensor.dtype(), shape, copy(bytes)?).ok();
    };
    let own = offsets.get(first..=last)?;
    let (&start, &end) = (own.first()?, own.last()?);
    let bytes = tensor.bytes().get(start as usize..end as usize)?;
    let mut moved = Vec::new();
    moved.try_reserve_exact(own.len()).ok()?;
    moved.extend(own.iter().map(|offset| offset - start));
    Tensor::with_offsets(shape, copy(bytes)?, moved.into()).ok()
}

fn copy(bytes: &[u8]) -> Option<Box<AlignedBytes>> {
    let mut copy = AlignedBytes::try_zeroed(bytes.len())?;
    copy.bytes_mut().copy_from_slice(bytes);
    Some(Box::new(copy))
}

#[cfg(test)]
mod tests;
