//! Names to slots.

use super::Persist;
use crate::Error;
use redisai_core::Tensor;
use smallvec::SmallVec;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// Up to so many names a search through all of them costs less than a hash table.
const FEW: usize = 16;

/// The slots, and which name stands for which of them so far.
#[derive(Default)]
pub(super) struct Wiring<'a> {
    slots: Vec<Option<Arc<Tensor>>>,
    few: SmallVec<[(&'a [u8], usize); 8]>,
    /// Used instead of `few` once there are more than [`FEW`].
    many: HashMap<&'a [u8], usize>,
    /// An input that nobody has produced.
    missing: bool,
}

impl<'a> Wiring<'a> {
    /// A new slot that this name stands for from now on.
    pub(super) fn produce(&mut self, name: &'a [u8], tensor: Option<Arc<Tensor>>) -> usize {
        let slot = self.slots.len();
        self.slots.push(tensor);
        if self.many.is_empty() && self.few.len() < FEW {
            self.few.push((name, slot));
        } else {
            // In order, so that the latest stays.
            self.many.extend(self.few.drain(..));
            self.many.insert(name, slot);
        }
        slot
    }

    /// New slots, one for each name.
    pub(super) fn produce_all(&mut self, names: impl Iterator<Item = &'a [u8]>) -> Range<usize> {
        let start = self.slots.len();
        names.for_each(|name| {
            self.produce(name, None);
        });
        start..self.slots.len()
    }

    /// The slot that a name stands for now. That there is none is an error, but one that comes after
    /// those of all operations: [`finish`](Self::finish) gives it.
    pub(super) fn consume(&mut self, name: &[u8]) -> usize {
        self.find(name).unwrap_or_else(|| {
            self.missing = true;
            0
        })
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        if !self.many.is_empty() {
            return self.many.get(name).copied();
        }
        let latest = self.few.iter().rev().find(|(known, _)| *known == name);
        latest.map(|&(_, slot)| slot)
    }

    /// The slots, and those of the keys to persist.
    #[expect(clippy::type_complexity, reason = "two fields of the DAG")]
    pub(super) fn finish(
        self,
        argv: &[&[u8]],
        persist: Range<usize>,
    ) -> Result<(Vec<Option<Arc<Tensor>>>, SmallVec<[Persist; 2]>), Error> {
        if self.missing {
            return Err(Error::NoDagInput);
        }
        let persist = persist
            .map(|key| {
                let slot = argv.get(key).and_then(|name| self.find(name));
                slot.map(|slot| Persist { key, slot })
            })
            .collect::<Option<_>>()
            .ok_or(Error::NoDagPersist)?;
        Ok((self.slots, persist))
    }
}

/// Whether all of them differ.
pub(super) fn unique(names: &[&[u8]]) -> bool {
    if names.len() > FEW {
        let mut seen = HashSet::with_capacity(names.len());
        return names.iter().all(|name| seen.insert(*name));
    }
    let mut rest = names;
    while let Some((first, others)) = rest.split_first() {
        if others.contains(first) {
            return false;
        }
        rest = others;
    }
    true
}
