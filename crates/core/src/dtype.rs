//! Element types of tensors.

/// The type of a tensor's elements: the ten of RedisAI 1.2 and `FLOAT16`, `BFLOAT16`, `UINT32`,
/// `UINT64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE 754 binary32.
    Float,
    /// IEEE 754 binary64.
    Double,
    /// IEEE 754 binary16.
    Float16,
    /// The upper half of a binary32.
    BFloat16,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// Unsigned, 8 bits.
    UInt8,
    /// Unsigned, 16 bits.
    UInt16,
    /// Unsigned, 32 bits.
    UInt32,
    /// Unsigned, 64 bits.
    UInt64,
    /// One byte an element, 0 or 1.
    Bool,
    /// Byte strings, stored as one blob in which each is followed by a NUL.
    String,
}

/// One row a dtype: value, wire name, DLPack code, bits. The codes are those of the saved format
/// (RedisAI's fork of DLPack: Bool 6, String 7; the new dtypes use DLPack's own).
const TABLE: [(DType, &str, u8, u8); 14] = [
    (DType::Float, "FLOAT", 2, 32),
    (DType::Double, "DOUBLE", 2, 64),
    (DType::Float16, "FLOAT16", 2, 16),
    (DType::BFloat16, "BFLOAT16", 4, 16),
    (DType::Int8, "INT8", 0, 8),
    (DType::Int16, "INT16", 0, 16),
    (DType::Int32, "INT32", 0, 32),
    (DType::Int64, "INT64", 0, 64),
    (DType::UInt8, "UINT8", 1, 8),
    (DType::UInt16, "UINT16", 1, 16),
    (DType::UInt32, "UINT32", 1, 32),
    (DType::UInt64, "UINT64", 1, 64),
    (DType::Bool, "BOOL", 6, 8),
    (DType::String, "STRING", 7, 8),
];

impl DType {
    /// All dtypes, in the order of the table in the docs.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }

    /// The dtype of a wire name, without regard to case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| row.1.as_bytes().eq_ignore_ascii_case(name))
            .map(|row| row.0)
    }

    /// The wire name, upper case.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The DLPack code and the bits of one element, as in saved files (`STRING` is 7, 8).
    pub fn code(self) -> (u8, u8) {
        (self.row().2, self.row().3)
    }

    /// The dtype of a saved code and number of bits.
    pub fn from_code(code: u64, bits: u64) -> Option<Self> {
        TABLE
            .iter()
            .find(|row| u64::from(row.2) == code && u64::from(row.3) == bits)
            .map(|row| row.0)
    }

    /// Bytes of one element; 0 for `STRING`, whose elements have each a length of their own.
    pub fn size(self) -> usize {
        if self == Self::String {
            0
        } else {
            usize::from(self.row().3 / 8)
        }
    }

    /// Whether values are read and shown as floating point numbers.
    pub fn is_float(self) -> bool {
        matches!(
            self,
            Self::Float | Self::Double | Self::Float16 | Self::BFloat16
        )
    }

    fn row(self) -> &'static (Self, &'static str, u8, u8) {
        // The table has a row for every variant (tested), so the fallback is never taken.
        TABLE.iter().find(|row| row.0 == self).unwrap_or(&TABLE[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_has_a_row_and_round_trips() {
        assert_eq!(DType::all().count(), 14);
        for dtype in DType::all() {
            assert_eq!(dtype.row().0, dtype);
            assert_eq!(
                DType::parse(dtype.name().to_ascii_lowercase().as_bytes()),
                Some(dtype)
            );
            let (code, bits) = dtype.code();
            assert_eq!(DType::from_code(code.into(), bits.into()), Some(dtype));
        }
    }

    #[test]
    fn unknown_names_and_codes_are_refused() {
        for name in ["", "FLOAT3", "INT", "INT128", "FLOAT ", "FLOAT\0"] {
            assert_eq!(DType::parse(name.as_bytes()), None, "{name:?}");
        }
        assert_eq!(DType::from_code(2, 8), None);
        assert_eq!(DType::from_code(1 << 40, 32), None);
    }
}
