//! Conformance cases, strategies and the crate-edge test; for tests only.
