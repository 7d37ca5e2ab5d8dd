//! Requests that share a run.

use super::*;
use crate::{ModelState, RunStats};

/// What a request of `rows` rows of `value` must get back, from a model that gives its input.
fn gets(job: &Pending, rows: i64, value: u8) {
    let outputs = job.result().unwrap();
    let output = outputs[0].as_ref().unwrap();
    assert_eq!(output.shape().dims(), [rows, 2]);
    assert_eq!(output.bytes(), vec![value; 2 * rows as usize]);
    // A copy of its rows: nothing of the batch is kept.
    assert!(output.held() < 512, "{}", output.held());
}

/// Hands requests of so many rows in while the worker is busy; the rows of the runs after that.
fn runs_of(rig: &Rig, model: &Arc<Model>, rows: &[i64]) -> Vec<i64> {
    let busy = rig.occupy();
    let before = rig.backends.rows().len();
    let jobs: Vec<_> = rows
        .iter()
        .zip(1..)
        .map(|(&rows, value)| rig.submit_inputs(model, [bytes(rows, 2, value)], None))
        .collect();
    rig.backends.release(1);
    busy.result().unwrap();
    for ((job, &rows), value) in jobs.iter().zip(rows).zip(1..) {
        gets(job, rows, value);
    }
    rig.backends.rows()[before..].to_vec()
}

#[test]
fn requests_that_wait_share_a_run() {
    let rig = Rig::new();
    let model = rig.batched("echo", size(8));
    assert_eq!(runs_of(&rig, &model, &[1, 2, 1]), [4]);
    let view = model.stats().view();
    assert_eq!((view.calls, view.samples, view.errors), (3, 4, 0));
    // Nobody waits for company.
    let alone = rig.submit_inputs(&model, [bytes(1, 2, 9)], None);
    gets(&alone, 1, 9);
}

#[test]
fn no_run_is_larger_than_batchsize() {
    let rig = Rig::new();
    let model = rig.batched("echo", size(4));
    // What does not fit makes a batch full: order is kept.
    assert_eq!(runs_of(&rig, &model, &[3, 2, 1, 1, 1]), [3, 4, 1]);
    // As many rows as BATCHSIZE, or more, run alone.
    assert_eq!(runs_of(&rig, &model, &[1, 4, 1, 5]), [2, 4, 5]);
}

#[test]
fn a_model_that_fixes_its_rows_gets_no_more() {
    let rig = Rig::new();
    let model = rig.batched("echo 1 1 rows=2", size(8));
    assert_eq!(model.batching().unwrap().rows, 2);
    assert_eq!(runs_of(&rig, &model, &[1, 1, 1, 1, 1]), [2, 2, 1]);
    let single = rig.batched("echo 1 1 rows=1", size(8));
    assert_eq!(runs_of(&rig, &single, &[1, 1]), [1, 1]);
}

#[test]
fn only_a_backend_that_can_joins() {
    let rig = Rig::new();
    rig.backends.set_batching(false);
    let model = rig.batched("echo", size(8));
    assert_eq!(runs_of(&rig, &model, &[1, 1, 1]), [1, 1, 1]);
    let rig = Rig::new();
    assert_eq!(runs_of(&rig, &rig.model("echo"), &[1, 1]), [1, 1]);
}

#[test]
fn only_requests_of_one_kind_share_a_run() {
    let rig = Rig::new();
    let model = rig.batched("echo 2 1", size(64));
    let busy = rig.occupy();
    let float = |dims: &[i64]| tensor(dims);
    let kinds: Vec<[Arc<Tensor>; 2]> = vec![
        [float(&[1, 2]), float(&[1, 2])],
        // Other dtypes, other columns, another rank.
        [bytes(1, 2, 1), bytes(1, 2, 1)],
        [float(&[1, 3]), float(&[1, 2])],
        [float(&[1, 2, 1]), float(&[1, 2])],
        // No rows, or no agreement about them.
        [float(&[0, 2]), float(&[0, 2])],
        [float(&[1, 2]), float(&[2, 2])],
        [float(&[]), float(&[])],
    ];
    let jobs: Vec<_> = kinds
        .iter()
        .chain(&kinds)
        .map(|kind| rig.submit_inputs(&model, kind.clone(), None))
        .collect();
    rig.backends.release(1);
    busy.result().unwrap();
    for (job, kind) in jobs.iter().zip(kinds.iter().chain(&kinds)) {
        let outputs = job.result().unwrap();
        let output = outputs[0].as_ref().unwrap();
        assert_eq!(output.shape(), kind[0].shape());
        assert_eq!(output.dtype(), kind[0].dtype());
    }
    // Each kind in the place of its first request; what must run alone where it came.
    assert_eq!(rig.backends.rows()[1..], [2, 2, 2, 2, 0, 1, -1, 0, 1, -1]);
}

