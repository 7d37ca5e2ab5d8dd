//! What LiteRT's C API does not do by itself, one test each; the numbers are those of the section of
//! our notes on it (`docs/tflite.md` lists them).

mod common;

use common::{floats, load, model, request, run, tensor, values};
use redisai_core::{Buffer, DType, Shape, Status, Tensor};
use std::any::Any;
use std::sync::Arc;

fn flags(values: &[u8]) -> Arc<Tensor> {
    tensor(DType::Bool, &[values.len() as i64], values)
}

#[test]
fn data_dependent_outputs_are_an_error_that_says_so() {
    for (name, input) in [
        ("where.tflite", flags(&[1, 0, 1])),
        ("topk.tflite", floats(&[3, 4], &[0.5; 12])),
    ] {
        let model = model(name);
        for _ in 0..3 {
            let error = run(model.as_ref(), &[Arc::clone(&input)]).unwrap_err();
            assert!(error.text.contains("depends on data"), "{name}: {error}");
            assert_eq!(error.status, Status::Unsupported);
        }
    }
}

/// An output that is an input is not written by a run, and of an output that comes twice only the last.
#[test]
fn pass_through_and_doubled_outputs_are_copied() {
    let aliases = model("aliases.tflite");
    for rows in [1_i64, 4, 2] {
        let numbers: Vec<f32> = (0..rows * 3).map(|it| it as f32).collect();
        let twice: Vec<f32> = numbers.iter().map(|it| it * 2.0).collect();
        let x = floats(&[rows, 3], &numbers);
        let outputs = run(aliases.as_ref(), &[Arc::clone(&x)]).unwrap();
        let outputs: Vec<_> = outputs
            .iter()
            .map(|output| output.as_ref().unwrap())
            .collect();
        assert_eq!(values(outputs[0]), twice);
        assert_eq!(values(outputs[1]), numbers);
        assert_ne!(outputs[1].bytes().as_ptr(), x.bytes().as_ptr());
        assert_eq!(values(outputs[2]), twice);
        assert_eq!(outputs[2].shape().dims(), [rows, 3]);
    }
}

/// A constant is copied as far as the buffer goes: one that is longer than the constant would be read
/// behind its end.
#[test]
fn spare_bytes_are_behind_an_output_and_not_in_it() {
    let outputs = run(
        model("aliases.tflite").as_ref(),
        &[floats(&[1, 3], &[0.0; 3])],
    )
    .unwrap();
    let constant = outputs[3].as_ref().unwrap();
    assert_eq!(
        constant.bytes(),
        [7_i32, 8, 9].map(i32::to_ne_bytes).concat()
    );
    assert!(constant.buffer().tail() >= 64);
}

/// With a Flatten between them the output's shape follows the input's only in the run.
#[test]
fn stale_shapes_are_read_again_after_the_run() {
    let quantised = model("quantised.tflite");
    for rows in [1_i64, 4, 2, 7, 1] {
        let image = tensor(DType::Int8, &[rows, 8, 8, 1], &vec![3; rows as usize * 64]);
        let outputs = run(quantised.as_ref(), &[image]).unwrap();
        let output = outputs[0].as_ref().unwrap();
        assert_eq!(output.shape().dims(), [rows, 2]);
        let first = &output.bytes()[..2];
        assert!(output.bytes().chunks(2).all(|row| row == first));
    }
}

/// A run after a failed allocation may crash: the compiled model is thrown away.
#[test]
fn after_a_failed_allocation_the_model_is_compiled_again() {
    let sum = model("sum.tflite");
    let good = [floats(&[3], &[1.0; 3]), floats(&[3], &[2.0; 3])];
    for _ in 0..3 {
        let bad = [floats(&[2], &[1.0; 2]), floats(&[3], &[1.0; 3])];
        assert!(
            run(sum.as_ref(), &bad)
                .unwrap_err()
                .text
                .contains("allocate tensors")
        );
        let outputs = run(sum.as_ref(), &good).unwrap();
        assert_eq!(values(outputs[0].as_ref().unwrap()), [3.0; 3]);
    }
}

/// A null output handle crashes: as many outputs are given as the signature has, whatever is asked.
#[test]
fn no_null_handle_reaches_litert() {
    let sum = model("sum.tflite");
    let x = floats(&[2], &[1.0; 2]);
    let inputs = [Arc::clone(&x), x];
    for (given, asked) in [(2, 0), (2, 2), (0, 1), (1, 1)] {
        assert!(sum.run(&request(&inputs[..given], asked)).is_err());
    }
    assert!(run(sum.as_ref(), &inputs).is_ok());
}

/// Bytes at the very end of a page whose next one may not be read.
struct AtTheEdge {
    map: *mut u8,
    len: usize,
}

const PAGE: usize = 4096;

impl AtTheEdge {
    fn copy_of(bytes: &[u8]) -> Self {
        let pages = bytes.len().div_ceil(PAGE) * PAGE;
        // SAFETY: fresh memory of our own; the last page is made unreadable.
        let map = unsafe {
            let (rights, kind) = (
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            );
            let map = libc::mmap(std::ptr::null_mut(), pages + PAGE, rights, kind, -1, 0);
            assert_ne!(map, libc::MAP_FAILED);
            let map = map.cast::<u8>();
            assert_eq!(
                libc::mprotect(map.add(pages).cast(), PAGE, libc::PROT_NONE),
                0
            );
            map.add(pages - bytes.len())
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            map
        };
        Self {
            map,
            len: bytes.len(),
        }
    }
}

