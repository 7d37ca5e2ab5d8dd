//! A batch that is halved while time passes and clients go.

use super::*;

const BAD: u8 = 255;
const HELD: u8 = 254;
const STUCK: u8 = 253;

/// A member of one row: what is in it, and its client's patience in milliseconds.
type One = (u8, Option<u64>);

/// Members whose first run together has failed for a bad one, and the runs before that one.
fn halved(rig: &Rig, members: &[One]) -> (Arc<Model>, Vec<Pending>, usize) {
    let model = rig.batched("picky", size(64));
    let busy = rig.occupy();
    let before = rig.backends.rows().len();
    let jobs = members
        .iter()
        .map(|&(value, timeout)| rig.submit_inputs(&model, [bytes(1, 2, value)], timeout))
        .collect();
    rig.backends.release(1);
    busy.result().unwrap();
    (model, jobs, before)
}

fn patient<const N: usize>(values: [u8; N]) -> [One; N] {
    values.map(|value| (value, None))
}

/// The number of the run at this place.
fn run_at(rig: &Rig, place: usize) -> u64 {
    rig.backends.wait_started(place + 1)[place].0
}

fn gets(job: &Pending, value: u8) {
    assert_eq!(
        job.result().unwrap()[0].as_ref().unwrap().bytes(),
        [value; 2]
    );
}

/// The rows of each run, as the backend saw them.
fn rows(rig: &Rig, before: usize) -> Vec<i64> {
    rig.backends.rows()[before..].to_vec()
}

#[test]
fn a_half_beyond_the_limit_is_stopped_and_not_halved_again() {
    let rig = Rig::new();
    let (model, jobs, before) = halved(&rig, &patient([1, BAD, HELD, 2, 3]));
    // All, the first two, each of them; then the others, which are held.
    let run = run_at(&rig, before + 4);
    gets(&jobs[0], 1);
    assert_eq!(jobs[1].error(), "a byte is 255");
    assert!(jobs[2..].iter().all(Pending::is_waiting));
    rig.pass(4_999);
    assert!(!rig.backends.any_cancelled());
    rig.pass(1);
    rig.backends.wait_cancelled(run);
    for job in &jobs[2..] {
        assert_eq!(job.error(), "stopped");
    }
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert_eq!(rows(&rig, before)[..5], [5, 2, 1, 1, 3]);
    let view = model.stats().view();
    assert_eq!((view.calls, view.errors, view.samples), (5, 4, 1));
}

/// The limit is for each run: halves that are short enough go on however long all of it takes.
#[test]
fn each_half_has_the_whole_limit() {
    let rig = Rig::new();
    let (_, jobs, before) = halved(&rig, &patient([BAD, HELD, HELD, HELD]));
    // All, the first two, each of them: the second is held; then the last two.
    for place in [3, 4] {
        run_at(&rig, before + place);
        rig.pass(4_000);
        rig.backends.release(1);
    }
    assert_eq!(jobs[0].error(), "a byte is 255");
    for job in &jobs[1..] {
        gets(job, HELD);
    }
    assert!(!rig.backends.any_cancelled());
    assert_eq!(rows(&rig, before), [4, 2, 1, 1, 2]);
}

#[test]
fn a_stuck_half_costs_all_that_are_left_their_run_once() {
    let rig = Rig::new();
    let (model, jobs, before) = halved(&rig, &patient([BAD, 1, STUCK, 2, 3, 4, 5, 6]));
    // All, four, two, each of these; then the two of which one is stuck.
    let run = run_at(&rig, before + 5);
    assert_eq!(jobs[0].error(), "a byte is 255");
    gets(&jobs[1], 1);
    rig.pass(5_000);
    rig.backends.wait_cancelled(run);
    assert!(jobs[2..].iter().all(Pending::is_waiting));
    rig.pass(100);
    for job in &jobs[2..] {
        let text = job.error();
        assert!(text.starts_with("Exiting"), "{text}");
    }
    assert_eq!(
        rig.log(1),
        ["Worker 0 of queue CPU is stuck in a run; it was replaced"]
    );
    // The new worker serves the queue; what the old one comes back with is nobody's.
    rig.submit(&rig.model("echo"), None).result().unwrap();
    rig.backends.release(1);
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert_eq!(rows(&rig, before)[..6], [8, 4, 2, 1, 1, 2]);
    let view = model.stats().view();
    assert_eq!((view.calls, view.errors, view.samples), (8, 7, 1));
}

