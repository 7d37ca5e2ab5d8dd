//! How deep and how large functions are once TensorFlow has put each where it is called. It has no
//! bounds of its own: without an end it runs out of stack, and of memory.

use crate::error::unsupported;
use crate::proto::{FunctionDef, NodeDef};
use crate::walk::{Walk, name_of, within};
use redisai_core::BackendError;
use std::collections::HashMap;

/// Functions within functions.
const DEPTH: usize = 64;
/// Nodes of a function, with those of all that it calls.
const NODES: u64 = 4_000_000;

/// Refuses functions that call themselves, and those that become too deep or too large.
pub(crate) fn check(walk: &Walk<'_>) -> Result<(), BackendError> {
    let mut extents = Extents {
        walk,
        known: HashMap::new(),
    };
    for function in walk.functions() {
        extents.of(function, 0)?;
    }
    extents.sum(walk.all().map(|place| place.node), 0)?;
    Ok(())
}

/// Of a function, with all that it calls.
#[derive(Clone, Copy, Default)]
struct Extent {
    nodes: u64,
    depth: usize,
}

struct Extents<'w, 'a> {
    walk: &'w Walk<'a>,
    known: HashMap<&'a str, Extent>,
}

impl<'a> Extents<'_, 'a> {
    /// `above` bounds our own depth: a function that calls itself has no extent.
    fn of(&mut self, function: &'a FunctionDef, above: usize) -> Result<Extent, BackendError> {
        let name = name_of(function);
        if let Some(known) = self.known.get(name) {
            return Ok(*known);
        }
        if above > DEPTH {
            return Err(too_deep());
        }
        let nodes = within(function).map(|place| place.node);
        let extent = self.sum(nodes, above)?;
        self.known.insert(name, extent);
        Ok(extent)
    }

    fn sum(
        &mut self,
        nodes: impl Iterator<Item = &'a NodeDef>,
        above: usize,
    ) -> Result<Extent, BackendError> {
        let mut sum = Extent::default();
        for node in nodes {
            sum.nodes = sum.nodes.saturating_add(1);
            for function in self.walk.called(node) {
                let inner = self.of(function, above + 1)?;
                sum.nodes = sum.nodes.saturating_add(inner.nodes);
                sum.depth = sum.depth.max(inner.depth + 1);
            }
        }
        if sum.depth > DEPTH {
            return Err(too_deep());
        }
        if sum.nodes > NODES {
            let text =
                format!("ERR the model's functions together call more than {NODES} operations");
            return Err(unsupported(text));
        }
        Ok(sum)
    }
}

fn too_deep() -> BackendError {
    unsupported(format!(
        "ERR the model has functions that call each other without end, or deeper than {DEPTH}"
    ))
}
