//! One run for several requests.

use super::halves::Halves;
use super::worker::{answer, latest};
use super::{DeviceQueue, Fate, Jobs, LineId, Ran, Slot, rows};
use crate::Inputs;
use crate::job::{Job, retire};
use crate::run::{Attempt, Attempted, attempt};
use crate::session::Session;
use crate::shared::{Shared, next_run};
use redisai_core::{BackendError, RunOutput, Status};
use smallvec::SmallVec;
use std::ops::Range;
use std::sync::Arc;

/// A job that has started, with its inputs.
pub(crate) struct Member {
    pub(crate) job: Arc<Job>,
    pub(crate) inputs: Inputs,
}

/// A batch at work.
pub(crate) struct Together<'a> {
    pub(crate) shared: &'a Arc<Shared>,
    pub(crate) slot: &'a Slot,
    pub(crate) queue: &'a DeviceQueue,
    pub(crate) line: LineId,
    pub(crate) session: &'a Arc<Session>,
    /// Taken out when they have been answered.
    pub(crate) members: Vec<Option<Member>>,
}

impl Together<'_> {
    /// Runs all members in as few runs as it takes; each is answered once.
    pub(crate) fn run(mut self) -> Fate {
        let mut halves = Halves::new(self.members.len());
        while let Some(part) = halves.next() {
            self.drop_ended(part.clone());
            if self.run_part(part, &mut halves) == Fate::Overrun {
                // The timer has answered all that were left.
                self.drop_all();
                return Fate::Overrun;
            }
        }
        Fate::Kept
    }

    /// Those that nobody waits for any more take no part.
    fn drop_ended(&mut self, part: Range<usize>) {
        for place in self.members.get_mut(part).unwrap_or_default() {
            if let Some(member) = place.take_if(|member| !member.job.ticket.pending()) {
                self.shared.reaper.push(Box::new(member.inputs));
                retire(self.shared, member.job);
            }
        }
    }

    fn drop_all(&mut self) {
        for member in self.members.drain(..).flatten() {
            self.shared.reaper.push(Box::new(member.inputs));
            retire(self.shared, member.job);
        }
    }

    fn run_part(&mut self, part: Range<usize>, halves: &mut Halves) -> Fate {
        let part_members = self.members.get(part.clone()).unwrap_or_default();
        let live: SmallVec<[&Member; 32]> = part_members.iter().flatten().collect();
        let Some(first) = live.first() else {
            return Fate::Kept;
        };
        let began = self.shared.clock.now();
        let joined;
        let inputs = if live.len() == 1 {
            &first.inputs
        } else {
            let all: SmallVec<[&Inputs; 32]> = live.iter().map(|member| &member.inputs).collect();
            let Some(inputs) = rows::join(&all) else {
                halves.singly(part);
                return Fate::Kept;
            };
            joined = inputs;
            &joined
        };
        let rows = live.iter().map(|member| member.job.rows).sum();
        let count = live.len();
        let attempted = attempt(
            self.shared,
            self.slot,
            Attempt {
                run: next_run(),
                model: &first.job.model,
                session: self.session,
                inputs,
                outputs: first.job.outputs,
                call: None,
                deadline: latest(live.iter().map(|member| member.job.deadline)),
                jobs: self.jobs(&part),
                serves: count,
            },
        );
        if attempted.fate == Fate::Overrun {
            return Fate::Overrun;
        }
        first.job.model.stats().record_rows(rows, count);
        first.job.model.short().crowd().ran(count);
        drop(live);
        self.share(part, halves, attempted, (began, rows, count));
        Fate::Kept
    }

    /// All that have not been answered, those of `part` first.
    fn jobs(&self, part: &Range<usize>) -> Jobs {
        let own = self.members.get(part.clone()).unwrap_or_default();
        let before = self.members.get(..part.start).unwrap_or_default();
        let behind = self.members.get(part.end..).unwrap_or_default();
        let all = own.iter().chain(before).chain(behind).flatten();
        all.map(|member| Arc::clone(&member.job)).collect()
    }

    /// Gives each member of a run what is its own.
    fn share(
        &mut self,
        part: Range<usize>,
        halves: &mut Halves,
        attempted: Attempted,
        (began, rows, count): (u64, u64, usize),
    ) {
        let times = (attempted.began, attempted.nanos);
        let outputs = match attempted.result {
            Ok(outputs) if count > 1 && !rows::have_rows(&outputs, rows) => {
                // Whatever it does, it does not do it row by row.
                self.queue.gate().never_join(self.line);
                halves.singly(0..0);
                Err(None)
            }
            Ok(outputs) => Ok(outputs),
            Err(error) if count > 1 && is_a_members(error.status) => {
                halves.failed(part);
                return;
            }
            Err(error) => Err(Some(error)),
        };
        let mut from = 0;
        let results: Vec<(Member, Result<RunOutput, BackendError>)> = self
            .members
            .get_mut(part)
            .unwrap_or_default()
            .iter_mut()
            .filter_map(Option::take)
            .map(|member| {
                let start = from;
                from += member.job.rows;
                let result = match &outputs {
                    Ok(outputs) if count == 1 => Ok(outputs.clone()),
                    // Rows that nobody waits for are not copied.
                    Ok(_) if !member.job.ticket.pending() => Ok(RunOutput::new()),
                    Ok(outputs) => rows::slice(outputs, start, member.job.rows),
                    Err(Some(error)) => Err(error.clone()),
                    Err(None) => Err(rows::wrong_rows(member.job.model.def().backend())),
                };
                (member, result)
            })
            .collect();
        let ended = self.shared.clock.now();
        if let Some((first, _)) = results.first() {
            let ran = Ran {
                rows,
                jobs: count,
                class: first.job.class,
                ended,
                cost: outputs
                    .as_ref()
                    .map_or(0, |_| ended.saturating_sub(began).max(1)),
            };
            // Before the clients hear of it and come back.
            self.queue.gate().ran(self.line, ran);
        }
        for (member, result) in results {
            answer(self.shared, member, result, times);
        }
    }
}

/// Whether a batch may have failed for one of its members. What stopped it, or was not there for
/// it, would be so for each; after a panic the session is another one.
fn is_a_members(status: Status) -> bool {
    matches!(
        status,
        Status::BadInput | Status::RunFailed | Status::Unsupported
    )
}
