//! Tensors: typed, shaped, immutable bytes.

use crate::{AlignedBytes, Buffer, DType, Shape, ShapeError};
use std::fmt;

/// An n-dimensional array: row-major, compact, in host memory, host byte order.
///
/// Invariants, checked when it is made: a numeric tensor has exactly `elements × size` bytes; a
/// `BOOL` has only bytes 0 and 1; a `STRING` has `elements + 1` ascending offsets, the first 0 and
/// the last the length of the bytes, and each element's bytes end with a NUL that is not part of it.
pub struct Tensor {
    dtype: DType,
    shape: Shape,
    data: Box<dyn Buffer>,
    offsets: Option<Box<[u64]>>,
}

/// Why bytes make no tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorError {
    /// The number of bytes is not elements × size.
    Length,
    /// A BOOL byte is neither 0 nor 1.
    Bool,
    /// The number of NUL-terminated strings is not the number of elements.
    Strings,
    /// String offsets that are no ascending positions behind a NUL.
    Offsets,
    /// The allocator refused the memory.
    Memory,
    /// The shape needs more bytes than there are.
    Shape(ShapeError),
}

impl From<ShapeError> for TensorError {
    fn from(error: ShapeError) -> Self {
        Self::Shape(error)
    }
}

impl Tensor {
    /// A tensor over `data`. The bytes of a `STRING` are strings that each end with a NUL.
    pub fn new(dtype: DType, shape: Shape, data: Box<dyn Buffer>) -> Result<Self, TensorError> {
        if dtype == DType::String {
            let offsets = offsets_from_nuls(data.bytes(), shape.elements())?;
            return Ok(Self {
                dtype,
                shape,
                data,
                offsets: Some(offsets),
            });
        }
        let bytes = data.bytes();
        if bytes.len() != shape.bytes(dtype.size())? {
            return Err(TensorError::Length);
        }
        if dtype == DType::Bool && bytes.iter().any(|&byte| byte > 1) {
            return Err(TensorError::Bool);
        }
        Ok(Self {
            dtype,
            shape,
            data,
            offsets: None,
        })
    }

    /// A `STRING` tensor whose elements start at `offsets` (one more than there are elements, the
    /// last is the length); elements may hold NULs.
    pub fn with_offsets(
        shape: Shape,
        data: Box<dyn Buffer>,
        offsets: Box<[u64]>,
    ) -> Result<Self, TensorError> {
        check_offsets(data.bytes(), &offsets, shape.elements())?;
        Ok(Self {
            dtype: DType::String,
            shape,
            data,
            offsets: Some(offsets),
        })
    }

    /// Like [`with_offsets`](Self::with_offsets), for offsets out of a file: where they are wrong,
    /// the elements are found again from their NULs.
    pub fn with_saved_offsets(
        shape: Shape,
        data: Box<dyn Buffer>,
        offsets: Box<[u64]>,
    ) -> Result<Self, TensorError> {
        if check_offsets(data.bytes(), &offsets, shape.elements()).is_err() {
            return Self::new(DType::String, shape, data);
        }
        Ok(Self {
            dtype: DType::String,
            shape,
            data,
            offsets: Some(offsets),
        })
    }

    /// A `STRING` tensor of these elements, any bytes.
    pub fn from_strings(shape: Shape, elements: &[&[u8]]) -> Result<Self, TensorError> {
        if elements.len() != shape.elements() {
            return Err(TensorError::Strings);
        }
        let total = elements.iter().map(|element| element.len() + 1).sum();
        let mut data = AlignedBytes::zeroed(total);
        let mut offsets = Vec::with_capacity(elements.len() + 1);
        let mut at = 0;
        for element in elements {
            offsets.push(at as u64);
            if let Some(place) = data.bytes_mut().get_mut(at..at + element.len()) {
                place.copy_from_slice(element);
            }
            at += element.len() + 1;
        }
        offsets.push(at as u64);
        Self::with_offsets(shape, Box::new(data), offsets.into())
    }

