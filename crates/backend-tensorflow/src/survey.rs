//! What a graph's operations are: files, loops.

use crate::calls;
use crate::error::bad_model;
use crate::fed::Feeds;
use crate::files::{file_input, is_file, is_own, plain, refused};
use crate::proto::GraphDef;
use crate::walk::{Fed, Place, Walk};
use redisai_core::BackendError;

/// Operations whose time has no bound, or depends on values.
const LOOPS: [&str; 12] = [
    "While",
    "StatelessWhile",
    "Enter",
    "RefEnter",
    "NextIteration",
    "RefNextIteration",
    "For",
    "ReduceDataset",
    "OneShotIterator",
    "IteratorGetNext",
    "MapDefun",
    "ParallelMapDataset",
];
/// Operations with branches.
const BRANCHES: [&str; 6] = [
    "If",
    "StatelessIf",
    "Case",
    "StatelessCase",
    "Switch",
    "RefSwitch",
];

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Whether there are loops.
    pub(crate) loops: bool,
    /// Whether there are convolutions.
    pub(crate) convolves: bool,
    /// Whether there are loops or branches.
    pub(crate) control_flow: bool,
}

/// What loading a SavedModel runs, and what it feeds meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Loading<'a> {
    /// Nodes that restore the variables.
    pub(crate) restore: Vec<&'a str>,
    /// Nodes that are run once afterwards.
    pub(crate) init: Vec<&'a str>,
    /// The place of the variables' file, fed as they are restored.
    pub(crate) variables: Option<Fed<'a>>,
    /// Paths of assets, fed both times.
    pub(crate) assets: Vec<Fed<'a>>,
}

/// A frozen graph: no operation on files anywhere.
pub(crate) fn survey(graph: &GraphDef) -> Result<Survey, BackendError> {
    let walk = walk(graph)?;
    refuse(walk.all(), |_| false)?;
    Ok(flow(walk.all()))
}

/// A SavedModel: what a run reaches has no operation on files; what loading runs only such as read
/// the files that TensorFlow itself names then, which are those of the archive; the rest, which
/// nothing runs, only those of loading and saving.
pub(crate) fn survey_saved<'a>(
    graph: &'a GraphDef,
    outputs: impl Iterator<Item = &'a str>,
    loading: &Loading<'a>,
) -> Result<Survey, BackendError> {
    let walk = walk(graph)?;
    let runs = walk.reached(outputs);
    refuse(runs.iter().copied(), |_| false)?;
    let init = walk.reached(loading.init.iter().copied());
    let restore = walk.reached(loading.restore.iter().copied());
    let running = [init.as_slice(), &restore].concat();
    let mut feeds = Feeds {
        walk: &walk,
        fed: loading.assets.clone(),
        running: &running,
    };
    let of_the_archive = |feeds: &Feeds<'_, 'a>, place: Place<'a>| {
        file_input(place.node).is_some_and(|input| feeds.are(place, input))
    };
    refuse(init.into_iter(), |place| of_the_archive(&feeds, place))?;
    feeds.fed.extend(loading.variables);
    refuse(restore.into_iter(), |place| of_the_archive(&feeds, place))?;
    refuse(walk.all(), |place| is_own(place.node))?;
    Ok(flow(runs.into_iter()))
}

fn walk(graph: &GraphDef) -> Result<Walk<'_>, BackendError> {
    let walk = Walk::new(graph);
    if walk.is_whole(graph) {
        calls::check(&walk)?;
        Ok(walk)
    } else {
        let text = "ERR two nodes of the graph, or two of its functions, have the same name";
        Err(bad_model(text))
    }
}

/// Refuses operations on files, but those that are allowed.
fn refuse<'a>(
    mut places: impl Iterator<Item = Place<'a>>,
    allowed: impl Fn(Place<'a>) -> bool,
) -> Result<(), BackendError> {
    let found = places.find(|place| is_file(place.node) && !allowed(*place));
    found.map_or(Ok(()), |place| Err(refused(place.node)))
}

fn flow<'a>(places: impl Iterator<Item = Place<'a>>) -> Survey {
    places.fold(Survey::default(), |found, place| {
        let plain = plain(&place.node.op);
        let loops = LOOPS.contains(&plain) || plain.ends_with("Dataset");
        Survey {
            loops: found.loops || loops,
            convolves: found.convolves || plain.contains("Conv"),
            control_flow: found.control_flow || loops || BRANCHES.contains(&plain),
        }
    })
}

/// For bytes that are no message.
pub(crate) fn no_graph() -> BackendError {
    bad_model(crate::error::NO_GRAPH)
}

#[cfg(test)]
mod tests;
