//! Where the keys of a command stand: what getkeys answers.
//!
//! This is the base of ACL checks and of cluster routing, so it finds every key that the parser of
//! the same command would take. Of an argv that the parser refuses it finds what it can.

use crate::args::Cursor;
use crate::spec::{Access, CommandSpec};
use crate::{ModelRun, number};

/// How the keys of a command are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRule {
    /// It has none.
    None,
    /// Argument 1.
    First(Access),
    /// Argument 1, then `INPUTS n key… OUTPUTS n key…`.
    Counted,
    /// Argument 1, then `INPUTS key… OUTPUTS key…`.
    Listed,
}

/// Calls `emit` with the index of each key and what is done with it, in argv's order.
pub fn keys(command: &CommandSpec, argv: &[&[u8]], mut emit: impl FnMut(usize, Access)) {
    let first = match command.keys {
        KeyRule::None => return,
        KeyRule::First(access) => access,
        KeyRule::Counted | KeyRule::Listed => Access::Read,
    };
    if argv.len() <= ModelRun::KEY {
        return;
    }
    emit(ModelRun::KEY, first);
    let mut cursor = Cursor::new(argv, 2);
    match command.keys {
        KeyRule::None | KeyRule::First(_) => {}
        KeyRule::Counted => counted(&mut cursor, &mut emit),
        KeyRule::Listed => listed(&mut cursor, &mut emit),
    }
}

fn counted(cursor: &mut Cursor<'_>, emit: &mut impl FnMut(usize, Access)) {
    for (keyword, access) in [("INPUTS", Access::Read), ("OUTPUTS", Access::Overwrite)] {
        if !cursor.skip(keyword) {
            return;
        }
        let count = cursor.next().and_then(number::integer);
        let Some(count) = count.and_then(|count| u64::try_from(count).ok()) else {
            return;
        };
        // A count above what is there is refused later; what is there still counts as keys.
        let keys = cursor.take(count.min(cursor.rest().len() as u64));
        keys.into_iter().flatten().for_each(|key| emit(key, access));
    }
}

fn listed(cursor: &mut Cursor<'_>, emit: &mut impl FnMut(usize, Access)) {
    if cursor.skip("TIMEOUT") {
        cursor.next();
    }
    if !cursor.skip("INPUTS") {
        return;
    }
    for key in cursor.until(&["OUTPUTS"]) {
        emit(key, Access::Read);
    }
    cursor.skip("OUTPUTS");
    for key in cursor.until(&[]) {
        emit(key, Access::Overwrite);
    }
}
