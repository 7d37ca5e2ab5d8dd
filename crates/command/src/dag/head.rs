//! What stands in front of the first operation.

use super::names::{Wiring, unique};
use super::{DagKeys, DagKind, SEPARATOR};
use crate::args::{Cursor, is};
use crate::{Error, number};
use std::ops::Range;

/// The sections of a DAG command.
#[derive(Debug, Default)]
pub(super) struct Head {
    /// Keys to persist, in argv.
    pub(super) persist: Range<usize>,
    /// `TIMEOUT`, unless it is 0.
    pub(super) timeout_ms: Option<u64>,
    /// There was a `LOAD`, `PERSIST` or `ROUTING`.
    pub(super) has_keyword: bool,
    /// Where the first operation's separator is, or the end.
    pub(super) end: usize,
}

/// Reads `[LOAD n k…] [PERSIST n k…] [ROUTING tag] [TIMEOUT ms]` in any order, each at most once.
pub(super) fn parse<'a>(
    argv: &[&'a [u8]],
    kind: DagKind,
    keys: &mut impl DagKeys,
    wiring: &mut Wiring<'a>,
) -> Result<Head, Error> {
    let mut head = Head::default();
    let [mut load, mut persist, mut routing, mut timeout] = [false; 4];
    let mut cursor = Cursor::new(argv, 1);
    while let Some(arg) = cursor.peek().filter(|arg| *arg != SEPARATOR) {
        if first(&mut load, arg, "LOAD") {
            self::load(argv, &mut cursor, keys, wiring)?;
        } else if first(&mut persist, arg, "PERSIST") {
            if kind.read_only() {
                return Err(Error::PersistInReadOnly);
            }
            head.persist = self::persist(argv, &mut cursor)?;
        } else if first(&mut routing, arg, "ROUTING") {
            cursor.next();
            cursor.next().ok_or(Error::NoRouting)?;
        } else if first(&mut timeout, arg, "TIMEOUT") {
            cursor.next();
            head.timeout_ms = self::timeout(cursor.next())?;
        } else {
            return Err(Error::UnexpectedInDag(arg.into()));
        }
    }
    head.has_keyword = load || persist || routing;
    head.end = cursor.at();
    Ok(head)
}

/// Whether this is the keyword, for the first time.
fn first(seen: &mut bool, arg: &[u8], keyword: &str) -> bool {
    let first = !*seen && is(arg, keyword);
    *seen |= first;
    first
}

/// Each key is looked up before it is known whether there are as many as promised.
fn load<'a>(
    argv: &[&'a [u8]],
    cursor: &mut Cursor<'_>,
    keys: &mut impl DagKeys,
    wiring: &mut Wiring<'a>,
) -> Result<(), Error> {
    let section = section(cursor, Error::LoadArguments, Error::LoadCount)?;
    for at in section.found {
        let tensor = keys.tensor(at)?;
        wiring.produce(argv.get(at).copied().unwrap_or_default(), Some(tensor));
    }
    section.complete.then_some(()).ok_or(Error::LoadKeys)
}

fn persist(argv: &[&[u8]], cursor: &mut Cursor<'_>) -> Result<Range<usize>, Error> {
    let section = section(cursor, Error::PersistArguments, Error::PersistCount)?;
    if !unique(argv.get(section.found.clone()).unwrap_or_default()) {
        return Err(Error::PersistTwice);
    }
    section
        .complete
        .then_some(section.found)
        .ok_or(Error::PersistKeys)
}

/// `n` and the keys behind it.
struct Section {
    /// The keys that are there: `n`, or all that are left.
    found: Range<usize>,
    /// They are `n`.
    complete: bool,
}

fn section(cursor: &mut Cursor<'_>, missing: Error, invalid: Error) -> Result<Section, Error> {
    if cursor.rest().len() < 3 {
        return Err(missing);
    }
    cursor.next();
    let count = cursor.next().and_then(number::integer);
    let count = count.and_then(|count| u64::try_from(count).ok());
    let count = count.filter(|&count| count > 0).ok_or(invalid)?;
    let left = cursor.rest().len() as u64;
    Ok(Section {
        found: cursor.take(count.min(left)).unwrap_or_default(),
        complete: count <= left,
    })
}

/// An integer that is not negative; 0 is no timeout.
fn timeout(value: Option<&[u8]>) -> Result<Option<u64>, Error> {
    let value = number::integer(value.ok_or(Error::NoTimeout)?);
    let value = value.and_then(|value| u64::try_from(value).ok());
    value
        .map(|value| (value > 0).then_some(value))
        .ok_or(Error::InvalidTimeout)
}
