//! The DAG commands.

use super::model::{COUNTED, NEXT};
use super::{Access, ArgSpec, Begin, CommandSpec, KeySpec};
use crate::keys::KeyRule;

/// RedisAI's figure, and what makes the server ask getkeys: it does not where no spec finds anything.
const ANY: KeySpec = KeySpec {
    access: Access::Read,
    begin: Begin::Index(3),
    find: NEXT,
    incomplete: true,
};
const LOAD: KeySpec = KeySpec::keyword(Access::Read, "LOAD", 1, COUNTED);
const ROUTING: KeySpec = KeySpec::keyword(Access::Route, "ROUTING", 1, NEXT);
/// The key of the first model that runs; `getkeys` knows of the others.
const MODEL: KeySpec = KeySpec::keyword(Access::Read, "AI.MODELEXECUTE", 1, NEXT);
const MODEL_RUN: KeySpec = KeySpec::keyword(Access::Read, "AI.MODELRUN", 1, NEXT);
const PERSIST: KeySpec = KeySpec::keyword(Access::Overwrite, "PERSIST", 1, COUNTED);

const READ_ONLY: [ArgSpec; 4] = [
    ArgSpec::block(
        "load",
        &[
            ArgSpec::integer("key_count"),
            ArgSpec::key("key", 1).multiple(),
        ],
    )
    .token("LOAD")
    .optional(),
    ArgSpec::key("tag", 2).token("ROUTING").optional(),
    ArgSpec::integer("milliseconds").token("TIMEOUT").optional(),
    ArgSpec::block(
        "operation",
        &[
            ArgSpec::string("command"),
            ArgSpec::string("arg").multiple(),
        ],
    )
    .token("|>")
    .repeated(),
];

const ARGS: [ArgSpec; 5] = {
    let [load, routing, timeout, operation] = READ_ONLY;
    let persist = ArgSpec::block(
        "persist",
        &[
            ArgSpec::integer("key_count"),
            ArgSpec::key("key", 4).multiple(),
        ],
    )
    .token("PERSIST")
    .optional();
    [load, persist, routing, timeout, operation]
};

pub(super) static EXECUTE: CommandSpec = CommandSpec {
    name: "ai.dagexecute",
    flags: "write deny-oom getkeys-api",
    static_keys: (3, 3, 1),
    categories: "write slow blocking",
    keys: KeyRule::Dag,
    key_specs: &[ANY, LOAD, ROUTING, MODEL, PERSIST],
    summary: "Runs several operations in one request, with no key in between.",
    complexity: "As its models do. The main thread does O(N) in the number of arguments.",
    since: "1.2.5",
    history: &[],
    args: &ARGS,
};

pub(super) static EXECUTE_RO: CommandSpec = CommandSpec {
    name: "ai.dagexecute_ro",
    flags: "readonly getkeys-api",
    categories: "read slow blocking",
    key_specs: &[ANY, LOAD, ROUTING, MODEL],
    summary: "As AI.DAGEXECUTE, but stores nothing.",
    args: &READ_ONLY,
    ..EXECUTE
};

pub(super) static RUN: CommandSpec = CommandSpec {
    name: "ai.dagrun",
    key_specs: &[ANY, LOAD, ROUTING, MODEL_RUN, PERSIST],
    summary: "Runs several operations in one request. Deprecated, use AI.DAGEXECUTE.",
    since: "1.0.0",
    ..EXECUTE
};

pub(super) static RUN_RO: CommandSpec = CommandSpec {
    name: "ai.dagrun_ro",
    key_specs: &[ANY, LOAD, ROUTING, MODEL_RUN],
    summary: "As AI.DAGRUN, but stores nothing. Deprecated, use AI.DAGEXECUTE_RO.",
    since: "1.0.0",
    ..EXECUTE_RO
};
