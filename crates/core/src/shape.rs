//! Shapes: dimensions whose product is known to fit.

use smallvec::SmallVec;
use std::fmt;

/// The dimensions of a tensor, row-major. Empty for a scalar. Every dimension is ≥ 0 and the
/// product of all fits an `i64` and a `usize`, so [`Shape::elements`] cannot overflow.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape {
    dims: SmallVec<[i64; 4]>,
    elements: usize,
}

/// Why dimensions make no shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShapeError {
    /// A dimension is below 0.
    Negative,
    /// The product of the dimensions, or the bytes it needs, does not fit 63 bits.
    Overflow,
}

impl Shape {
    /// A shape of these dimensions; a dimension of 0 is accepted.
    pub fn new(dims: &[i64]) -> Result<Self, ShapeError> {
        if dims.iter().any(|&dim| dim < 0) {
            return Err(ShapeError::Negative);
        }
        // A zero makes the product zero wherever it stands, so it is looked for first: otherwise
        // [2^40, 2^40, 0] would be refused and [0, 2^40, 2^40] not.
        let product = if dims.contains(&0) {
            0
        } else {
            dims.iter()
                .try_fold(1_i64, |product, &dim| product.checked_mul(dim))
                .ok_or(ShapeError::Overflow)?
        };
        let elements = usize::try_from(product).map_err(|_| ShapeError::Overflow)?;
        Ok(Self {
            dims: SmallVec::from_slice(dims),
            elements,
        })
    }

    /// A shape without dimensions: one element.
    pub fn scalar() -> Self {
        Self {
            dims: SmallVec::new(),
            elements: 1,
        }
    }

    /// The dimensions.
    pub fn dims(&self) -> &[i64] {
        &self.dims
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        self.dims.len()
    }

    /// The number of elements: the product of the dimensions, 1 for a scalar.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// The bytes that this many elements of `size` bytes take.
    pub fn bytes(&self, size: usize) -> Result<usize, ShapeError> {
        self.elements
            .checked_mul(size)
            .filter(|&bytes| i64::try_from(bytes).is_ok())
            .ok_or(ShapeError::Overflow)
    }

    /// Bytes kept on the heap besides the value itself.
    pub fn heap_bytes(&self) -> usize {
        if self.dims.spilled() {
            self.dims.capacity() * size_of::<i64>()
        } else {
            0
        }
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dims.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_checked() {
        assert_eq!(Shape::new(&[2, 3]).unwrap().elements(), 6);
        assert_eq!(Shape::new(&[]).unwrap(), Shape::scalar());
        assert_eq!(Shape::new(&[1 << 40, 1 << 40, 0]).unwrap().elements(), 0);
        assert_eq!(Shape::new(&[-1]), Err(ShapeError::Negative));
        assert_eq!(Shape::new(&[0, -1]), Err(ShapeError::Negative));
        assert_eq!(Shape::new(&[i64::MAX, 2]), Err(ShapeError::Overflow));
        assert_eq!(
            Shape::new(&[i64::MAX]).unwrap().bytes(2),
            Err(ShapeError::Overflow)
        );
        assert_eq!(Shape::new(&[5]).unwrap().bytes(8), Ok(40));
    }
}
