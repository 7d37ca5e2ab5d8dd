//! Tensors and buffers for tests.

use redisai_core::{Buffer, DType, Shape, Tensor};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that begin one byte behind an aligned place, as a held command argument may.
pub struct OffsetBytes(Vec<u8>);

impl OffsetBytes {
    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Self {
        let mut padded = vec![0xee];
        padded.extend_from_slice(bytes);
        Self(padded)
    }
}

impl Buffer for OffsetBytes {
    fn bytes(&self) -> &[u8] {
        self.0.get(1..).unwrap_or_default()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// Bytes that count themselves, to see when the last user is gone.
pub struct CountedBytes {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl CountedBytes {
    /// These bytes; `alive` is one higher until they are dropped.
    pub fn new(bytes: Vec<u8>, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self {
            bytes,
            alive: Arc::clone(alive),
        }
    }
}

impl Buffer for CountedBytes {
    fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for CountedBytes {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A tensor whose bytes differ from place to place and with `seed`, in memory without alignment.
/// Floats among them may be NaN: compare bytes.
pub fn sample(dtype: DType, dims: &[i64], seed: u8) -> Arc<Tensor> {
    let shape = Shape::new(dims).expect("a valid shape");
    if dtype == DType::String {
        return strings_sample(dims, seed);
    }
    let len = shape.bytes(dtype.size()).expect("a small shape");
    let bytes: Vec<u8> = (0..len)
        .map(|place| {
            let byte = (place as u8).wrapping_mul(37).wrapping_add(seed);
            if dtype == DType::Bool { byte & 1 } else { byte }
        })
        .collect();
    let data = Box::new(OffsetBytes::copy_of(&bytes));
    Arc::new(Tensor::new(dtype, shape, data).expect("a valid tensor"))
}

/// A `STRING` tensor: empty elements, NULs and bytes that are no UTF-8 among them.
pub fn strings_sample(dims: &[i64], seed: u8) -> Arc<Tensor> {
    let shape = Shape::new(dims).expect("a valid shape");
    let kinds: [&[u8]; 5] = [b"text", b"", b"a\0b", b"\xff\xfe\0", b"gr\xc3\xb6\xc3\x9fe"];
    let elements: Vec<Vec<u8>> = (0..shape.elements())
        .map(|place| {
            let mut element = kinds[(place + usize::from(seed)) % kinds.len()].to_vec();
            if place % 3 == 2 {
                element.push(seed);
            }
            element
        })
        .collect();
    let elements: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    Arc::new(Tensor::from_strings(shape, &elements).expect("a valid tensor"))
}
