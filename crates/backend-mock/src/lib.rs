//! A deterministic fake backend, for tests only.
