//! Copies of inputs for a backend that asks for alignment or for readable bytes behind the end.

use redisai_core::{AlignedBytes, BackendError, Buffer, Status, Tensor};
use std::any::Any;
use std::sync::Arc;

/// Bytes that begin at an aligned place within their memory.
struct Padded {
    memory: AlignedBytes,
    start: usize,
    len: usize,
}

impl Padded {
    /// A copy of `bytes` at a multiple of `align`, with `tail` readable bytes behind it.
    fn copy_of(bytes: &[u8], align: usize, tail: usize) -> Option<Self> {
        let extra = align.saturating_sub(AlignedBytes::ALIGN);
        let size = bytes.len().checked_add(tail)?.checked_add(extra)?;
        let mut memory = AlignedBytes::zeroed(size);
        let start = memory.bytes().as_ptr().align_offset(align.max(1));
        let place = memory.bytes_mut().get_mut(start..)?;
        place.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self {
            memory,
            start,
            len: bytes.len(),
        })
    }
}

impl Buffer for Padded {
    fn bytes(&self) -> &[u8] {
        let all = self.memory.bytes();
        all.get(self.start..self.start + self.len)
            .unwrap_or_default()
    }

    fn tail(&self) -> usize {
        self.memory.held() - self.start - self.len
    }

    fn held(&self) -> usize {
        self.memory.held()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A tensor with the same elements, aligned and with a tail. `align` is a power of two.
pub(crate) fn aligned_copy(
    tensor: &Tensor,
    align: usize,
    tail: usize,
) -> Result<Arc<Tensor>, BackendError> {
    let refused = |why: &str| {
        BackendError::new(
            Status::BadInput,
            format!("ERR input cannot be copied: {why}"),
        )
    };
    let data = Padded::copy_of(tensor.bytes(), align, tail);
    let data: Box<dyn Buffer> = Box::new(data.ok_or_else(|| refused("it is too large"))?);
    let shape = tensor.shape().clone();
    match tensor.offsets() {
        Some(offsets) => Tensor::with_offsets(shape, data, offsets.into()),
        None => Tensor::new(tensor.dtype(), shape, data),
    }
    .map(Arc::new)
    .map_err(|error| refused(&format!("{error:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use redisai_core::{DType, Shape};

    #[test]
    fn copies_are_aligned_with_a_tail_and_equal() {
        let shape = Shape::new(&[3]).unwrap();
        let data = vec![1, 2, 3];
        let numbers = Tensor::new(DType::UInt8, shape.clone(), Box::new(data)).unwrap();
        let strings = Tensor::from_strings(shape, &[b"a", b"", b"b\0c"]).unwrap();
        for (align, tail) in [(0, 1), (1, 0), (64, 64), (256, 100), (4096, 0)] {
            for tensor in [&numbers, &strings] {
                let copy = aligned_copy(tensor, align, tail).unwrap();
                assert_eq!(copy.bytes(), tensor.bytes());
                assert_eq!(copy.offsets(), tensor.offsets());
                assert_eq!(copy.bytes().as_ptr().align_offset(align.max(1)), 0);
                assert!(copy.buffer().tail() >= tail);
            }
        }
    }
}
