//! The elements of a tensor as `AI.TENSORGET … VALUES` shows them.

use half::{bf16, f16};
use redisai_core::{DType, Strings, Tensor};

/// One element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Of a floating point dtype; widening to a double is exact.
    Double(f64),
    /// Of an integer dtype or BOOL.
    Integer(i64),
    /// A `UINT64` above the largest `i64`: replied as a bulk string of decimal digits.
    Large(u64),
    /// Of a `STRING`, whole, inner NULs included.
    String(&'a [u8]),
}

/// The elements of a tensor, row-major.
pub fn values(tensor: &Tensor) -> Values<'_> {
    Values {
        dtype: tensor.dtype(),
        bytes: tensor.bytes(),
        strings: tensor.strings(),
    }
}

/// Iterator over the elements of a tensor. The bytes may have any alignment.
pub struct Values<'a> {
    dtype: DType,
    bytes: &'a [u8],
    strings: Strings<'a>,
}

impl Values<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*first)
    }
}

impl<'a> Iterator for Values<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        use Value::{Double, Integer, Large};
        Some(match self.dtype {
            DType::Float => Double(f32::from_ne_bytes(self.take()?).into()),
            DType::Double => Double(f64::from_ne_bytes(self.take()?)),
            DType::Float16 => Double(f16::from_ne_bytes(self.take()?).into()),
            DType::BFloat16 => Double(bf16::from_ne_bytes(self.take()?).into()),
            DType::Int8 => Integer(i8::from_ne_bytes(self.take()?).into()),
            DType::Int16 => Integer(i16::from_ne_bytes(self.take()?).into()),
            DType::Int32 => Integer(i32::from_ne_bytes(self.take()?).into()),
            DType::Int64 => Integer(i64::from_ne_bytes(self.take()?)),
            DType::UInt8 | DType::Bool => Integer(u8::from_ne_bytes(self.take()?).into()),
            DType::UInt16 => Integer(u16::from_ne_bytes(self.take()?).into()),
            DType::UInt32 => Integer(u32::from_ne_bytes(self.take()?).into()),
            DType::UInt64 => {
                let value = u64::from_ne_bytes(self.take()?);
                i64::try_from(value).map_or(Large(value), Integer)
            }
            DType::String => Value::String(self.strings.next()?),
        })
    }
}