#[test]
fn strings_share_a_run_too() {
    let rig = Rig::new();
    let model = rig.batched("echo", size(8));
    let busy = rig.occupy();
    let strings = |rows: i64, elements: &[&[u8]]| {
        Arc::new(Tensor::from_strings(Shape::new(&[rows, 2]).unwrap(), elements).unwrap())
    };
    let inputs = [
        strings(1, &[b"a\0b", b""]),
        strings(2, &[b"c", b"dd", b"", b"\0"]),
    ];
    let jobs = inputs
        .clone()
        .map(|input| rig.submit_inputs(&model, [input], None));
    rig.backends.release(1);
    busy.result().unwrap();
    for (job, input) in jobs.iter().zip(&inputs) {
        let outputs = job.result().unwrap();
        let output = outputs[0].as_ref().unwrap();
        assert_eq!(output.shape(), input.shape());
        assert!(output.strings().eq(input.strings()));
    }
    assert_eq!(rig.backends.rows()[1..], [3]);
}

#[test]
fn a_bad_member_fails_alone() {
    const MEMBERS: usize = 8;
    for bad in 0..MEMBERS {
        let rig = Rig::new();
        let model = rig.batched("picky", size(64));
        let busy = rig.occupy();
        let value = |member| if member == bad { 255 } else { member as u8 };
        let jobs: Vec<_> = (0..MEMBERS)
            .map(|member| rig.submit_inputs(&model, [bytes(1, 2, value(member))], None))
            .collect();
        rig.backends.release(1);
        busy.result().unwrap();
        for (member, job) in jobs.iter().enumerate() {
            if member == bad {
                assert_eq!(job.error(), "a byte is 255");
            } else {
                gets(job, 1, value(member));
            }
        }
        // The batch, and two runs for each halving.
        assert_eq!(rig.backends.rows().len() - 1, 1 + 2 * 3);
        // Each is counted once, by how it ended.
        let view = model.stats().view();
        assert_eq!((view.calls, view.errors, view.samples), (8, 1, 7));
    }
}

#[test]
fn what_is_nobodys_fault_is_not_tried_again() {
    let rig = Rig::new();
    for (blob, text) in [
        ("memory", "there is no memory"),
        ("poison", "it is poisoned"),
        ("panic", "ERR the backend panicked in a run"),
    ] {
        let model = rig.batched(blob, size(8));
        let busy = rig.occupy();
        let before = rig.backends.rows().len();
        let jobs: Vec<_> = (0..4)
            .map(|value| rig.submit_inputs(&model, [bytes(1, 2, value)], None))
            .collect();
        rig.backends.release(1);
        busy.result().unwrap();
        for job in &jobs {
            assert_eq!(job.error(), text);
        }
        assert_eq!(rig.backends.rows()[before..], [4]);
        assert_eq!(model.stats().view().errors, 4);
        // One panic has cost one session; it was built anew.
        rig.built(&model).unwrap();
        assert_eq!(model.state(), ModelState::Ready);
    }
}

#[test]
fn a_model_without_the_rows_of_its_inputs_is_run_singly_from_then_on() {
    let rig = Rig::new();
    let text = "ERR Model did not generate the expected batch size";
    let model = rig.batched("fold", size(8));
    let busy = rig.occupy();
    // Two batches: the second is in line before the first has shown it.
    let jobs: Vec<_> = (0..12)
        .map(|value| rig.submit_inputs(&model, [bytes(1, 2, value)], None))
        .collect();
    rig.backends.release(1);
    busy.result().unwrap();
    for (member, job) in jobs.iter().enumerate() {
        if member < 8 {
            assert_eq!(job.error(), text);
        } else {
            job.result().unwrap();
        }
    }
    assert_eq!(rig.backends.rows()[1..], [8, 1, 1, 1, 1]);
    let info = model.batching().unwrap();
    assert!(info.given_up && info.rows == 1);
}

