//! The commands of the hot path are read without an allocation.

use redisai_command::{
    Dag, DagKeys, DagKind, Error, Limits, ModelRun, TensorGet, TensorSet, command, keys,
};
use redisai_core::{Buffer, Tensor};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = COUNT.get();
    let value = work();
    (COUNT.get() - before, value)
}

#[test]
fn the_hot_path_allocates_nothing() {
    let blob = [0_u8; 24];
    let set: [&[u8]; 7] = [b"AI.TENSORSET", b"k", b"FLOAT", b"2", b"3", b"BLOB", &blob];
    let limits = Limits::client(1 << 20);
    let (count, parsed) = allocations(|| TensorSet::parse(&set, &limits));
    assert_eq!((count, parsed.unwrap().blob()), (0, Some(6)));

    let get: [&[u8]; 4] = [b"AI.TENSORGET", b"k", b"META", b"BLOB"];
    let (count, parsed) = allocations(|| TensorGet::parse(&get));
    assert!(count == 0 && parsed.is_ok());

    let run: [&[u8]; 9] = [
        b"AI.MODELEXECUTE",
        b"m",
        b"INPUTS",
        b"1",
        b"x",
        b"OUTPUTS",
        b"1",
        b"y",
        b"TIMEOUT",
    ];
    let (count, parsed) = allocations(|| ModelRun::parse(&run[..8], Some((1, 1))));
    assert!(count == 0 && parsed.is_ok());
    let (count, found) = allocations(|| {
        let mut found = 0;
        keys(command(run[0]).unwrap(), &run[..8], |_, _| found += 1);
        found
    });
    assert_eq!((count, found), (0, 3));
}

/// A model of one input and one output.
struct Keys;

impl DagKeys for Keys {
    fn tensor(&mut self, _at: usize) -> Result<Arc<Tensor>, Error> {
        Err(Error::TensorKeyEmpty)
    }

    fn model(&mut self, _at: usize) -> Result<Option<(usize, usize)>, Error> {
        Ok(Some((1, 1)))
    }

    fn script(&mut self, _at: usize) -> Result<(), Error> {
        Err(Error::ScriptKeyEmpty)
    }

    fn hold(&mut self, _at: usize) -> Box<dyn Buffer> {
        Box::new(Vec::new())
    }
}

#[test]
fn a_small_dag_allocates_its_slots() {
    let text = b"AI.DAGEXECUTE ROUTING r |> AI.TENSORSET x FLOAT 0 BLOB  \
                 |> AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y |> AI.TENSORGET y BLOB";
    let argv: Vec<&[u8]> = text.split(|&byte| byte == b' ').collect();
    let limits = Limits::stream();
    let (count, dag) = allocations(|| Dag::parse(&argv, DagKind::Execute, &limits, &mut Keys));
    // The list of slots, the tensor in the first, and the buffer that this test makes for it.
    assert_eq!((count, dag.unwrap().ops.len()), (3, 3));
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(1)).0, 1);
}
