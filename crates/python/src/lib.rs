//! The Python extension redisai_rs._core.
