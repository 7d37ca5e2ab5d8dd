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
mod tests {
    use super::*;

    fn shape(dims: &[i64]) -> Shape {
        Shape::new(dims).unwrap()
    }

    #[test]
    fn numeric_lengths_are_exact() {
        let new = |dims: &[i64], len| {
            Tensor::new(DType::Float, shape(dims), Box::new(vec![0_u8; len])).map(|_| ())
        };
        assert_eq!(new(&[2, 2], 16), Ok(()));
        assert_eq!(new(&[], 4), Ok(()));
        assert_eq!(new(&[0], 0), Ok(()));
        assert_eq!(new(&[2, 2], 15), Err(TensorError::Length));
        assert_eq!(
            new(&[i64::MAX], 4),
            Err(TensorError::Shape(ShapeError::Overflow))
        );
    }

    #[test]
    fn every_bool_byte_is_checked() {
        let new =
            |bytes: Vec<u8>| Tensor::new(DType::Bool, shape(&[2]), Box::new(bytes)).map(|_| ());
        assert_eq!(new(vec![0, 1]), Ok(()));
        assert_eq!(new(vec![0, 2]), Err(TensorError::Bool));
    }

    #[test]
    fn strings_are_found_from_their_nuls() {
        let new = |dims: &[i64], bytes: &[u8]| {
            Tensor::new(DType::String, shape(dims), Box::new(bytes.to_vec()))
        };
        let tensor = new(&[3], b"a\0\0bc\0").unwrap();
        assert_eq!(
            tensor.strings().collect::<Vec<_>>(),
            [b"a" as &[u8], b"", b"bc"]
        );
        for (dims, bytes) in [
            (&[2][..], b"a\0b" as &[u8]),
            (&[2], b"a\0"),
            (&[1], b"a\0b\0"),
            (&[1 << 50], b"\0"),
        ] {
            assert_eq!(
                new(dims, bytes).unwrap_err(),
                TensorError::Strings,
                "{bytes:?}"
            );
        }
        assert_eq!(new(&[0], b"").unwrap().strings().count(), 0);
    }

    #[test]
    fn offsets_allow_inner_nuls_and_nothing_else() {
        let tensor = Tensor::from_strings(shape(&[2]), &[b"a\0b", b""]).unwrap();
        assert!(tensor.has_inner_nul());
        assert_eq!(
            tensor.strings().collect::<Vec<_>>(),
            [b"a\0b" as &[u8], b""]
        );
        let with = |offsets: &[u64]| {
            Tensor::with_offsets(shape(&[2]), Box::new(b"a\0b\0".to_vec()), offsets.into())
                .map(|_| ())
        };
        assert_eq!(with(&[0, 2, 4]), Ok(()));
        for bad in [
            &[0, 2][..],
            &[0, 3, 4],
            &[0, 4, 4],
            &[2, 2, 4],
            &[0, 2, 5],
            &[0, 2, u64::MAX],
        ] {
            assert_eq!(with(bad), Err(TensorError::Offsets), "{bad:?}");
        }
    }

    #[test]
    fn wrong_saved_offsets_are_found_again() {
        let saved = |bytes: &[u8], offsets: &[u64]| {
            Tensor::with_saved_offsets(shape(&[2]), Box::new(bytes.to_vec()), offsets.into())
        };
        let kept = saved(b"a\0b\0\0", &[0, 4, 5]).unwrap();
        assert_eq!(kept.strings().collect::<Vec<_>>(), [b"a\0b" as &[u8], b""]);
        let found = saved(b"a\0b\0", &[7, 9, 4]).unwrap();
        assert_eq!(found.strings().collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(saved(b"a\0", &[7, 9, 2]).unwrap_err(), TensorError::Strings);
    }

    #[test]
    fn a_copy_is_equal_and_apart() {
        let tensor = Tensor::from_strings(shape(&[2]), &[b"a\0b", b"c"]).unwrap();
        let copy = tensor.copied().unwrap();
        assert_eq!(copy.strings().collect::<Vec<_>>(), [b"a\0b" as &[u8], b"c"]);
        assert_ne!(copy.bytes().as_ptr(), tensor.bytes().as_ptr());
        assert_eq!(
            (copy.dtype(), copy.shape()),
            (tensor.dtype(), tensor.shape())
        );
    }

    #[test]
    fn zeros_are_zero() {
        for dtype in DType::all() {
            let tensor = Tensor::zeros(dtype, shape(&[2, 3])).unwrap();
            assert!(tensor.bytes().iter().all(|&byte| byte == 0), "{dtype:?}");
            assert_eq!(tensor.shape().elements(), 6);
        }
        assert_eq!(
            Tensor::zeros(DType::String, shape(&[2]))
                .unwrap()
                .strings()
                .count(),
            2
        );
    }
}
