//! Many threads at once: every job ends exactly once.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads that hand in, expire and abandon jobs while workers run them. Each completion counts
/// itself; every job must have been counted once, and every input must have come to an end.
#[test]
fn every_job_ends_exactly_once() {
    const THREADS: usize = 4;
    const JOBS: usize = 2_000;
    let rig = Rig::with(Config {
        threads_per_queue: 2,
        ..Config::default()
    });
    rig.backends.set_most_runs(1);
    let models = [
        rig.model("echo"),
        rig.model("echo 1 1 b"),
        rig.model("fail"),
    ];
    let counts: Arc<Vec<AtomicUsize>> =
        Arc::new((0..THREADS * JOBS).map(|_| AtomicUsize::new(0)).collect());
    let ends = Arc::new([const { AtomicUsize::new(0) }; 4]);
    let bell = Arc::new(Bell::default());
    let input = tensor(&[1, 1]);
    let hand_in = |number: usize| {
        let (counts, ends, bell) = (Arc::clone(&counts), Arc::clone(&ends), Arc::clone(&bell));
        let completion = Box::new(move |outcome: Outcome, _| {
            counts[number].fetch_add(1, Ordering::Relaxed);
            let kind = ["ok", "error", "timed out", "gone"];
            let kind = kind
                .iter()
                .position(|kind| *kind == name(&outcome))
                .unwrap();
            ends[kind].fetch_add(1, Ordering::Relaxed);
            bell.ring();
        });
        let request = Request {
            model: Arc::clone(&models[number % 3]),
            call: None,
            inputs: [Arc::clone(&input)].into_iter().collect(),
            outputs: 1,
            timeout: number
                .is_multiple_of(2)
                .then(|| Duration::from_millis(1 + number as u64 % 3)),
        };
        rig.engine.submit(request, completion).unwrap()
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (hand_in, clock) = (&hand_in, &rig.clock);
            scope.spawn(move || {
                for job in 0..JOBS {
                    let handle = hand_in(thread * JOBS + job);
                    match job % 5 {
                        0 => handle.gone(),
                        1 => clock.advance(Duration::from_millis(1)),
                        _ => {}
                    }
                }
            });
        }
    });
    bell.wait_for(THREADS * JOBS);
    rig.engine.shutdown();
    assert!(
        counts
            .iter()
            .all(|count| count.load(Ordering::Relaxed) == 1)
    );
    let ends = [0, 1, 2, 3].map(|kind| ends[kind].load(Ordering::Relaxed));
    assert_eq!(ends.iter().sum::<usize>(), THREADS * JOBS);
    // All were answered by a run, by the clock, or by their client; nothing was lost on the way.
    assert!(ends[0] > 0 && ends[1] > 0, "{ends:?}");
    assert_eq!(Arc::strong_count(&input), 1, "an input was lost");
}
