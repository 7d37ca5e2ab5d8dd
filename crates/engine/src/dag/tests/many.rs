//! Many operations, many DAGs, and what is left of them.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs one that fills an `empty` slot each over slot 0 and gives the end.
fn long(rig: &Rig, ops: Vec<DagOp>) -> DagResult {
    let result = Flight::new(rig, ops.len(), ops, Some(60_000)).result();
    assert!(result.ops.iter().all(|end| *end == OpEnd::Done));
    result
}

#[test]
fn thousands_of_operations_in_a_row_and_side_by_side() {
    const COUNT: usize = 5_000;
    let rig = pair();
    let (echo, hold) = (rig.model("echo"), rig.model("hold"));
    let chain = (1..=COUNT).map(|at| op(&echo, &[at - 1], &[at])).collect();
    let result = long(&rig, chain);
    assert!(Arc::ptr_eq(
        result.slots[0].as_ref().unwrap(),
        result.slots[COUNT].as_ref().unwrap()
    ));
    // One makes many ready at once; one waits for them all.
    let mut ops = vec![op(&rig.model("echo"), &[0], &[1])];
    ops.extend((2..COUNT).map(|at| op(&echo, &[1], &[at])));
    let all: Vec<_> = (1..COUNT).collect();
    ops.push(op(
        &rig.model(&format!("echo {} 1", COUNT - 1)),
        &all,
        &[COUNT],
    ));
    long(&rig, ops);
    // All of them end inside the submit, or are dropped from the queue, at a failure.
    let blocks: Vec<_> = (0..2).map(|_| rig.submit(&hold, None)).collect();
    let bad = rig.unbuilt("badload");
    rig.engine.build_here(&bad).unwrap_err();
    let mut ops: Vec<_> = (1..COUNT).map(|at| op(&echo, &[0], &[at])).collect();
    ops.insert(0, op(&bad, &[0], &[COUNT]));
    let flight = Flight::new(&rig, COUNT, ops, None);
    assert_eq!(flight.ends()[..2], ["bad model", "not run"]);
    rig.backends.release(2);
    blocks.iter().for_each(|job: &Pending| {
        job.result().unwrap();
    });
}

#[test]
fn no_worker_drops_the_last_of_anything() {
    let rig = Rig::new();
    let (blob, blob_end) = Traced::new(b"hold");
    let model = rig.engine.model(ModelDef {
        blob: Arc::new(blob),
        ..def(BackendKind::Onnx, "", "CPU")
    });
    let (input, input_end) = Traced::new(&[0; 4]);
    let input = Tensor::new(DType::Float, Shape::new(&[1]).unwrap(), Box::new(input)).unwrap();
    let slots = vec![Some(Arc::new(input)), None, None];
    let ops = vec![op(&model, &[0], &[1]), op(&model, &[1], &[2])];
    let flight = Flight::over(&rig, slots, ops, None);
    rig.backends.wait_started(1);
    flight.handle.gone();
    drop((flight, model));
    rig.backends.release(1);
    assert_eq!(input_end.recv_timeout(PATIENCE).unwrap(), "ai-reaper");
    assert_eq!(blob_end.recv_timeout(PATIENCE).unwrap(), "ai-reaper");
}

#[test]
fn every_dag_ends_exactly_once() {
    const THREADS: usize = 3;
    const DAGS: usize = 400;
    let rig = pair();
    rig.backends.set_most_runs(1);
    let models = [
        on(&rig, "CPU", "echo"),
        on(&rig, "CPU:1", "echo"),
        on(&rig, "CPU:1", "fail"),
    ];
    let (count, bell) = (Arc::new(AtomicUsize::new(0)), Arc::new(Bell::default()));
    let input = tensor(&[1, 1]);
    let hand_in = |number: usize| {
        let pick = |at: usize| &models[(number + at) % if at == 2 { 3 } else { 2 }];
        let (count, bell) = (Arc::clone(&count), Arc::clone(&bell));
        let request = DagRequest {
            slots: vec![Some(Arc::clone(&input)), None, None, None, None],
            ops: vec![
                op(pick(0), &[0], &[1]),
                op(pick(1), &[0], &[2]),
                op(pick(2), &[1], &[3]),
                op(pick(3), &[2], &[4]),
            ],
            timeout: number
                .is_multiple_of(2)
                .then(|| Duration::from_millis(1 + number as u64 % 3)),
        };
        let done = Box::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            bell.ring();
        });
        rig.engine.submit_dag(request, done)
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (hand_in, clock) = (&hand_in, &rig.clock);
            scope.spawn(move || {
                for dag in 0..DAGS {
                    let handle = hand_in(thread * DAGS + dag);
                    match dag % 5 {
                        0 => handle.gone(),
                        1 => clock.advance(Duration::from_millis(1)),
                        _ => {}
                    }
                }
            });
        }
    });
    bell.wait_for(THREADS * DAGS);
    rig.submit(&models[0], None).result().unwrap();
    rig.engine.shutdown();
    assert_eq!(count.load(Ordering::Relaxed), THREADS * DAGS);
    drop(rig);
    assert_eq!(Arc::strong_count(&input), 1, "an input was lost");
}
