//! Finding the bad members of a batch that failed: pure data.

use std::ops::Range;

/// Which members of a batch run together next.
///
/// What failed is halved until the bad member is alone and fails alone: at most 2·log₂ n more runs
/// for one bad member. Where that many do not do, the rest run one by one.
pub(crate) struct Halves {
    /// What has still to run, the next last.
    parts: Vec<Range<usize>>,
    members: usize,
    /// Runs before the rest go one by one; `None`: nothing has failed yet.
    left: Option<u32>,
}

impl Halves {
    pub(crate) fn new(members: usize) -> Self {
        Self {
            parts: std::iter::once(0..members).collect(),
            members,
            left: None,
        }
    }

    /// Members to run together.
    pub(crate) fn next(&mut self) -> Option<Range<usize>> {
        let part = self.parts.pop().filter(|part| !part.is_empty())?;
        match &mut self.left {
            None => Some(part),
            Some(0) => {
                let one = part.start..part.start + 1;
                if part.len() > 1 {
                    self.parts.push(one.end..part.end);
                }
                Some(one)
            }
            Some(left) => {
                *left -= 1;
                Some(part)
            }
        }
    }

    /// These members failed together. `false`: it is but one, which has failed for good.
    pub(crate) fn failed(&mut self, part: Range<usize>) -> bool {
        if part.len() < 2 {
            return false;
        }
        if self.left.is_none() {
            self.left = Some(2 * self.members.next_power_of_two().ilog2());
        }
        let middle = part.start + part.len() / 2;
        self.parts.push(middle..part.end);
        self.parts.push(part.start..middle);
        true
    }

    /// No two run together any more; `part` has to run again so.
    pub(crate) fn singly(&mut self, part: Range<usize>) {
        if !part.is_empty() {
            self.parts.push(part);
        }
        self.left = Some(0);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Runs after the first, and who failed.
    fn search(members: usize, bad: &[usize]) -> (usize, Vec<usize>) {
        let mut halves = Halves::new(members);
        let (mut runs, mut failed, mut ran) = (0, Vec::new(), vec![false; members]);
        while let Some(part) = halves.next() {
            runs += 1;
            let fails = bad.iter().any(|bad| part.contains(bad));
            if fails && !halves.failed(part.clone()) {
                failed.push(part.start);
            }
            if !fails || part.len() == 1 {
                for member in part {
                    assert!(!ran[member], "{member} twice");
                    ran[member] = true;
                }
            }
        }
        assert!(ran.iter().all(|&ran| ran), "somebody was left out");
        failed.sort_unstable();
        (runs - 1, failed)
    }

    #[test]
    fn one_bad_member_costs_two_runs_for_each_halving() {
        for (members, most) in [
            (2, 2),
            (3, 4),
            (4, 4),
            (7, 6),
            (8, 6),
            (9, 8),
            (32, 10),
            (33, 12),
        ] {
            for bad in 0..members {
                let (runs, failed) = search(members, &[bad]);
                assert_eq!(failed, [bad]);
                assert!(runs <= most, "{members} members, {bad} bad: {runs}");
            }
            assert_eq!(search(members, &[]), (0, vec![]));
        }
    }

    #[test]
    fn many_bad_members_end_in_single_runs() {
        for members in 2_usize..40 {
            let all: Vec<_> = (0..members).collect();
            let log = members.next_power_of_two().ilog2() as usize;
            for step in 1..members {
                let bad: Vec<_> = (0..members).step_by(step).collect();
                let (runs, failed) = search(members, &bad);
                assert_eq!(failed, bad);
                assert!(runs <= 2 * log + members, "{members}, {bad:?}: {runs}");
            }
            assert_eq!(search(members, &all).1, all);
        }
    }

    #[test]
    fn the_rest_can_be_told_to_run_one_by_one() {
        let mut halves = Halves::new(4);
        assert_eq!(halves.next(), Some(0..4));
        assert!(halves.failed(0..4));
        assert_eq!(halves.next(), Some(0..2));
        halves.singly(0..2);
        let rest = [Some(0..1), Some(1..2), Some(2..3), Some(3..4), None];
        assert_eq!([(); 5].map(|()| halves.next()), rest);
    }
}
