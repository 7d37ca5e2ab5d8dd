//! The table of commands against the contract's, and what the server demands of it.

use super::*;

/// The registration table of the contract (1.0): flags and static key positions.
const CONTRACT: [(&str, &str, (i32, i32, i32)); 22] = [
    ("ai.tensorset", "write deny-oom", (1, 1, 1)),
    ("ai.tensorget", "readonly", (1, 1, 1)),
    ("ai.modelstore", "write deny-oom", (1, 1, 1)),
    ("ai.modelset", "write deny-oom", (1, 1, 1)),
    ("ai.modelget", "readonly", (1, 1, 1)),
    ("ai.modeldel", "write", (1, 1, 1)),
    ("ai.modelexecute", "write deny-oom getkeys-api", (4, 4, 1)),
    ("ai.modelrun", "write deny-oom getkeys-api", (3, 3, 1)),
    ("ai._modelscan", "readonly", (0, 0, 0)),
    ("ai.scriptstore", "write deny-oom", (1, 1, 1)),
    ("ai.scriptset", "write deny-oom", (1, 1, 1)),
    ("ai.scriptget", "readonly", (1, 1, 1)),
    ("ai.scriptdel", "write", (1, 1, 1)),
    ("ai.scriptexecute", "write deny-oom getkeys-api", (5, 5, 1)),
    ("ai.scriptrun", "write deny-oom getkeys-api", (4, 4, 1)),
    ("ai._scriptscan", "readonly", (0, 0, 0)),
    ("ai.dagexecute", "write deny-oom getkeys-api", (3, 3, 1)),
    ("ai.dagexecute_ro", "readonly getkeys-api", (3, 3, 1)),
    ("ai.dagrun", "write deny-oom getkeys-api", (3, 3, 1)),
    ("ai.dagrun_ro", "readonly getkeys-api", (3, 3, 1)),
    ("ai.info", "readonly", (1, 1, 1)),
    ("ai.config", "write", (0, 0, 0)),
];

#[test]
fn commands_are_registered_as_in_the_contract() {
    let registered = COMMANDS.map(|spec| (spec.name, spec.flags, spec.static_keys));
    assert_eq!(registered, CONTRACT);
    assert!(command(b"AI.TensorSet").is_some_and(|spec| spec.name == "ai.tensorset"));
    assert!(command(b"AI.TENSORSETS").is_none());
}

/// What the server checks when it is given the documentation: it refuses all of it otherwise.
#[test]
fn documentation_is_well_formed() {
    fn check(args: &[ArgSpec], specs: usize) {
        for arg in args {
            assert!(!arg.name.is_empty());
            assert_eq!(
                arg.kind == ArgKind::Key,
                arg.key_spec.is_some(),
                "{}",
                arg.name
            );
            assert!(
                arg.key_spec.is_none_or(|index| index < specs),
                "{}",
                arg.name
            );
            assert!(
                arg.kind != ArgKind::PureToken || arg.token.is_some(),
                "{}",
                arg.name
            );
            let nested = matches!(arg.kind, ArgKind::Block | ArgKind::OneOf);
            assert_eq!(nested, !arg.args.is_empty(), "{}", arg.name);
            check(arg.args, specs);
        }
    }
    for spec in COMMANDS {
        check(spec.args, spec.key_specs.len());
        assert!(spec.summary.ends_with('.'), "{}", spec.name);
        let keyword = |spec: &&KeySpec| matches!(spec.begin, Begin::Keyword(..));
        assert!(
            spec.key_specs
                .iter()
                .filter(keyword)
                .all(|spec| spec.incomplete)
        );
        // A spec that looks for a keyword says nothing where the keyword is not there.
        let anyhow = |spec: &KeySpec| matches!(spec.begin, Begin::Index(_)) && spec.incomplete;
        assert!(
            !spec.key_specs.iter().any(|spec| keyword(&spec)) || spec.key_specs.iter().any(anyhow),
            "{}",
            spec.name
        );
        // Where one spec is incomplete, the server asks getkeys, and so must be able to.
        let asks = spec.key_specs.iter().any(|spec| spec.incomplete);
        assert_eq!(asks, spec.flags.contains("getkeys-api"), "{}", spec.name);
    }
}
