//! Where the keys of a DAG command stand.

use super::SEPARATOR;
use super::ops::{OpName, end, op_name};
use crate::args::{Cursor, is};
use crate::spec::Access;
use crate::{ModelRun, ScriptRun, number};

/// Calls `emit` for each key, in argv's order: those to load and to persist, the routing tag, each
/// model and script, and the keys that a script may touch.
pub(crate) fn keys(argv: &[&[u8]], emit: &mut impl FnMut(usize, Access)) {
    let mut cursor = Cursor::new(argv, 1);
    while let Some(arg) = cursor.peek() {
        if is(arg, "LOAD") {
            section(&mut cursor, Access::Read, emit);
        } else if is(arg, "PERSIST") {
            section(&mut cursor, Access::Overwrite, emit);
        } else if is(arg, "ROUTING") {
            cursor.next();
            let tag = cursor.take(1);
            tag.into_iter()
                .flatten()
                .for_each(|tag| emit(tag, Access::Route));
        } else if is(arg, "TIMEOUT") {
            cursor.next();
            cursor.next();
        } else {
            break;
        }
    }
    let rest = cursor.rest().iter().position(|arg| *arg == SEPARATOR);
    let mut at = cursor.at() + rest.unwrap_or(cursor.rest().len());
    while at < argv.len() {
        let start = at + 1;
        at = end(argv, start);
        op(argv, start, at, emit);
    }
}

fn section(cursor: &mut Cursor<'_>, access: Access, emit: &mut impl FnMut(usize, Access)) {
    cursor.next();
    let count = cursor.next().and_then(number::integer);
    let count = count
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or(0);
    let found = cursor.take(count.min(cursor.rest().len() as u64));
    found
        .into_iter()
        .flatten()
        .for_each(|key| emit(key, access));
}

fn op(argv: &[&[u8]], start: usize, end: usize, emit: &mut impl FnMut(usize, Access)) {
    let op = argv.get(start..end).unwrap_or_default();
    let Some(name) = op.first().and_then(|name| op_name(name)) else {
        return;
    };
    if matches!(name, OpName::TensorSet | OpName::TensorGet) || op.len() <= ModelRun::KEY {
        return;
    }
    emit(start + ModelRun::KEY, Access::Read);
    if name == OpName::ScriptExecute
        && let Ok(run) = ScriptRun::parse(op, true)
    {
        run.keys.for_each(|key| emit(start + key, Access::Update));
    }
}
