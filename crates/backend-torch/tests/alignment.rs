//! Inputs through the loaded library: at an odd address, as a held command argument may lie, and aligned.

mod common;

use redisai_core::{BackendKind, DType, Shape, Tensor};
use redisai_testkit::OffsetBytes;
use redisai_testkit::conformance::{Model, load};
use redisai_testkit::door;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const ELEMENTS: usize = 1 << 20;

/// This process's allocator, which the loader copies into. The backend's library has one of its own.
struct Counting;

/// Blocks as large as the input.
static LARGE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= 4 * ELEMENTS {
            LARGE.fetch_add(1, Ordering::SeqCst);
        }
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn an_input_is_copied_once_if_it_is_not_aligned_and_else_not() {
    common::shim();
    let torch = common::torch();
    let site_packages = torch.parent().expect("…/site-packages/torch");
    let backend = door::loaded(BackendKind::Torch, "redisai-backend-torch", site_packages);
    let dot = Model {
        blob: common::archive::of(
            "def forward(self: __torch__.M, x: Tensor, y: Tensor) -> Tensor:\n  \
             return torch.dot(x, y)",
        ),
        options: Vec::new(),
    };
    let session = load(backend.as_ref(), &dot).expect("a model");
    let values: Vec<f32> = (0..ELEMENTS).map(|place| (place % 7) as f32).collect();
    let expected: f32 = values.iter().map(|value| value * value).sum();
    let aligned = common::floats(&[ELEMENTS as i64], &values);
    assert_eq!(aligned.bytes().as_ptr() as usize % 16, 0);
    let odd = OffsetBytes::copy_of(aligned.bytes());
    let shape = Shape::new(&[ELEMENTS as i64]).expect("a shape");
    let odd = Arc::new(Tensor::new(DType::Float, shape, Box::new(odd)).expect("a tensor"));
    assert_eq!(odd.bytes().as_ptr() as usize % 2, 1);
    let pairs = [
        (&aligned, &aligned, 0),
        (&odd, &aligned, 1),
        (&odd, &odd, 2),
    ];
    for (x, y, copies) in pairs {
        let before = LARGE.load(Ordering::SeqCst);
        let inputs = [Arc::clone(x), Arc::clone(y)];
        let outputs = common::run(session.as_ref(), &inputs).expect("it runs");
        assert_eq!(LARGE.load(Ordering::SeqCst) - before, copies);
        let found = common::values(outputs[0].as_ref().expect("a tensor"));
        assert!((found[0] / expected - 1.0).abs() < 1e-4, "{found:?}");
    }
}
