//! What runs show.

use super::*;

fn ran(learned: &mut Learned, rows: u64, cost: u64) {
    learned.ran(Ran {
        rows,
        jobs: rows as usize,
        class: 1,
        ended: 0,
        cost,
    });
}

/// So long that what is around a run does not matter.
const MS: u64 = 1_000_000;

/// After three runs of each of these sizes, by the milliseconds of a row.
fn learned(sizes: &[(u64, u64)]) -> Learned {
    let mut learned = Learned::default();
    for &(rows, row) in sizes {
        for _ in 0..TRUST {
            ran(&mut learned, rows, rows * row * MS);
        }
    }
    learned
}

#[test]
fn larger_runs_pay_until_it_is_seen_that_they_do_not() {
    for (sizes, most, worth) in [
        (&[][..], 32, NEVER),
        (&[(1, 100)], 32, NEVER),
        (&[(32, 100)], 32, NEVER),
        (&[(1, 100), (32, 94)], 32, NEVER),
        // Not by more than noise.
        (&[(1, 100), (32, 96)], 32, 1),
        (&[(1, 100), (32, 110)], 32, 1),
        (&[(1, 100), (8, 50), (32, 60)], 32, 15),
        (&[(1, 100), (2, 110), (32, 50)], 32, NEVER),
        // What is larger than a run may be does not count.
        (&[(1, 100), (8, 50), (32, 60)], 8, NEVER),
    ] {
        assert_eq!(learned(sizes).worth(most), worth, "{sizes:?}");
    }
    // Two runs are not enough to believe it.
    let mut little = learned(&[(1, 100)]);
    ran(&mut little, 32, 6_400 * MS);
    ran(&mut little, 32, 6_400 * MS);
    assert_eq!(little.worth(32), NEVER);
    ran(&mut little, 32, 6_400 * MS);
    assert_eq!(little.worth(32), 1);
}

#[test]
fn what_disturbs_a_run_is_forgiven() {
    let mut learned = learned(&[(1, 100), (8, 50)]);
    // The first run of a size is slow, or something else uses the machine.
    ran(&mut learned, 8, 80_000 * MS);
    ran(&mut learned, 8, 400 * MS);
    assert_eq!(learned.worth(8), NEVER);
    // A failed run, or one of no rows, shows nothing.
    ran(&mut learned, 8, 0);
    ran(&mut learned, 0, 80_000 * MS);
    assert_eq!(learned.times().0, [(1, 100 * MS), (8, 50 * MS)]);
    // However slow one run was, the next ones decide.
    ran(&mut learned, 8, 1 << 60);
    assert_eq!(learned.worth(8), NEVER);
    // What has become slow for good is seen.
    for _ in 0..20 {
        ran(&mut learned, 8, 1_600 * MS);
    }
    assert_eq!(learned.worth(8), 1);
}

#[test]
fn a_run_of_more_rows_shares_what_is_around_it() {
    let mut learned = Learned::default();
    // No row is cheaper, but a worker and the door wake up once.
    for (rows, each) in [(1, 4_000), (8, 4_000)] {
        (0..TRUST).for_each(|_| ran(&mut learned, rows, rows * each));
    }
    assert_eq!(learned.worth(8), NEVER);
}

#[test]
fn other_sizes_are_tried_for_a_small_share_of_the_time() {
    let mut learned = Learned::default();
    let (mut all, mut trials, mut tried) = (0, 0, Vec::new());
    for _ in 0..4_000 {
        let trial = learned.trial(32, 32);
        let rows = trial.unwrap_or(32);
        let cost = 1_200 + 80 * rows;
        ran(&mut learned, rows, cost);
        all += cost;
        if trial.is_some() {
            trials += cost;
            tried.push(rows);
        }
    }
    assert!(tried.contains(&1) && tried.contains(&31), "{tried:?}");
    assert!(trials * 50 < all, "{trials} of {all}: {tried:?}");
    // A model that has hardly run is left alone.
    let mut fresh = Learned::default();
    for _ in 0..3 {
        ran(&mut fresh, 32, 1 << 40);
        assert_eq!(fresh.trial(32, 32), None);
    }
    // No trial needs more rows than there are.
    assert!((0..100).all(|_| learned.trial(32, 1).is_none()));
}

#[test]
fn how_soon_clients_come_back() {
    let mut learned = Learned::default();
    let run = |learned: &mut Learned, jobs, ended| {
        learned.ran(Ran {
            rows: jobs as u64,
            jobs,
            class: 7,
            ended,
            cost: 100,
        });
    };
    run(&mut learned, 2, 1_000);
    assert_eq!((learned.away(7), learned.away(8)), (Some(1_000), None));
    learned.arrived(8, 1_001);
    learned.arrived(7, 1_010);
    assert_eq!(learned.times().1, 0);
    // The last of them says how long it took.
    learned.arrived(7, 1_040);
    assert_eq!((learned.away(7), learned.times().1), (None, 40));
    learned.arrived(7, 1_500);
    assert_eq!(learned.times().1, 40);
    // Who is not back by the end of the next run takes that long at least.
    run(&mut learned, 1, 2_000);
    run(&mut learned, 1, 3_000);
    assert_eq!(learned.times().1, (3 * 40 + 1_000) / 4);
}
