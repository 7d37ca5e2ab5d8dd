//! Which values are sure to be those that TensorFlow feeds while it loads a SavedModel.

use crate::walk::{Fed, Origin, Place, Walk};

/// The operation that assigns a value to a variable, and the one that reads it.
const ASSIGN: &str = "AssignVariableOp";
const READ: &str = "ReadVariableOp";
const VARIABLE: &str = "VarHandleOp";
/// Beginnings of the names of all operations that may change a variable: the first input is its handle.
const WRITERS: [&str; 2] = ["Assign", "Resource"];

/// What is fed, and what is run meanwhile or before.
pub(crate) struct Feeds<'w, 'a> {
    pub(crate) walk: &'w Walk<'a>,
    pub(crate) fed: Vec<Fed<'a>>,
    pub(crate) running: &'w [Place<'a>],
}

impl<'a> Feeds<'_, 'a> {
    /// Whether an input of a node is a value that is fed, perhaps by way of a variable, and nothing
    /// else ever.
    pub(crate) fn are(&self, place: Place<'a>, input: usize) -> bool {
        let origins = self.walk.origins(place, input, &self.fed);
        let is_fed = |origin: Origin<'a>| match origin {
            Origin::Fed => true,
            Origin::Node(place) => place.node.op == READ && self.variable_is_fed(place),
        };
        origins.is_some_and(|all| !all.is_empty() && all.into_iter().all(is_fed))
    }

    /// Whether whatever is assigned to the variable that this node reads is fed.
    fn variable_is_fed(&self, read: Place<'a>) -> bool {
        let Some(variable) = self.variable(read) else {
            return false;
        };
        let mut writers = self
            .running
            .iter()
            .filter(|place| WRITERS.iter().any(|name| place.node.op.starts_with(name)));
        writers.all(|writer| match self.variable(*writer) {
            Some(other) if other != variable => true,
            Some(_) => writer.node.op == ASSIGN && self.is_directly_fed(*writer, 1),
            None => false,
        })
    }

    fn is_directly_fed(&self, place: Place<'a>, input: usize) -> bool {
        let origins = self.walk.origins(place, input, &self.fed);
        let is_fed = |all: Vec<Origin<'a>>| all.iter().all(|it| matches!(it, Origin::Fed));
        origins.is_some_and(|all| !all.is_empty() && is_fed(all))
    }

    /// By what names the variable is known that a node reads or writes; none where it is not sure.
    fn variable(&self, place: Place<'a>) -> Option<[&'a [u8]; 2]> {
        let mut found = None;
        for origin in self.walk.origins(place, 0, &[])? {
            let Origin::Node(handle) = origin else {
                return None;
            };
            let node = handle.node;
            let names = [node.text("container"), node.text("shared_name")];
            if node.op != VARIABLE || found.is_some_and(|it| it != names) {
                return None;
            }
            found = Some(names);
        }
        found
    }
}
