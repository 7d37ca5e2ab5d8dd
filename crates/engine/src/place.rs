//! Where a model's jobs wait, and how they may share runs.

use crate::scheduler::{DeviceQueue, LineId, NEVER, Policy};
use redisai_core::{Batch, Capabilities, Signature};
use std::sync::Arc;

/// A model's line in its device's queue, for as long as the model lives.
pub(crate) struct Place {
    pub(crate) queue: Arc<DeviceQueue>,
    pub(crate) line: LineId,
    /// Runs at one time are limited.
    pub(crate) limited: bool,
}

impl Place {
    /// A new line. `most_runs`: at one time; 0: any number.
    pub(crate) fn new(queue: Arc<DeviceQueue>, policy: Policy, most_runs: usize) -> Self {
        Self {
            line: queue.gate().add_line(policy, most_runs),
            queue,
            limited: most_runs > 0,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Jobs hold their model, so the line is empty.
        self.queue.gate().remove_line(self.line);
    }
}

/// How requests may share runs: what the user said, as far as backend and model can do it.
pub(crate) fn policy(
    batch: Batch,
    signature: Option<&Signature>,
    capabilities: &Capabilities,
    wait: bool,
) -> Policy {
    if !capabilities.batching {
        return Policy::default();
    }
    // A model may fix dimension 0 of an input itself.
    let function = signature.and_then(|signature| signature.functions.first());
    let inputs = function.map_or(&[][..], |function| &function.inputs);
    let fixed = inputs
        .iter()
        .filter_map(|input| input.dims.as_ref()?.first().copied()?)
        .filter_map(|rows| u64::try_from(rows).ok())
        .min();
    Policy {
        most: batch.size.min(fixed.unwrap_or(NEVER)),
        min: batch.min_size,
        min_wait: match batch.min_timeout_ms {
            0 => NEVER,
            ms => ms.saturating_mul(1_000_000),
        },
        wait,
    }
}
