//! Where the keys of a command stand: what getkeys answers.
//!
//! This is the base of ACL checks and of cluster routing, so it finds every key that the parser of
//! the same command would take. Of an argv that the parser refuses it finds what it can.

use crate::args::{Cursor, is};
use crate::spec::{Access, CommandSpec};
use crate::{ModelRun, ScriptRun, dag, number};

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
    /// Argument 1, then from argument 3 on scopes in any order: `KEYS n key…`, `INPUTS n key…`, `ARGS n
    /// arg…`, `OUTPUTS n key…`.
    Scopes,
    /// Argument 1, then from argument 3 on `INPUTS key…` and `OUTPUTS key…`, with `$` and `TIMEOUT ms`
    /// anywhere.
    Sections,
    /// Those of a DAG and of its operations.
    Dag,
}

/// Calls `emit` with the index of each key and what is done with it, in argv's order.
pub fn keys(command: &CommandSpec, argv: &[&[u8]], mut emit: impl FnMut(usize, Access)) {
    let first = match command.keys {
        KeyRule::None => return,
        KeyRule::Dag => return dag::keys(argv, &mut emit),
        KeyRule::First(access) => access,
        KeyRule::Counted | KeyRule::Listed | KeyRule::Scopes | KeyRule::Sections => Access::Read,
    };
    if argv.len() <= ModelRun::KEY {
        return;
    }
    emit(ModelRun::KEY, first);
    let mut cursor = Cursor::new(argv, 2);
    match command.keys {
        KeyRule::None | KeyRule::Dag | KeyRule::First(_) => {}
        KeyRule::Counted => counted(&mut cursor, &mut emit),
        KeyRule::Listed => listed(&mut cursor, &mut emit),
        KeyRule::Scopes => scopes(argv, &mut emit),
        KeyRule::Sections => sections(argv, &mut emit),
    }
}

fn scopes(argv: &[&[u8]], emit: &mut impl FnMut(usize, Access)) {
    let mut cursor = Cursor::new(argv, ScriptRun::FUNCTION + 1);
    while let Some(word) = cursor.next() {
        let access = if is(word, "KEYS") {
            Some(Access::Update)
        } else if is(word, "INPUTS") {
            Some(Access::Read)
        } else if is(word, "OUTPUTS") {
            Some(Access::Overwrite)
        } else if is(word, "ARGS") {
            None
        } else {
            return;
        };
        let Some(count) = cursor.next().and_then(number::integer) else {
            return;
        };
        // As above; a number below 0 counts as 0.
        let count = u64::try_from(count).unwrap_or(0);
        let words = cursor.take(count.min(cursor.rest().len() as u64));
        if let Some(access) = access {
            words
                .into_iter()
                .flatten()
                .for_each(|key| emit(key, access));
        }
    }
}

