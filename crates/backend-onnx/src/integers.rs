//! Constants of integers, with their values.

use crate::proto::Tensor;
use bytes::Bytes;
use prost::encoding::decode_varint;
use redisai_core::{DType, Shape};
use std::sync::Arc;

const INT64: i32 = 7;

/// The dtype of one of ONNX's integers.
fn dtype(tensor: &Tensor) -> Option<DType> {
    Some(match tensor.data_type {
        2 => DType::UInt8,
        3 => DType::Int8,
        4 => DType::UInt16,
        5 => DType::Int16,
        6 => DType::Int32,
        INT64 => DType::Int64,
        12 => DType::UInt32,
        13 => DType::UInt64,
        _ => return None,
    })
}

impl Tensor {
    /// A scalar.
    pub(crate) fn int64(value: i64) -> Self {
        Self {
            data_type: INT64,
            raw_data: Bytes::copy_from_slice(&value.to_le_bytes()),
            ..Self::default()
        }
    }

    /// Whether its elements are integers.
    pub(crate) fn is_integer(&self) -> bool {
        dtype(self).is_some()
    }

    /// Itself as a tensor of ours; none if it is not of integers, or not what it claims to be.
    pub(crate) fn values(&self) -> Option<Arc<redisai_core::Tensor>> {
        let dtype = dtype(self)?;
        let mut bytes = self.little_endian(dtype)?;
        if cfg!(target_endian = "big") {
            bytes
                .chunks_exact_mut(dtype.size())
                .for_each(<[u8]>::reverse);
        }
        let shape = Shape::new(&self.dims).ok()?;
        let tensor = redisai_core::Tensor::new(dtype, shape, Box::new(bytes));
        tensor.ok().map(Arc::new)
    }

    /// The elements' bytes, from the field in which they stand.
    fn little_endian(&self, dtype: DType) -> Option<Vec<u8>> {
        let packed = match dtype {
            DType::Int64 => &self.int64_data,
            DType::UInt32 | DType::UInt64 => &self.uint64_data,
            _ => &self.int32_data,
        };
        if packed.is_empty() {
            return Some(self.raw_data.to_vec());
        }
        let mut bytes = Vec::new();
        for part in packed {
            let mut part = part.as_ref();
            while !part.is_empty() {
                let number = decode_varint(&mut part).ok()?.to_le_bytes();
                bytes.extend_from_slice(number.get(..dtype.size())?);
            }
        }
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_read() {
        let minus_one: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let values = |tensor: &Tensor| tensor.values().map(|it| it.bytes().to_vec());
        let packed = Tensor {
            data_type: 6,
            dims: vec![2],
            int32_data: vec![Bytes::from_static(minus_one), Bytes::from_static(&[3])],
            ..Tensor::default()
        };
        let expected: Vec<u8> = [-1_i32, 3].iter().flat_map(|it| it.to_ne_bytes()).collect();
        assert_eq!(values(&packed), Some(expected));
        assert_eq!(
            values(&Tensor::int64(i64::MIN)),
            Some(i64::MIN.to_ne_bytes().to_vec())
        );
        let lie = Tensor {
            dims: vec![1 << 40],
            ..packed
        };
        assert_eq!(values(&lie), None);
    }
}
