//! Whether inputs are read where they lie: by how much memory a run needs. One test to a process.

use crate::OffsetBytes;
use crate::conformance::{Fixture, load, numbered, run_with};
use redisai_core::{AlignedBytes, Backend, Buffer, DType, LoadedModel, Shape, Tensor};
use std::any::Any;
use std::sync::Arc;

/// Bytes of an input: so many that an allocator gives them back.
const SIZE: usize = 64 << 20;

/// Memory as the server has it: aligned, and with readable bytes behind the end.
struct Fitting(AlignedBytes, usize);

impl Buffer for Fitting {
    fn bytes(&self) -> &[u8] {
        self.0.bytes().get(..self.1).unwrap_or_default()
    }

    fn tail(&self) -> usize {
        self.0.bytes().len() - self.1
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// A tensor in such memory is read in place; one at an odd address is copied, once. Both give what they
/// hold.
///
/// # Panics
/// Where the backend does otherwise.
pub fn inputs_are_read_in_place(backend: &dyn Backend, fixture: &dyn Fixture) {
    let identity = fixture.identity(DType::Float, 1).expect("a model");
    let model = load(backend, &identity).expect("it loads");
    let fitting = |bytes: &[u8]| -> Box<dyn Buffer> {
        let padded = AlignedBytes::copy_of(&[bytes, &[0; 64]].concat());
        Box::new(Fitting(padded, bytes.len()))
    };
    let odd = |bytes: &[u8]| -> Box<dyn Buffer> { Box::new(OffsetBytes::copy_of(bytes)) };
    let bytes = [0, 0, 0x80, 0x3f].repeat(SIZE / 4);
    // So that the first large run is not the first of all.
    for small in [fitting(&bytes[..64]), odd(&bytes[..64])] {
        run(model.as_ref(), &tensor(small));
    }
    let needed = |data: Box<dyn Buffer>| {
        let input = tensor(data);
        let before = reset();
        let output = run(model.as_ref(), &input);
        let needed = figure("VmHWM:").saturating_sub(before);
        assert!(output.bytes() == bytes.as_slice());
        needed
    };
    // In this order: a framework may keep what it has used for a copy.
    let in_place = needed(fitting(&bytes));
    let copied = needed(odd(&bytes));
    println!("{in_place} bytes in place, {copied} with a copy");
    assert!(
        in_place < SIZE + SIZE / 4,
        "{in_place} bytes for the output"
    );
    assert!(copied > in_place + SIZE / 2, "{copied} bytes: no copy");
    assert!(
        copied < in_place + SIZE + SIZE / 4,
        "{copied} bytes: copied twice"
    );
}

/// A FLOAT tensor, sixteen to a row.
fn tensor(data: Box<dyn Buffer>) -> Arc<Tensor> {
    let rows = data.bytes().len() / 64;
    let shape = Shape::new(&[rows as i64, 16]).expect("a shape");
    Arc::new(Tensor::new(DType::Float, shape, data).expect("a tensor"))
}

fn run(model: &dyn LoadedModel, input: &Arc<Tensor>) -> Arc<Tensor> {
    let inputs = [Arc::clone(input)];
    let mut outputs = run_with(model, &numbered(&inputs, 1)).expect("it runs");
    outputs.remove(0).expect("an output")
}

/// Has the highest number of resident bytes begin anew; gives that of now.
fn reset() -> usize {
    std::fs::write("/proc/self/clear_refs", "5").expect("Linux");
    figure("VmRSS:")
}

fn figure(name: &str) -> usize {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kibibytes.expect("a number") << 10
}