#[test]
fn no_tensor_is_no_tensor_for_each() {
    let rig = Rig::new();
    let model = rig.batched("nothing", size(8));
    let busy = rig.occupy();
    let jobs = [1, 2].map(|rows| rig.submit_inputs(&model, [bytes(rows, 2, 0)], None));
    rig.backends.release(1);
    busy.result().unwrap();
    for job in jobs {
        assert!(job.result().unwrap()[0].is_none());
    }
    assert_eq!(rig.backends.rows()[1..], [3]);
}

#[test]
fn statistics_of_a_batch() {
    let rig = Rig::new();
    let model = rig.batched("hold", size(8));
    let first = rig.submit_inputs(&model, [bytes(1, 2, 0)], None);
    rig.backends.wait_started(1);
    let jobs = [1, 2].map(|rows| rig.submit_inputs(&model, [bytes(rows, 2, 0)], None));
    rig.pass(4);
    rig.backends.release(1);
    first.result().unwrap();
    rig.backends.wait_started(2);
    rig.pass(10);
    rig.backends.release(1);
    for job in jobs {
        job.result().unwrap();
    }
    // The whole time of a batch counts for each of its members.
    let view = model.stats().view();
    assert_eq!((view.duration_us, view.calls, view.samples), (24_000, 3, 4));
    let runs = model.stats().runs();
    assert_eq!((runs.batches, runs.late), (1, 0));
    assert_eq!(runs.batch_sizes, [(1, 1), (2, 1)]);
    let near = |nanos: u64, ms: u64| nanos.abs_diff(ms * 1_000_000) * 14 <= ms * 1_000_000;
    assert_eq!((runs.queued.count, runs.ran.count), (3, 3));
    assert!(
        near(runs.queued.p50, 4) && near(runs.queued.max, 4),
        "{runs:?}"
    );
    assert!(near(runs.ran.p50, 10) && near(runs.ran.p90, 10), "{runs:?}");
    model.stats().reset();
    assert_eq!(model.stats().runs(), RunStats::default());
    assert_eq!(model.stats().view().calls, 0);
}

#[test]
fn a_flood_on_one_model_holds_up_no_other() {
    let rig = Rig::new();
    let (flood, other) = (
        rig.batched("echo 1 1 flood", size(2)),
        rig.model("echo 1 1 other"),
    );
    let busy = rig.occupy();
    let many: Vec<_> = (0..100)
        .map(|_| rig.submit_inputs(&flood, [bytes(1, 2, 0)], None))
        .collect();
    let few = [(); 3].map(|()| rig.submit(&other, None));
    rig.backends.release(1);
    busy.result().unwrap();
    for job in many.iter().chain(&few) {
        job.result().unwrap();
    }
    let turns = ["echo 1 1 flood", "echo 1 1 other"].repeat(3);
    assert_eq!(rig.backends.runs()[1..7], turns);
    assert_eq!(rig.engine.info().queues[0].peak, 103);
}

#[test]
fn a_batch_needs_one_permit() {
    let rig = Rig::with(Config {
        threads_per_queue: 2,
        ..Config::default()
    });
    rig.backends.set_most_runs(1);
    let model = rig.batched("hold", size(4));
    let first = rig.submit_inputs(&model, [bytes(1, 2, 0)], None);
    rig.backends.wait_started(1);
    let rest: Vec<_> = (0..5)
        .map(|value| rig.submit_inputs(&model, [bytes(1, 2, value)], None))
        .collect();
    // The other worker is free for other models.
    rig.submit(&rig.model("echo"), None).result().unwrap();
    rig.backends.release(3);
    first.result().unwrap();
    for job in rest {
        job.result().unwrap();
    }
    assert_eq!(rig.backends.rows(), [1, 3, 4, 1]);
}
