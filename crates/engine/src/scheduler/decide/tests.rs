//! The rules, one by one, and what must hold for any numbers.

use super::Decision::{Take, Wait};
use super::*;
use proptest::prelude::*;

const POLICY: Policy = Policy {
    most: 32,
    min: 0,
    min_wait: NEVER,
    wait: true,
};

/// Four rows that came at 900; the last run ended at 1,000 and some of its clients are away.
const HEAD: Head = Head {
    rows: 4,
    full: false,
    since: 900,
    deadline: NEVER,
    last: Some(1_000),
};

/// A run takes 500; clients come back within 80.
const KNOWN: Known = Known {
    worth: NEVER,
    run: 500,
    back: 80,
};

fn minimum(min: u64, min_wait: u64) -> Policy {
    Policy {
        min,
        min_wait,
        ..POLICY
    }
}

#[test]
fn the_rules() {
    for (name, policy, head, known, expected) in cases() {
        assert_eq!(decide(policy, head, known, 1_010), expected, "{name}");
    }
    assert_eq!(decide(POLICY, HEAD, KNOWN, 1_099), Wait(1_100));
    assert_eq!(decide(POLICY, HEAD, KNOWN, 1_100), Take(32));
}

type Case = (&'static str, Policy, Head, Known, Decision);

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    vec![
        // A fifth of the run's time, from the end of the last run on.
        ("clients come back", POLICY, HEAD, KNOWN, Wait(1_100)),
        ("full", POLICY, Head { full: true, ..HEAD }, KNOWN, Take(32)),
        ("enough", POLICY, Head { rows: 32, ..HEAD }, KNOWN, Take(32)),
        ("all are back", POLICY, Head { last: None, ..HEAD }, KNOWN, Take(32)),
        ("switched off", Policy { wait: false, ..POLICY }, HEAD, KNOWN, Take(32)),
        ("too slow", POLICY, HEAD, Known { back: 101, ..KNOWN }, Take(32)),
        ("just in time", POLICY, HEAD, Known { back: 100, ..KNOWN }, Wait(1_100)),
        ("nothing is known", POLICY, HEAD, Known { back: 0, ..KNOWN }, Take(32)),
        ("more do not pay", POLICY, HEAD, Known { worth: 4, ..KNOWN }, Take(4)),
        ("fewer pay", POLICY, HEAD, Known { worth: 1, ..KNOWN }, Take(1)),
        ("more than there are pay", POLICY, HEAD, Known { worth: 7, ..KNOWN }, Wait(1_100)),
        // The run must be over by the first deadline.
        ("in time", POLICY, Head { deadline: 1_600, ..HEAD }, KNOWN, Wait(1_100)),
        ("a deadline", POLICY, Head { deadline: 1_599, ..HEAD }, KNOWN, Take(32)),
        // A minimum is the user's: neither what is learned nor a deadline changes it.
        ("below", minimum(5, 300), HEAD, KNOWN, Wait(1_200)),
        ("reached", minimum(4, 300), HEAD, KNOWN, Take(32)),
        ("for ever", minimum(5, NEVER), HEAD, KNOWN, Wait(NEVER)),
        ("over", minimum(5, 110), HEAD, KNOWN, Take(32)),
        ("below and full", minimum(5, 300), Head { full: true, ..HEAD }, KNOWN, Take(32)),
        ("it does not pay", minimum(5, 300), HEAD, Known { worth: 1, ..KNOWN }, Wait(1_200)),
        ("it pays to five", minimum(5, 300), Head { rows: 6, ..HEAD }, Known { worth: 1, ..KNOWN }, Take(5)),
        ("a deadline before it", minimum(5, 300), Head { deadline: 1_020, ..HEAD }, KNOWN, Wait(1_200)),
        ("more than the most", minimum(99, 300), Head { rows: 31, ..HEAD }, KNOWN, Wait(1_200)),
        ("the most", minimum(99, 300), Head { rows: 32, ..HEAD }, KNOWN, Take(32)),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..10_u64, 0..2_000_u64, any::<u64>(), Just(NEVER)]
}

prop_compose! {
    fn policies()(most in number(), min in number(), min_wait in number(), wait: bool) -> Policy {
        Policy { most, min, min_wait, wait }
    }
}

prop_compose! {
    fn heads()(
        rows in number(),
        full: bool,
        since in number(),
        deadline in number(),
        last in proptest::option::of(number()),
    ) -> Head {
        Head { rows, full, since, deadline, last }
    }
}

prop_compose! {
    fn knowledge()(worth in number(), run in number(), back in number()) -> Known {
        Known { worth, run, back }
    }
}

proptest! {
    #[test]
    fn it_keeps_its_promises(
        policy in policies(),
        head in heads(),
        known in knowledge(),
        now in number(),
    ) {
        let min = policy.min.min(policy.most);
        match decide(policy, head, known, now) {
            Take(rows) => {
                prop_assert!(rows >= 1 && rows <= policy.most.max(1));
                prop_assert!(rows >= min);
            }
            Wait(until) => {
                prop_assert!(until > now && !head.full);
                if min > 0 {
                    prop_assert!(head.rows < min);
                    prop_assert_eq!(until, head.since.saturating_add(policy.min_wait));
                } else {
                    // A fifth of a run's time at most, and only for clients that come back.
                    let last = head.last.unwrap();
                    prop_assert!(policy.wait && until - last <= known.run / 5);
                    prop_assert!(until <= head.deadline);
                    // When that time has come it runs: nothing waits twice.
                    prop_assert!(matches!(decide(policy, head, known, until), Take(_)));
                }
            }
        }
    }
}
