//! Memory of tensors and blobs.

use bytemuck::{Pod, Zeroable};
use std::any::Any;

/// Bytes that somebody keeps: immutable, readable from any thread, at one address until dropped.
///
/// Dropping may happen on any thread; a buffer whose memory may only be released on a certain one
/// passes itself on.
pub trait Buffer: Send + Sync + 'static {
    /// The bytes. No alignment is promised: a held command argument never has one.
    fn bytes(&self) -> &[u8];

    /// How many bytes behind the end may be read (some kernels read past it).
    fn tail(&self) -> usize {
        0
    }

    /// Bytes of memory that live as long as this buffer does.
    fn held(&self) -> usize {
        self.bytes().len()
    }

    /// Whether the memory is a framework's own, which this process's allocator does not count. Such
    /// a buffer is copied before its tensor becomes a key.
    fn is_foreign(&self) -> bool {
        false
    }

    /// The buffer itself, for the crate that made it.
    fn as_any(&self) -> &dyn Any;
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Owned bytes, aligned to 64, zeroed up to the next multiple of 64.
pub struct AlignedBytes {
    lines: Vec<Line>,
    len: usize,
}

impl AlignedBytes {
    /// Alignment of the first byte.
    pub const ALIGN: usize = 64;

    /// `len` zero bytes.
    pub fn zeroed(len: usize) -> Self {
        Self {
            lines: bytemuck::zeroed_vec(len.div_ceil(Self::ALIGN)),
            len,
        }
    }

    /// `len` zero bytes, or `None` where the allocator refuses.
    pub fn try_zeroed(len: usize) -> Option<Self> {
        let lines = bytemuck::allocation::try_zeroed_vec(len.div_ceil(Self::ALIGN)).ok()?;
        Some(Self { lines, len })
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut copy = Self::zeroed(bytes.len());
        copy.bytes_mut().copy_from_slice(bytes);
        copy
    }

    /// One copy of all parts, in order.
    pub fn join<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let total = parts.clone().map(<[u8]>::len).sum();
        let mut joined = Self::zeroed(total);
        let mut rest = joined.bytes_mut();
        for part in parts {
            // The length is the sum of the parts, so each one fits.
            let Some((place, behind)) = rest.split_at_mut_checked(part.len()) else {
                break;
            };
            place.copy_from_slice(part);
            rest = behind;
        }
        joined
    }

    /// The bytes, to fill them before they are shared.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let all: &mut [u8] = bytemuck::cast_slice_mut(&mut self.lines);
        all.get_mut(..self.len).unwrap_or_default()
    }
}

impl Buffer for AlignedBytes {
    fn bytes(&self) -> &[u8] {
        let all: &[u8] = bytemuck::cast_slice(&self.lines);
        all.get(..self.len).unwrap_or_default()
    }

    fn tail(&self) -> usize {
        self.lines.len() * Self::ALIGN - self.len
    }

    fn held(&self) -> usize {
        self.lines.len() * Self::ALIGN
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// The buffer itself where all bytes are 0 or 1, else a copy in which every other byte is 1: BOOL
/// data of RedisAI, which did not check all of it. `None` where the allocator refuses the copy.
pub fn zeros_and_ones(buffer: Box<dyn Buffer>) -> Option<Box<dyn Buffer>> {
    if buffer.bytes().iter().all(|&byte| byte <= 1) {
        return Some(buffer);
    }
    let mut copy = AlignedBytes::try_zeroed(buffer.bytes().len())?;
    for (byte, &saved) in copy.bytes_mut().iter_mut().zip(buffer.bytes()) {
        *byte = saved.min(1);
    }
    Some(Box::new(copy))
}

impl Buffer for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn held(&self) -> usize {
        self.capacity()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned_bytes_are_aligned_and_zeroed() {
        for len in [0, 1, 63, 64, 65, 1000] {
            let zeroed = AlignedBytes::try_zeroed(len).unwrap();
            assert_eq!(zeroed.bytes(), vec![0; len]);
            assert_eq!(zeroed.bytes().as_ptr() as usize % 64, 0);
            assert_eq!(zeroed.tail() + len, zeroed.held());
            let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
            assert_eq!(AlignedBytes::copy_of(&data).bytes(), data);
        }
    }

    #[test]
    fn parts_are_joined_in_order() {
        let join = |parts: &[&[u8]]| AlignedBytes::join(parts.iter().copied()).bytes().to_vec();
        assert_eq!(join(&[b"ab", b"", b"c"]), b"abc");
        assert_eq!(join(&[]), b"");
    }

    #[test]
    fn bytes_above_one_become_one() {
        let mended = zeros_and_ones(Box::new(vec![0_u8, 1, 2, 255])).unwrap();
        assert_eq!(mended.bytes(), [0, 1, 1, 1]);
        let good = vec![0_u8, 1];
        let place = good.as_ptr();
        let same = zeros_and_ones(Box::new(good)).unwrap();
        assert_eq!(same.bytes().as_ptr(), place);
    }

    #[test]
    fn a_refused_allocation_is_no_abort() {
        assert!(AlignedBytes::try_zeroed(isize::MAX as usize - 64).is_none());
    }
}
