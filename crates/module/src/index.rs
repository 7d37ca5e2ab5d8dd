//! Where models and scripts are: the names under which they were last seen, by database.
//!
//! A scan of the whole keyspace would be right too and needs no index, but takes a time that grows
//! with everything else that is stored. The index may hold names that no longer hold one
//! (overwritten by another type, say): whoever lists opens each key and forgets those. It never lacks
//! one: a store, a load from a file and the events of a rename, move, copy and restore add a name.
//! The events of a deletion take it out, so that names do not pile up where nobody lists.

use std::collections::{BTreeSet, HashMap};

/// Names by database.
#[derive(Default)]
pub(crate) struct Index {
    databases: HashMap<i32, BTreeSet<Box<[u8]>>>,
    /// Loaded from a file on a server that does not say of which database (6.2).
    unplaced: BTreeSet<Box<[u8]>>,
    /// Nobody tells of renames, moves, copies and restores.
    partial: bool,
}

impl Index {
    /// A model or a script was seen here.
    pub(crate) fn seen(&mut self, db: i32, name: &[u8]) {
        if self.partial {
            return;
        }
        let names = self.databases.entry(db).or_default();
        if !names.contains(name) {
            names.insert(name.into());
        }
    }

    /// One was loaded under this name, in a database that is not known.
    pub(crate) fn loaded(&mut self, name: &[u8]) {
        if self.partial {
            return;
        }
        self.unplaced.insert(name.into());
    }

    /// None is here any more. Unplaced names stay: they may be of another database.
    pub(crate) fn forget(&mut self, db: i32, name: &[u8]) {
        if let Some(names) = self.databases.get_mut(&db) {
            names.remove(name);
        }
    }

    /// From now on it would lack what is renamed, moved, copied or restored, and keep what is
    /// deleted: so it keeps nothing.
    pub(crate) fn set_partial(&mut self) {
        *self = Self {
            partial: true,
            ..Self::default()
        };
    }

    /// All names to look at in this database, in byte order, each once; `None` where some would be
    /// missing.
    pub(crate) fn candidates(&self, db: i32) -> Option<Vec<Box<[u8]>>> {
        (!self.partial).then(|| self.all(db))
    }

    fn all(&self, db: i32) -> Vec<Box<[u8]>> {
        let placed = self.databases.get(&db);
        let mut names: BTreeSet<&Box<[u8]>> = placed.into_iter().flatten().collect();
        names.extend(&self.unplaced);
        names.into_iter().cloned().collect()
    }

    /// An empty one of the same kind.
    pub(crate) fn empty(&self) -> Self {
        Self {
            partial: self.partial,
            ..Self::default()
        }
    }

    /// How many names it holds.
    pub(crate) fn len(&self) -> usize {
        let placed: usize = self.databases.values().map(BTreeSet::len).sum();
        placed + self.unplaced.len()
    }

    /// The names whose database is not known; they are no longer in it.
    pub(crate) fn take_unplaced(&mut self) -> BTreeSet<Box<[u8]>> {
        std::mem::take(&mut self.unplaced)
    }

    /// Two databases have changed places.
    pub(crate) fn swap(&mut self, a: i32, b: i32) {
        let (first, second) = (self.databases.remove(&a), self.databases.remove(&b));
        self.databases.extend(first.map(|names| (b, names)));
        self.databases.extend(second.map(|names| (a, names)));
    }

    /// A database, or all of them (`None`), is empty now.
    pub(crate) fn flushed(&mut self, db: Option<i32>) {
        if let Some(db) = db {
            self.databases.remove(&db);
        } else {
            self.databases.clear();
            self.unplaced.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(index: &Index, db: i32) -> Vec<String> {
        index
            .candidates(db)
            .unwrap()
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect()
    }

    #[test]
    fn databases_are_apart_and_swap() {
        let mut index = Index::default();
        index.seen(0, b"b");
        index.seen(0, b"a");
        index.seen(1, b"c");
        assert_eq!(names(&index, 0), ["a", "b"]);
        index.swap(0, 1);
        assert_eq!(names(&index, 0), ["c"]);
        index.swap(1, 7);
        assert_eq!(names(&index, 7), ["a", "b"]);
        index.forget(7, b"a");
        assert_eq!(names(&index, 7), ["b"]);
        index.flushed(Some(7));
        assert!(names(&index, 7).is_empty());
    }

    #[test]
    fn a_partial_index_is_no_answer() {
        let mut index = Index::default();
        index.seen(0, b"m");
        index.set_partial();
        index.seen(0, b"n");
        index.loaded(b"o");
        assert_eq!(index.candidates(0), None);
        // What nobody asks for is not kept either.
        assert!(index.databases.is_empty() && index.unplaced.is_empty());
    }

    #[test]
    fn unplaced_names_are_candidates_everywhere() {
        let mut index = Index::default();
        index.loaded(b"m");
        index.seen(2, b"m");
        index.forget(0, b"m");
        assert_eq!(names(&index, 0), ["m"]);
        assert_eq!(names(&index, 2), ["m"]);
        assert_eq!(index.len(), 2);
        assert_eq!(index.take_unplaced().len(), 1);
        assert!(names(&index, 0).is_empty());
        index.flushed(None);
        assert!(names(&index, 2).is_empty());
        assert_eq!(index.len(), 0);
    }
}
