//! The ONNX Runtime backend library.
