//! When a batch runs and how many rows it takes: one pure function.
//!
//! In this order:
//! 1. What runs alone, what is full (the next request of its kind does not fit any more) and what
//!    belongs to a model whose key has gone runs now.
//! 2. `MINBATCHSIZE` waits for that many rows, up to `MINBATCHTIMEOUT`.
//! 3. Without it nothing waits, but for one case: a closed loop of clients falls apart into groups
//!    that never meet. So a worker waits where the clients that have just been answered come back
//!    within a fifth of the time that a run takes, and only if more rows pay.
//!
//! A run takes no more rows than pay ([`Known::worth`]), nor fewer than `MINBATCHSIZE`.

/// The share of a run's time that a worker may wait for more rows: one fifth.
const SHARE: u64 = 5;

/// No time at all.
pub(crate) const NEVER: u64 = u64::MAX;

/// What the user, and the model itself, say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The most rows of one run; below 2: every request runs alone.
    pub(crate) most: u64,
    /// Rows to wait for; 0: none. Counts as `most` at most.
    pub(crate) min: u64,
    /// How long to wait for them, in nanoseconds; [`NEVER`]: without end.
    pub(crate) min_wait: u64,
    /// Whether a worker may wait where there is no minimum (`BATCH_WAIT`).
    pub(crate) wait: bool,
}

/// The requests at hand, all of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Their rows.
    pub(crate) rows: u64,
    /// Nothing more can join.
    pub(crate) full: bool,
    /// When the first of them came.
    pub(crate) since: u64,
    /// The first deadline among them; [`NEVER`]: none has one.
    pub(crate) deadline: u64,
    /// The model's last run of this kind, if clients of it have not come back yet.
    pub(crate) last: Option<u64>,
}

/// What the model's runs have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The most rows that pay in one run; [`NEVER`]: nothing speaks against more.
    pub(crate) worth: u64,
    /// How long a run takes; 0: not known.
    pub(crate) run: u64,
    /// How long after a run as many requests have come as it has served; 0: not known.
    pub(crate) back: u64,
}

/// What to do. Times are nanoseconds of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Run, with so many rows at most (one request in any case).
    Take(u64),
    /// Wait for more, until then at the latest.
    Wait(u64),
}

/// See the top of this file.
pub(crate) fn decide(policy: Policy, head: Head, known: Known, now: u64) -> Decision {
    let min = policy.min.min(policy.most);
    let most = known.worth.max(min).clamp(1, policy.most.max(1));
    let take = Decision::Take(most);
    if head.full || head.rows >= most {
        return take;
    }
    let until = if min > 0 {
        if head.rows >= min {
            return take;
        }
        head.since.saturating_add(policy.min_wait)
    } else {
        match head.last {
            Some(ended) if policy.wait && comes_back_soon(known) => {
                ended.saturating_add(known.run / SHARE)
            }
            _ => return take,
        }
    };
    // A short wait must leave the run the time that it needs. (A user's minimum is the user's: the
    // deadline answers that client.)
    let in_time = min > 0 || until.saturating_add(known.run) <= head.deadline;
    if now < until && in_time {
        Decision::Wait(until)
    } else {
        take
    }
}

/// Whether the clients of the last run are seen again within the share of a run's time.
fn comes_back_soon(known: Known) -> bool {
    known.back > 0 && known.back <= known.run / SHARE
}

#[cfg(all(test, not(loom)))]
mod tests;
