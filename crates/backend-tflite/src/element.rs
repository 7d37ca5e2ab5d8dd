//! LiteRT's element types and ours.

use redisai_core::DType;

/// One row a dtype that both have.
const ELEMENTS: [(DType, i32); 13] = [
    (DType::Float, 1),
    (DType::Int32, 2),
    (DType::UInt8, 3),
    (DType::Int64, 4),
    (DType::Bool, 6),
    (DType::Int16, 7),
    (DType::Int8, 9),
    (DType::Float16, 10),
    (DType::Double, 11),
    (DType::UInt64, 13),
    (DType::UInt32, 16),
    (DType::UInt16, 17),
    (DType::BFloat16, 19),
];

/// The dtype of an element type; none for strings, complex numbers and what is less than a byte.
pub(crate) fn dtype_of(element: i32) -> Option<DType> {
    ELEMENTS
        .iter()
        .find(|row| row.1 == element)
        .map(|row| row.0)
}

/// All dtypes that inputs and outputs can have.
pub(crate) fn dtypes() -> Vec<DType> {
    ELEMENTS.iter().map(|row| row.0).collect()
}
