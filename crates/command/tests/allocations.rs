//! The commands of the hot path are read without an allocation.

use redisai_command::{Limits, ModelRun, TensorGet, TensorSet, command, keys};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

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

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(1)).0, 1);
}
