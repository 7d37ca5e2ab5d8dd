//! For tests only: conformance cases that every backend passes, natively and through its library,
//! and what such tests need around them.

#![forbid(unsafe_code)]

pub mod cases;
pub mod conformance;
pub mod door;
pub mod in_place;
mod library;
mod logging;
pub mod short;
mod values;

/// What [`logging_host!`] needs.
pub use redisai_backend_abi as abi;

pub use library::{built_library, own_copy};
pub use values::{CountedBytes, OffsetBytes, sample, strings_sample};
