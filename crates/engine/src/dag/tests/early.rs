//! DAGs that end before their operations do.

use super::*;

/// A DAG with a run on each worker and one that waits.
fn busy(rig: &Rig, timeout_ms: Option<u64>) -> (Flight, Arc<Model>) {
    let hold = rig.model("hold");
    let mut ops: Vec<_> = (1..4).map(|slot| op(&hold, &[0], &[slot])).collect();
    ops.push(op(&hold, &[1], &[4]));
    let flight = Flight::new(rig, 4, ops, timeout_ms);
    rig.backends.wait_started(2);
    (flight, hold)
}

#[test]
fn a_deadline_stops_all_of_it() {
    let rig = pair();
    let (flight, hold) = busy(&rig, Some(50));
    let started = rig.backends.wait_started(2);
    assert!(started.iter().all(|(_, _, at)| *at == 1_050_000_000));
    rig.pass(49);
    assert!(flight.ended.try_recv().is_err());
    rig.pass(1);
    assert!(matches!(flight.end(), DagOutcome::TimedOut));
    flight.handle.gone();
    for (run, ..) in started {
        rig.backends.wait_cancelled(run);
    }
    rig.submit(&rig.model("echo"), None).result().unwrap();
    let view = wait_calls(&hold, 2);
    assert_eq!((view.calls, view.errors), (2, 2));
    assert_eq!(rig.backends.runs(), ["hold", "hold", "echo"]);
}

#[test]
fn a_client_that_goes_lets_runs_finish() {
    let rig = pair();
    let (flight, hold) = busy(&rig, None);
    flight.handle.gone();
    flight.handle.gone();
    assert!(matches!(flight.end(), DagOutcome::Gone));
    rig.backends.release(2);
    let view = wait_calls(&hold, 2);
    assert_eq!((view.errors, view.samples), (0, 4));
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert_eq!(rig.backends.runs(), ["hold", "hold", "echo"]);
    assert!(!rig.backends.any_cancelled());
}

#[test]
fn a_shutdown_ends_it_with_an_error() {
    let rig = Rig::new();
    let (hold, echo) = (rig.model("hold"), rig.model("echo"));
    let ops = vec![op(&hold, &[0], &[1]), op(&echo, &[0], &[2])];
    let flight = Flight::new(&rig, 2, ops, None);
    rig.backends.wait_started(1);
    rig.engine.shutdown();
    // The run was told to stop; what waited was told why.
    let ends = flight.ends();
    assert_eq!(ends, ["stopped", "not run"]);
}
