//! The Redis module ai.