fn sections(argv: &[&[u8]], emit: &mut impl FnMut(usize, Access)) {
    let mut cursor = Cursor::new(argv, ScriptRun::FUNCTION + 1);
    let mut access = None;
    while let Some(word) = cursor.next() {
        if is(word, "TIMEOUT") {
            cursor.next();
        } else if is(word, "INPUTS") {
            access = Some(Access::Read);
        } else if is(word, "OUTPUTS") {
            access = Some(Access::Overwrite);
        } else if let Some(access) = access.filter(|_| !is(word, "$")) {
            emit(cursor.at() - 1, access);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;
    use crate::testing::argv;
    use proptest::prelude::*;

    fn found(argv: &[&[u8]]) -> Vec<(usize, Access)> {
        let mut found = Vec::new();
        keys(command(argv[0]).unwrap(), argv, |key, access| {
            found.push((key, access));
        });
        found
    }

    #[test]
    fn keys_of_every_command() {
        use Access::{Delete, Overwrite, Read, Update};
        for (line, expected) in [
            ("AI.TENSORSET k FLOAT 1", vec![(1, Overwrite)]),
            ("ai.tensorget k META", vec![(1, Read)]),
            ("AI.MODELSTORE k ONNX CPU BLOB b", vec![(1, Overwrite)]),
            ("AI.MODELSET k ONNX CPU BLOB b", vec![(1, Overwrite)]),
            ("AI.MODELGET k", vec![(1, Read)]),
            ("AI.MODELDEL k", vec![(1, Delete)]),
            ("AI.INFO k", vec![(1, Read)]),
            ("AI._MODELSCAN", vec![]),
            ("AI.CONFIG GET x", vec![]),
            (
                "AI.MODELEXECUTE m INPUTS 2 INPUTS OUTPUTS OUTPUTS 1 TIMEOUT TIMEOUT 5",
                vec![(1, Read), (4, Read), (5, Read), (8, Overwrite)],
            ),
            (
                "AI.SCRIPTSTORE k CPU ENTRY_POINTS 1 f SOURCE s",
                vec![(1, Overwrite)],
            ),
            ("AI.SCRIPTSET k CPU s", vec![(1, Overwrite)]),
            ("AI.SCRIPTGET k SOURCE", vec![(1, Read)]),
            ("AI.SCRIPTDEL k", vec![(1, Delete)]),
            ("AI._SCRIPTSCAN", vec![]),
            (
                "AI.SCRIPTEXECUTE s f KEYS 2 k INPUTS INPUTS 1 ARGS ARGS 2 KEYS 9 OUTPUTS 1 o TIMEOUT 5",
                vec![
                    (1, Read),
                    (5, Update),
                    (6, Update),
                    (9, Read),
                    (16, Overwrite),
                ],
            ),
            // Scopes in another order, and a function with a keyword's name.
            (
                "AI.SCRIPTEXECUTE s x INPUTS 0 OUTPUTS 1 OUTPUTS KEYS 1 k",
                vec![(1, Read), (7, Overwrite), (10, Update)],
            ),
            (
                "AI.SCRIPTRUN s INPUTS2 TIMEOUT INPUTS INPUTS a $ b OUTPUTS c TIMEOUT 5 d",
                vec![
                    (1, Read),
                    (6, Read),
                    (8, Read),
                    (10, Overwrite),
                    (13, Overwrite),
                ],
            ),
            (
                "AI.MODELRUN m TIMEOUT 5 INPUTS a INPUTS OUTPUTS b OUTPUTS",
                vec![
                    (1, Read),
                    (5, Read),
                    (6, Read),
                    (8, Overwrite),
                    (9, Overwrite),
                ],
            ),
        ] {
            assert_eq!(found(&argv(line)), expected, "{line}");
        }
    }

    #[test]
    fn parsers_and_getkeys_agree_on_the_first_key() {
        use crate::{Info, ModelDel, ModelGet, ModelStore, TensorGet, TensorSet};
        use crate::{ScriptDel, ScriptGet, ScriptStore};
        let parsers = [
            TensorSet::KEY,
            TensorGet::KEY,
            ModelStore::KEY,
            ModelGet::KEY,
            ModelDel::KEY,
            ModelRun::KEY,
            Info::KEY,
            ScriptStore::KEY,
            ScriptGet::KEY,
            ScriptDel::KEY,
            ScriptRun::KEY,
        ];
        assert_eq!(parsers, [1; 11]);
    }

    #[test]
    fn malformed_ones_give_what_is_there() {
        for (line, count) in [
            ("AI.TENSORSET", 0),
            ("AI.MODELEXECUTE", 0),
            ("AI.MODELEXECUTE m", 1),
            ("AI.MODELEXECUTE m OUTPUTS 1 a", 1),
            ("AI.MODELEXECUTE m INPUTS", 1),
            ("AI.MODELEXECUTE m INPUTS -1 a", 1),
            ("AI.MODELEXECUTE m INPUTS 9223372036854775807 a b", 3),
            ("AI.MODELEXECUTE m INPUTS 1 a OUTPUTS x b", 2),
            ("AI.SCRIPTEXECUTE s", 1),
            ("AI.SCRIPTEXECUTE s f KEYS", 1),
            ("AI.SCRIPTEXECUTE s f KEYS 9 k", 2),
            ("AI.SCRIPTEXECUTE s f KEYS x k INPUTS 1 a", 1),
            ("AI.SCRIPTRUN s f a INPUTS", 1),
            ("AI.MODELRUN m TIMEOUT", 1),
            ("AI.MODELRUN m INPUTS a b", 3),
        ] {
            assert_eq!(found(&argv(line)).len(), count, "{line}");
        }
    }

    fn word() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "INPUTS", "OUTPUTS", "TIMEOUT", "KEYS", "ARGS", "$", "0", "1", "2", "-1", "a",
            "outputs", "",
        ])
    }

    proptest! {
        /// What a parser takes as a key, getkeys has named: otherwise ACL checks have a hole.
        #[test]
        fn every_key_that_is_used_is_found(words in prop::collection::vec(word(), 0..12)) {
            let tail = words.iter().map(|word| word.as_bytes());
            for (name, parse) in [
                ("AI.MODELEXECUTE", ModelRun::parse as fn(&[&[u8]], Option<(usize, usize)>) -> _),
                ("AI.MODELRUN", ModelRun::parse_run),
            ] {
                let argv: Vec<&[u8]> = [name.as_bytes(), b"m"].into_iter().chain(tail.clone()).collect();
                let found = found(&argv);
                if let Ok(run) = parse(&argv, None) {
                    let inputs = run.inputs.map(|key| (key, Access::Read));
                    let outputs = run.outputs.map(|key| (key, Access::Overwrite));
                    let used: Vec<_> = [(1, Access::Read)].into_iter().chain(inputs).chain(outputs).collect();
                    prop_assert_eq!(found, used);
                }
            }
        }

        /// The same of scripts, whose scopes come in any order.
        #[test]
        fn every_key_of_a_script_is_found(words in prop::collection::vec(word(), 0..14)) {
            let tail = words.iter().map(|word| word.as_bytes());
            let execute = |argv: &[&[u8]]| ScriptRun::parse(argv, false);
            for (name, parse) in [
                ("AI.SCRIPTEXECUTE", execute as fn(&[&[u8]]) -> _),
                ("AI.SCRIPTRUN", ScriptRun::parse_run),
            ] {
                let argv: Vec<&[u8]> =
                    [name.as_bytes(), b"s", b"f"].into_iter().chain(tail.clone()).collect();
                if let Ok(run) = parse(&argv) {
                    let keys = run.keys.map(|key| (key, Access::Update));
                    let inputs = run.inputs.into_iter().map(|key| (key, Access::Read));
                    let outputs = run.outputs.into_iter().map(|key| (key, Access::Overwrite));
                    let mut used: Vec<_> = [(1, Access::Read)].into_iter().collect();
                    used.extend(keys.chain(inputs).chain(outputs));
                    used.sort_by_key(|&(at, _)| at);
                    prop_assert_eq!(found(&argv), used);
                }
            }
        }
    }
}
