//! Tests of the engine with a backend and a clock made for them.