// SAFETY: memory that nobody writes to any more.
unsafe impl Send for AtTheEdge {}
// SAFETY: likewise.
unsafe impl Sync for AtTheEdge {}

impl Buffer for AtTheEdge {
    fn bytes(&self) -> &[u8] {
        let pages = self.len.div_ceil(PAGE) * PAGE;
        // SAFETY: the bytes that were copied there.
        unsafe { std::slice::from_raw_parts(self.map.add(pages - self.len), self.len) }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl Drop for AtTheEdge {
    fn drop(&mut self) {
        let pages = self.len.div_ceil(PAGE) * PAGE;
        // SAFETY: our own mapping, not used again.
        unsafe { libc::munmap(self.map.cast(), pages + PAGE) };
    }
}

/// XNNPACK reads behind inputs and weights.
#[test]
fn nothing_is_read_behind_a_buffer() {
    use redisai_core::{Backend, Device, LoadKind, LoadRequest};
    let blob: Arc<dyn Buffer> = Arc::new(AtTheEdge::copy_of(&common::fixture("quantised.tflite")));
    let request = LoadRequest {
        kind: LoadKind::Model,
        blob: &blob,
        device: &Device::cpu(),
        options: Vec::new(),
    };
    let quantised = common::backend().load(&request).unwrap();
    for rows in [64_i64, 1, 3] {
        let bytes = AtTheEdge::copy_of(&vec![3; rows as usize * 64]);
        let shape = Shape::new(&[rows, 8, 8, 1]).unwrap();
        // 64 rows are whole pages: aligned, and nothing behind.
        let image = Arc::new(Tensor::new(DType::Int8, shape, Box::new(bytes)).unwrap());
        let place = image.bytes().as_ptr() as usize;
        assert_eq!(rows == 64, place.is_multiple_of(PAGE));
        run(quantised.as_ref(), &[image]).unwrap();
    }
}

/// What lies where LiteRT needs it is not copied: outputs have their 64 bytes, and serve as inputs.
#[test]
fn fitting_inputs_are_used_where_they_lie() {
    let first = run(
        model("aliases.tflite").as_ref(),
        &[floats(&[1, 3], &[1.0; 3])],
    )
    .unwrap();
    let output = first[0].as_ref().unwrap();
    assert_eq!(output.bytes().as_ptr() as usize % 64, 0);
    assert!(output.buffer().tail() >= 64);
}

/// LiteRT ends the process for each of these at the first look at its outputs.
#[test]
fn signatures_without_names_or_with_wrong_tensors_are_refused() {
    for name in ["nameless.tflite", "wrong_tensor.tflite", "no_graph.tflite"] {
        let error = load(common::fixture(name)).err().expect(name);
        assert_eq!(error.status, Status::BadModel, "{name}: {error}");
    }
    let no_key = load(common::fixture("no_key.tflite"));
    assert!(no_key.is_err());
}

/// LiteRT would read from a null pointer.
#[test]
fn an_operator_without_an_input_is_refused() {
    let error = load(common::fixture("without_input.tflite"))
        .err()
        .expect("refused");
    assert!(error.text.contains("MUL"), "{error}");
}

#[test]
fn data_outside_of_the_model_is_refused() {
    let file = load(common::fixture("external_file.tflite"))
        .err()
        .expect("a file");
    assert!(file.text.contains("other files"), "{file}");
    let place = load(common::fixture("external_place.tflite"))
        .err()
        .expect("a place");
    assert_eq!(place.status, Status::BadModel, "{place}");
}

/// The first run of such a model gives no error and writes nothing; a later one is refused unless all
/// tensors are laid out anew.
#[test]
fn an_output_that_the_first_run_leaves_out_is_written() {
    let shape = model("shape_of_where.tflite");
    for set in [[1_u8, 0, 1], [1, 1, 1], [0, 0, 0], [0, 1, 0]] {
        let outputs = run(shape.as_ref(), &[flags(&set)]).unwrap();
        let rows = i32::from(set.iter().sum::<u8>());
        let expected = [rows, 1].map(i32::to_ne_bytes).concat();
        assert_eq!(outputs[0].as_ref().unwrap().bytes(), expected, "{set:?}");
    }
}

/// An element type of another size would be read beyond the input.
#[test]
fn element_types_are_checked_before_the_run() {
    let sum = model("sum.tflite");
    for dtype in [DType::Int8, DType::Int32, DType::Double, DType::Float16] {
        let x = tensor(dtype, &[2], &vec![0; 2 * dtype.size()]);
        let error = run(sum.as_ref(), &[Arc::clone(&x), x]).unwrap_err();
        assert_eq!(error.status, Status::BadInput);
    }
}

/// LiteRT takes strings only in a form of its own.
#[test]
fn strings_have_no_way_in() {
    let strings = model("string_input.tflite");
    let text = Tensor::from_strings(Shape::new(&[1]).unwrap(), &[b"a"]).unwrap();
    let error = run(strings.as_ref(), &[Arc::new(text)]).unwrap_err();
    assert_eq!(error.text, "Unsupported input data type");
}
