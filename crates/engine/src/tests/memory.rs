//! Batches for which there is no memory: joining their inputs, or copying their outputs.

use super::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Refuses blocks of one size, which no other test asks for.
struct Miser;

#[global_allocator]
static MISER: Miser = Miser;
static REFUSED: AtomicUsize = AtomicUsize::new(0);
static REFUSALS: AtomicUsize = AtomicUsize::new(0);

fn refuses(size: usize) -> bool {
    let refuses = size == REFUSED.load(Ordering::Relaxed) && size > 0;
    if refuses {
        REFUSALS.fetch_add(1, Ordering::Relaxed);
    }
    refuses
}

// SAFETY: all blocks are the system allocator's; null, which stands for no memory, is allowed.
unsafe impl GlobalAlloc for Miser {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refuses(layout.size()) {
            return null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if refuses(layout.size()) {
            return null_mut();
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block is the system allocator's, and the caller's promises are passed on.
        unsafe { System.dealloc(block, layout) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the block is the system allocator's, and the caller's promises are passed on.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// These tests run one at a time: what one refuses the other asks for.
fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// While it lives blocks of this size are refused.
struct Refusal;

impl Refusal {
    fn of(size: usize) -> Self {
        REFUSALS.store(0, Ordering::Relaxed);
        REFUSED.store(size, Ordering::Relaxed);
        Self
    }

    /// Ends it; how many blocks were refused.
    fn end(self) -> usize {
        let count = REFUSALS.load(Ordering::Relaxed);
        drop(self);
        count
    }
}

impl Drop for Refusal {
    fn drop(&mut self) {
        REFUSED.store(0, Ordering::Relaxed);
    }
}

/// The bytes of a row: a number of cache lines that nothing else has.
const ROW: usize = 64 * 4_099;
/// The elements of a row of strings.
const STRINGS: usize = 40_009;

/// How requests with these inputs end that would share a run, and the rows of the runs that there
/// were, while blocks of one size are refused.
fn refusing(inputs: &[Arc<Tensor>], size: usize) -> (Vec<Result<RunOutput, String>>, Vec<i64>) {
    let rig = Rig::new();
    let model = rig.batched("echo", super::size(64));
    let busy = rig.occupy();
    let jobs: Vec<_> = inputs
        .iter()
        .map(|input| rig.submit_inputs(&model, [Arc::clone(input)], None))
        .collect();
    let refusal = Refusal::of(size);
    rig.backends.release(1);
    busy.result().unwrap();
    let ends = jobs.iter().map(Pending::result);
    let ends = ends.map(|end| end.map_err(|error| error.to_string()));
    let ends: Vec<_> = ends.collect();
    assert!(refusal.end() > 0, "nothing of this size was asked for");
    let errors = model.stats().view().errors;
    assert_eq!(model.stats().view().calls, inputs.len() as u64);
    let failed = ends.iter().filter(|end| end.is_err()).count();
    assert_eq!(errors, failed as u64);
    let rows = rig.backends.rows()[1..].to_vec();
    // The worker goes on.
    rig.submit(&model, None).result().unwrap();
    (ends, rows)
}

fn matrices() -> [Arc<Tensor>; 3] {
    [(1, 1), (1, 2), (2, 3)].map(|(rows, value)| bytes(rows, ROW as i64, value))
}

fn strings() -> [Arc<Tensor>; 2] {
    [1, 2].map(|rows| {
        let shape = Shape::new(&[rows, STRINGS as i64]).unwrap();
        let elements = vec![b"s".as_slice(); rows as usize * STRINGS];
        Arc::new(Tensor::from_strings(shape, &elements).unwrap())
    })
}

fn assert_same(output: &RunOutput, input: &Tensor) {
    let output = output[0].as_ref().unwrap();
    assert_eq!(output.shape(), input.shape());
    assert!(output.bytes() == input.bytes());
    assert_eq!(output.offsets(), input.offsets());
}

#[test]
fn without_memory_to_join_each_runs_alone() {
    let _alone = alone();
    let inputs = matrices();
    let (ends, rows) = refusing(&inputs, 4 * ROW);
    for (end, input) in ends.iter().zip(&inputs) {
        assert_same(end.as_ref().unwrap(), input);
    }
    assert_eq!(rows, [1, 1, 2]);
    let inputs = strings();
    let (ends, rows) = refusing(&inputs, (3 * STRINGS + 1) * size_of::<u64>());
    for (end, input) in ends.iter().zip(&inputs) {
        assert_same(end.as_ref().unwrap(), input);
    }
    assert_eq!(rows, [1, 2]);
}

#[test]
fn without_memory_for_its_rows_a_member_fails_alone() {
    let _alone = alone();
    let text = "ERR Not enough memory for the outputs of a batch";
    let inputs = matrices();
    let (ends, rows) = refusing(&inputs, 2 * ROW);
    assert_same(ends[0].as_ref().unwrap(), &inputs[0]);
    assert_same(ends[1].as_ref().unwrap(), &inputs[1]);
    assert_eq!(ends[2].as_ref().unwrap_err(), text);
    assert_eq!(rows, [4]);
    let inputs = strings();
    let (ends, rows) = refusing(&inputs, (STRINGS + 1) * size_of::<u64>());
    assert_eq!(ends[0].as_ref().unwrap_err(), text);
    assert_same(ends[1].as_ref().unwrap(), &inputs[1]);
    assert_eq!(rows, [3]);
}
