//! Finds and loads a backend library.
