//! Where the keys of a command stand: what getkeys answers.
//!
//! This is the base of ACL checks and of cluster routing, so it finds every key that the parser of
//! the same command would take. Of an argv that the parser refuses it finds what it can.

use crate::args::Cursor;
use crate::spec::{Access, CommandSpec};
use crate::{ModelRun, dag, number};

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
    /// Those of a DAG and of its operations.
    Dag,
}

/// Calls `emit` with the index of each key and what is done with it, in argv's order.
pub fn keys(command: &CommandSpec, argv: &[&[u8]], mut emit: impl FnMut(usize, Access)) {
    let first = match command.keys {
        KeyRule::None => return,
        KeyRule::Dag => return dag::keys(argv, &mut emit),
        KeyRule::First(access) => access,
        KeyRule::Counted | KeyRule::Listed => Access::Read,
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
        use Access::{Delete, Overwrite, Read};
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
        let parsers = [
            TensorSet::KEY,
            TensorGet::KEY,
            ModelStore::KEY,
            ModelGet::KEY,
            ModelDel::KEY,
            ModelRun::KEY,
            Info::KEY,
        ];
        assert_eq!(parsers, [1; 7]);
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
            ("AI.MODELRUN m TIMEOUT", 1),
            ("AI.MODELRUN m INPUTS a b", 3),
        ] {
            assert_eq!(found(&argv(line)).len(), count, "{line}");
        }
    }

    fn word() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "INPUTS", "OUTPUTS", "TIMEOUT", "0", "1", "2", "a", "b", "outputs", "",
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
    }
}