#[test]
fn one_that_expires_before_its_half_takes_no_part() {
    let rig = Rig::new();
    let members = [(HELD, None), (BAD, None), (7, Some(50)), (8, None)];
    let (model, jobs, before) = halved(&rig, &members);
    // All, the first two, the held one of them.
    run_at(&rig, before + 2);
    rig.pass(50);
    // Its inputs come back: no run has them.
    assert!(jobs[2].end_of("timed out"));
    assert!(jobs[3].is_waiting() && jobs[0].is_waiting());
    rig.backends.release(1);
    gets(&jobs[0], HELD);
    assert_eq!(jobs[1].error(), "a byte is 255");
    gets(&jobs[3], 8);
    assert_eq!(rows(&rig, before), [4, 2, 1, 1, 1]);
    assert!(!rig.backends.any_cancelled());
    assert_eq!(model.stats().runs().late, 0);
    // It was in the run that failed, which gave it nothing; its own end was its deadline.
    let view = model.stats().view();
    assert_eq!((view.calls, view.errors, view.samples), (3, 1, 2));
}

#[test]
fn one_that_expires_in_its_half_leaves_it_to_the_others() {
    let rig = Rig::new();
    let members = [(1, None), (BAD, None), (HELD, None), (2, Some(50))];
    let (model, jobs, before) = halved(&rig, &members);
    run_at(&rig, before + 4);
    rig.pass(50);
    assert!(jobs[3].end_of("timed out"));
    assert!(jobs[2].is_waiting());
    rig.backends.release(1);
    gets(&jobs[2], HELD);
    assert_eq!(rows(&rig, before), [4, 2, 1, 1, 2]);
    assert!(!rig.backends.any_cancelled());
    rig.submit(&rig.model("echo"), None).result().unwrap();
    assert_eq!(model.stats().runs().late, 1);
}

#[test]
fn a_half_of_which_all_have_expired_is_stopped_and_the_other_goes_on() {
    let rig = Rig::new();
    let members = [(HELD, Some(50)), (5, Some(50)), (BAD, None), (9, None)];
    let (_, jobs, before) = halved(&rig, &members);
    let run = run_at(&rig, before + 1);
    rig.pass(50);
    assert!(jobs[0].end_of("timed out") && jobs[1].end_of("timed out"));
    rig.backends.wait_cancelled(run);
    assert_eq!(jobs[2].error(), "a byte is 255");
    gets(&jobs[3], 9);
    assert_eq!(rows(&rig, before), [4, 2, 2, 1, 1]);
}

#[test]
fn a_client_that_goes_in_the_halving_is_left_out() {
    let rig = Rig::new();
    let (_, jobs, before) = halved(&rig, &patient([HELD, BAD, 7, 8]));
    run_at(&rig, before + 2);
    jobs[2].handle.gone();
    assert!(jobs[2].end_of("gone"));
    rig.backends.release(1);
    gets(&jobs[0], HELD);
    assert_eq!(jobs[1].error(), "a byte is 255");
    gets(&jobs[3], 8);
    assert_eq!(rows(&rig, before), [4, 2, 1, 1, 1]);
}

#[test]
fn a_shutdown_in_the_halving_answers_everybody() {
    let rig = Rig::new();
    let (_, jobs, before) = halved(&rig, &patient([HELD, BAD, 7, 8]));
    run_at(&rig, before + 2);
    rig.engine.shutdown();
    for job in &jobs {
        // What could not run any more says so; nobody is left without an end.
        job.end();
    }
}

impl Pending {
    /// Whether it ended so, without a result.
    fn end_of(&self, expected: &str) -> bool {
        name(&self.end().0) == expected
    }
}
