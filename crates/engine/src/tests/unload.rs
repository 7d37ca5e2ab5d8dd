//! Models that are unloaded.

use super::*;
use crate::ModelState;

const UNLOADED: &str = "ERR the model was unloaded";

#[test]
fn what_runs_ends_and_what_comes_later_is_refused() {
    let rig = Rig::new();
    let model = rig.model("hold");
    let running = rig.submit(&model, None);
    rig.backends.wait_started(1);
    let waiting = rig.submit(&model, None);
    model.unload();
    let later = rig.submit(&model, None);
    let here = rig.engine.run_here(request(&model));
    rig.backends.release(1);
    running.result().unwrap();
    assert_eq!(waiting.error(), UNLOADED);
    assert_eq!(later.error(), UNLOADED);
    assert_eq!(here.err().unwrap().text, UNLOADED);
    assert_eq!(rig.backends.runs().len(), 1);
}

#[test]
fn a_build_that_goes_on_does_not_bring_it_back() {
    let rig = Rig::new();
    let model = rig.unbuilt("holdload");
    let job = rig.submit(&model, None);
    rig.backends.wait_loads(1);
    model.unload();
    assert_eq!(job.error(), UNLOADED);
    rig.backends.release(1);
    // The loader is free again, so the build has ended.
    rig.built(&rig.unbuilt("echo")).unwrap();
    assert!(matches!(model.state(), ModelState::Failed(error) if error.text == UNLOADED));
}

#[test]
fn what_waits_for_more_rows_does_not_go_on_waiting() {
    let rig = Rig::new();
    let model = rig.batched(
        "echo",
        Batch {
            size: 8,
            min_size: 8,
            min_timeout_ms: 0,
        },
    );
    let waiting = rig.submit(&model, None);
    model.unload();
    assert_eq!(waiting.error(), UNLOADED);
}