    /// A tensor of zeros; of empty strings for `STRING`. The caller has capped the size.
    pub fn zeros(dtype: DType, shape: Shape) -> Result<Self, TensorError> {
        let size = if dtype == DType::String {
            1
        } else {
            dtype.size()
        };
        let bytes = shape.bytes(size)?;
        let zeros = AlignedBytes::try_zeroed(bytes).ok_or(TensorError::Memory)?;
        Self::new(dtype, shape, Box::new(zeros))
    }

    /// The same tensor over a copy of its bytes; `None` where the allocator refuses.
    pub fn copied(&self) -> Option<Self> {
        let mut data = AlignedBytes::try_zeroed(self.bytes().len())?;
        data.bytes_mut().copy_from_slice(self.bytes());
        Some(Self {
            dtype: self.dtype,
            shape: self.shape.clone(),
            data: Box::new(data),
            offsets: self.offsets.clone(),
        })
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The bytes, of no promised alignment; for `STRING` all elements, each followed by a NUL.
    pub fn bytes(&self) -> &[u8] {
        self.data.bytes()
    }

    /// The memory.
    pub fn buffer(&self) -> &dyn Buffer {
        self.data.as_ref()
    }

    /// For `STRING`: where each element starts, and the length of the bytes at the end.
    pub fn offsets(&self) -> Option<&[u64]> {
        self.offsets.as_deref()
    }

    /// The elements of a `STRING` tensor, without their NULs; none for other dtypes.
    pub fn strings(&self) -> Strings<'_> {
        Strings {
            bytes: self.bytes(),
            offsets: self.offsets.as_deref().unwrap_or_default(),
        }
    }

    /// Whether an element of a `STRING` tensor holds a NUL, so that the bytes alone do not say
    /// where elements end.
    pub fn has_inner_nul(&self) -> bool {
        self.strings()
            .any(|element| memchr::memchr(0, element).is_some())
    }

    /// Bytes of memory that the tensor keeps.
    pub fn held(&self) -> usize {
        size_of::<Self>()
            + self.shape.heap_bytes()
            + self.offsets.as_deref().map_or(0, size_of_val)
            + self.data.held()
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Tensor({} {:?}, {} bytes)",
            self.dtype.name(),
            self.shape,
            self.bytes().len()
        )
    }
}

/// Iterator over the elements of a `STRING` tensor.
pub struct Strings<'a> {
    bytes: &'a [u8],
    offsets: &'a [u64],
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let (&[start, end], _) = self.offsets.split_first_chunk::<2>()?;
        self.offsets = self.offsets.get(1..)?;
        // Offsets were checked when the tensor was made: within the bytes, and end > start.
        self.bytes
            .get(start as usize..(end as usize).checked_sub(1)?)
    }
}

fn offsets_from_nuls(bytes: &[u8], elements: usize) -> Result<Box<[u64]>, TensorError> {
    // Every element takes a byte at least, so a shape that claims more allocates nothing.
    if elements > bytes.len() || (!bytes.is_empty() && bytes.last() != Some(&0)) {
        return Err(TensorError::Strings);
    }
    let mut offsets = Vec::new();
    offsets
        .try_reserve_exact(elements + 1)
        .map_err(|_| TensorError::Memory)?;
    offsets.push(0);
    for end in memchr::memchr_iter(0, bytes) {
        if offsets.len() > elements {
            return Err(TensorError::Strings);
        }
        offsets.push(end as u64 + 1);
    }
    if offsets.len() != elements + 1 {
        return Err(TensorError::Strings);
    }
    Ok(offsets.into())
}

fn check_offsets(bytes: &[u8], offsets: &[u64], elements: usize) -> Result<(), TensorError> {
    let ends_with_nul = |end: u64| {
        usize::try_from(end)
            .ok()
            .and_then(|end| bytes.get(end.checked_sub(1)?))
            == Some(&0)
    };
    let whole = elements.checked_add(1) == Some(offsets.len())
        && offsets.first() == Some(&0)
        && offsets.last() == Some(&(bytes.len() as u64));
    let each = offsets.windows(2).all(|pair| match pair {
        [start, end] => start < end && ends_with_nul(*end),
        _ => false,
    });
    if whole && each {
        Ok(())
    } else {
        Err(TensorError::Offsets)
    }
}

#[cfg(test)]
mod tests;
