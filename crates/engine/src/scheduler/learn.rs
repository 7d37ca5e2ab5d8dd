//! What a model's runs show: whether larger ones pay, and how soon its clients come back.

use super::decide::{Known, NEVER};

/// Sizes are told apart by powers of two: 1, 2–3, 4–7, … The last holds all that is larger.
pub(crate) const SIZES: usize = 17;
/// Runs of a size before it is believed.
const TRUST: u32 = 3;
/// A larger run pays where its rows take less than this share of the time.
const PAYS: f64 = 0.95;
/// Nanoseconds around a run that its rows share too: a worker and the door wake up for it.
const AROUND: f64 = 10_000.0;
/// Of all time spent in runs, one part in so many goes into runs of a size that is not known yet,
const FIRST_TRIALS: f64 = 32.0;
/// and one in so many into runs of other sizes than the best, to see whether that is still the best.
const TRIALS: f64 = 256.0;
/// Merged runs before the first trial.
const SETTLED: u32 = 4;
/// How much one observation of the clients' return counts.
const WEIGHT: u64 = 4;

/// What has been learned of one model. Kept when statistics are reset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    sizes: [Size; SIZES],
    /// Runs of more than one request.
    merged: u32,
    /// Nanoseconds in runs since the last trial.
    since_trial: f64,
    /// Which of the sizes around the best was tried last.
    tried: usize,
    last: Option<Last>,
    run: u64,
    back: u64,
}

/// Runs of about one size.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    runs: u32,
    /// Nanoseconds of one row.
    row: f64,
}

/// The last run.
#[derive(Clone, Copy, Debug)]
struct Last {
    ended: u64,
    class: u64,
    /// Requests that it served and that have not come again.
    away: usize,
}

/// A run that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ran {
    pub(crate) rows: u64,
    pub(crate) jobs: usize,
    /// The kind of its requests.
    pub(crate) class: u64,
    pub(crate) ended: u64,
    /// Nanoseconds, with joining and splitting; 0: it failed, or its rows are not known.
    pub(crate) cost: u64,
}

/// The bounds of a size: the rows of its largest run.
fn largest(size: usize) -> u64 {
    (2_u64 << size) - 1
}

/// The size of a run of so many rows.
pub(crate) fn size_of_rows(rows: u64) -> usize {
    (rows.max(1).ilog2() as usize).min(SIZES - 1)
}

impl Learned {
    /// A request of this kind has come.
    pub(crate) fn arrived(&mut self, class: u64, now: u64) {
        if let Some(last) = &mut self.last
            && last.class == class
            && last.away > 0
        {
            last.away -= 1;
            if last.away == 0 {
                let back = now.saturating_sub(last.ended).max(1);
                self.saw_back(back);
            }
        }
    }

    /// A run has ended.
    pub(crate) fn ran(&mut self, ran: Ran) {
        // Those of the run before are not back yet: it takes them this long at least.
        if let Some(last) = self.last
            && last.away > 0
        {
            self.saw_back(ran.ended.saturating_sub(last.ended).max(1));
        }
        self.last = Some(Last {
            ended: ran.ended,
            class: ran.class,
            away: ran.jobs,
        });
        if ran.cost == 0 || ran.rows == 0 {
            return;
        }
        self.run = ran.cost;
        if ran.jobs > 1 {
            self.merged = self.merged.saturating_add(1);
        }
        self.since_trial += ran.cost as f64;
        let row = ran.cost as f64 / ran.rows as f64;
        if let Some(size) = self.sizes.get_mut(size_of_rows(ran.rows)) {
            size.runs = size.runs.saturating_add(1);
            // What disturbs a run makes it longer, never shorter: it falls at once, rises slowly,
            // however long one run was.
            size.row = if size.runs == 1 || row < size.row {
                row
            } else {
                size.row + (row.min(2.0 * size.row) - size.row) / 8.0
            };
        }
    }

    fn saw_back(&mut self, back: u64) {
        self.back = if self.back == 0 {
            back
        } else {
            (self.back * (WEIGHT - 1) + back.min(1 << 60)) / WEIGHT
        };
    }

    /// What [`decide`](super::decide::decide) needs to know of a run of up to `most` rows.
    pub(crate) fn known(&self, most: u64) -> Known {
        Known {
            worth: self.worth(most),
            run: self.run,
            back: self.back,
        }
    }

    /// When the last run of this kind ended, if some of its clients are still away.
    pub(crate) fn away(&self, class: u64) -> Option<u64> {
        let last = self.last.filter(|last| last.class == class)?;
        (last.away > 0).then_some(last.ended)
    }

    /// The most rows of the best size; [`NEVER`] as long as nothing speaks against larger runs.
    pub(crate) fn worth(&self, most: u64) -> u64 {
        let top = size_of_rows(most);
        let best = self.best(top);
        if best == top { NEVER } else { largest(best) }
    }

    /// The size whose rows take the least time; larger ones must be better by more than noise. A
    /// size that is not known yet counts as good.
    fn best(&self, top: usize) -> usize {
        let mut known = self.believed(top);
        let Some(mut best) = known.next() else {
            return top;
        };
        let mut refuted = false;
        for (size, row) in known {
            refuted = row >= best.1 * PAYS;
            if !refuted {
                best = (size, row);
            }
        }
        if refuted { best.0 } else { top }
    }

    /// Sizes that have been seen often enough, up to `top`, with the time of a row and its share of
    /// what is around the run.
    fn believed(&self, top: usize) -> impl Iterator<Item = (usize, f64)> {
        let sizes = self.sizes.iter().take(top + 1).enumerate();
        sizes
            .filter(|(_, size)| size.runs >= TRUST)
            .map(|(number, size)| (number, size.row + AROUND / (1_u64 << number) as f64))
    }

    /// The rows of a run that is made to learn from it, if one is due: of a size near the best that
    /// may have become better, or that has not been seen often enough.
    pub(crate) fn trial(&mut self, most: u64, rows: u64) -> Option<u64> {
        if self.merged < SETTLED {
            return None;
        }
        let top = size_of_rows(most).min(size_of_rows(rows));
        let best = self.best(size_of_rows(most)).min(top);
        let near = [0, best.saturating_sub(1), best + 1, best + 2];
        let mut near = near.into_iter().filter(|&size| size <= top && size != best);
        let runs = |size: usize| self.sizes.get(size).map_or(0, |size| size.runs);
        let unseen = near.clone().find(|&size| runs(size) < TRUST);
        let (size, share) = match unseen {
            Some(size) => (size, FIRST_TRIALS),
            None => (near.nth(self.tried % near.clone().count().max(1))?, TRIALS),
        };
        let rows = largest(size).min(most);
        let row = self.sizes.get(size).map_or(0.0, |size| size.row);
        let cost = if row == 0.0 {
            self.run as f64 / 4.0
        } else {
            row * rows as f64
        };
        if self.since_trial < cost * share {
            return None;
        }
        self.since_trial = 0.0;
        self.tried = self.tried.wrapping_add(1);
        Some(rows)
    }

    /// For each size that has been seen, its smallest number of rows and the nanoseconds of a row;
    /// and how soon clients come back.
    pub(crate) fn times(&self) -> (Vec<(u64, u64)>, u64) {
        let sizes = self.sizes.iter().enumerate();
        let seen = sizes.filter(|(_, size)| size.runs > 0);
        let rows = seen.map(|(number, size)| (1 << number, size.row as u64));
        (rows.collect(), self.back)
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
