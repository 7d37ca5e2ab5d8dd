//! For tests only: conformance cases that every backend passes, natively and through its library,
//! and what such tests need around them.

#![forbid(unsafe_code)]

pub mod conformance;
mod library;
pub mod short;
mod values;

pub use library::{built_library, own_copy};
pub use values::{CountedBytes, OffsetBytes, sample, strings_sample};
