//! The C ABI of a backend library.
