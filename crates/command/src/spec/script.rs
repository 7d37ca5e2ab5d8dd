//! The commands of scripts.

use super::model::{COUNTED, DEVICE, NEXT, TAG, TIMEOUT, TO_END};
use super::{Access, ArgSpec, CommandSpec, KeySpec};
use crate::keys::KeyRule;

const SOURCE: ArgSpec = ArgSpec::string("source").token("SOURCE");

pub(super) static STORE: CommandSpec = CommandSpec {
    name: "ai.scriptstore",
    flags: "write deny-oom",
    static_keys: (1, 1, 1),
    categories: "write slow",
    keys: KeyRule::First(Access::Overwrite),
    key_specs: &[KeySpec::first(Access::Overwrite)],
    summary: "Stores a TorchScript and compiles it for a device.",
    complexity: "O(N) in the size of the source; compiling is off the main thread.",
    since: "1.2.5",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        DEVICE,
        TAG,
        ArgSpec::block(
            "entry_points",
            &[
                ArgSpec::integer("entry_point_count"),
                ArgSpec::string("entry_point").multiple(),
            ],
        )
        .token("ENTRY_POINTS"),
        SOURCE,
    ],
};

pub(super) static SET: CommandSpec = CommandSpec {
    name: "ai.scriptset",
    summary: "Stores a TorchScript. Deprecated, use AI.SCRIPTSTORE.",
    since: "1.0.0",
    args: &[ArgSpec::key("key", 0), DEVICE, TAG, SOURCE],
    ..STORE
};

pub(super) static GET: CommandSpec = CommandSpec {
    name: "ai.scriptget",
    flags: "readonly",
    static_keys: (1, 1, 1),
    categories: "read slow",
    keys: KeyRule::First(Access::Read),
    key_specs: &[KeySpec::first(Access::Read)],
    summary: "Returns a script's device, tag, entry points and source.",
    complexity: "O(N) in the size of the source with SOURCE, O(1) with META.",
    since: "1.2.5",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        ArgSpec::word("meta", "META").optional(),
        ArgSpec::word("source", "SOURCE").optional(),
    ],
};

pub(super) static DEL: CommandSpec = CommandSpec {
    name: "ai.scriptdel",
    flags: "write",
    static_keys: (1, 1, 1),
    categories: "write fast",
    keys: KeyRule::First(Access::Delete),
    key_specs: &[KeySpec::first(Access::Delete)],
    summary: "Deletes a script.",
    complexity: "O(1)",
    since: "1.2.5",
    history: &[],
    args: &[ArgSpec::key("key", 0)],
};

/// The four scopes, by their positions in the key specs.
const SCOPES: [ArgSpec; 4] = [
    ArgSpec::block(
        "keys",
        &[
            ArgSpec::integer("key_count"),
            ArgSpec::key("script_key", 1).multiple(),
        ],
    )
    .token("KEYS")
    .optional(),
    ArgSpec::block(
        "inputs",
        &[
            ArgSpec::integer("input_count"),
            ArgSpec::key("input", 2).multiple(),
        ],
    )
    .token("INPUTS")
    .optional(),
    ArgSpec::block(
        "args",
        &[
            ArgSpec::integer("arg_count"),
            ArgSpec::string("arg").multiple(),
        ],
    )
    .token("ARGS")
    .optional(),
    ArgSpec::block(
        "outputs",
        &[
            ArgSpec::integer("output_count"),
            ArgSpec::key("output", 3).multiple(),
        ],
    )
    .token("OUTPUTS")
    .optional(),
];

pub(super) static EXECUTE: CommandSpec = CommandSpec {
    name: "ai.scriptexecute",
    flags: "write deny-oom getkeys-api",
    static_keys: (5, 5, 1),
    categories: "write slow blocking",
    keys: KeyRule::Scopes,
    key_specs: &[
        KeySpec::first(Access::Read).incomplete(),
        KeySpec::keyword(Access::Update, "KEYS", 3, COUNTED),
        KeySpec::keyword(Access::Read, "INPUTS", 3, COUNTED),
        KeySpec::keyword(Access::Overwrite, "OUTPUTS", 3, COUNTED),
    ],
    summary: "Runs a function of a script and stores its outputs.",
    complexity: "As the script does. The main thread does O(N) in the number of arguments.",
    since: "1.2.5",
    history: &[],
    args: &{
        let [keys, inputs, args, outputs] = SCOPES;
        [
            ArgSpec::key("key", 0),
            ArgSpec::string("function"),
            keys,
            inputs,
            args,
            outputs,
            TIMEOUT,
        ]
    },
};

pub(super) static RUN: CommandSpec = CommandSpec {
    name: "ai.scriptrun",
    flags: "write deny-oom getkeys-api",
    static_keys: (4, 4, 1),
    categories: "write slow blocking",
    keys: KeyRule::Sections,
    key_specs: &[
        KeySpec::first(Access::Read).incomplete(),
        KeySpec::keyword(Access::Read, "INPUTS", 3, NEXT),
        KeySpec::keyword(Access::Overwrite, "OUTPUTS", 3, TO_END),
    ],
    summary: "Runs a function of a script and stores its outputs. Deprecated, use AI.SCRIPTEXECUTE.",
    complexity: "As the script does. The main thread does O(N) in the number of keys.",
    since: "1.0.0",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        ArgSpec::string("function"),
        TIMEOUT,
        ArgSpec::key("input", 1)
            .token("INPUTS")
            .multiple()
            .optional(),
        ArgSpec::key("output", 2)
            .token("OUTPUTS")
            .multiple()
            .optional(),
    ],
};

pub(super) static SCAN: CommandSpec = CommandSpec {
    name: "ai._scriptscan",
    flags: "readonly",
    static_keys: (0, 0, 0),
    categories: "read slow",
    keys: KeyRule::None,
    key_specs: &[],
    summary: "Lists the scripts of the selected database with their tags. Experimental.",
    complexity: "O(N) in the number of models and scripts.",
    since: "1.0.0",
    history: &[],
    args: &[],
};
