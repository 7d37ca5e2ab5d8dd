//! The commands of models.

use super::{Access, ArgSpec, CommandSpec, Find, KeySpec};
use crate::keys::KeyRule;

/// A number and as many keys.
pub(super) const COUNTED: Find = Find::KeyNum {
    index: 0,
    first: 1,
    step: 1,
};
/// The next argument: more follow, but no range ends at a keyword.
pub(super) const NEXT: Find = Find::Range { last: 0, step: 1 };
/// All arguments to the end.
pub(super) const TO_END: Find = Find::Range { last: -1, step: 1 };

const BACKEND: ArgSpec = ArgSpec::one_of(
    "backend",
    &[
        ArgSpec::word("tf", "TF"),
        ArgSpec::word("tflite", "TFLITE"),
        ArgSpec::word("torch", "TORCH"),
        ArgSpec::word("onnx", "ONNX"),
    ],
);
pub(super) const DEVICE: ArgSpec = ArgSpec::string("device");
pub(super) const TAG: ArgSpec = ArgSpec::string("tag").token("TAG").optional();
const BATCH: ArgSpec = ArgSpec::block(
    "batching",
    &[
        ArgSpec::integer("batchsize").token("BATCHSIZE"),
        ArgSpec::block(
            "minimum",
            &[
                ArgSpec::integer("minbatchsize").token("MINBATCHSIZE"),
                ArgSpec::integer("minbatchtimeout")
                    .token("MINBATCHTIMEOUT")
                    .optional(),
            ],
        )
        .optional(),
    ],
)
.optional();
const BLOB: ArgSpec = ArgSpec::string("blob").token("BLOB").multiple();
pub(super) const TIMEOUT: ArgSpec = ArgSpec::integer("milliseconds").token("TIMEOUT").optional();

pub(super) static STORE: CommandSpec = CommandSpec {
    name: "ai.modelstore",
    flags: "write deny-oom",
    static_keys: (1, 1, 1),
    categories: "write slow",
    keys: KeyRule::First(Access::Overwrite),
    key_specs: &[KeySpec::first(Access::Overwrite)],
    summary: "Stores a model and loads it on a device.",
    complexity: "O(N) in the size of the model; the framework's load is off the main thread.",
    since: "1.2.5",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        BACKEND,
        DEVICE,
        TAG,
        BATCH,
        ArgSpec::block(
            "signature",
            &[
                ArgSpec::block(
                    "inputs",
                    &[
                        ArgSpec::integer("input_count"),
                        ArgSpec::string("input").multiple(),
                    ],
                )
                .token("INPUTS"),
                ArgSpec::block(
                    "outputs",
                    &[
                        ArgSpec::integer("output_count"),
                        ArgSpec::string("output").multiple(),
                    ],
                )
                .token("OUTPUTS"),
            ],
        )
        .optional(),
        BLOB,
    ],
};

pub(super) static SET: CommandSpec = CommandSpec {
    name: "ai.modelset",
    flags: "write deny-oom",
    static_keys: (1, 1, 1),
    categories: "write slow",
    keys: KeyRule::First(Access::Overwrite),
    key_specs: &[KeySpec::first(Access::Overwrite)],
    summary: "Stores a model. Deprecated, use AI.MODELSTORE.",
    complexity: "O(N) in the size of the model; the framework's load is off the main thread.",
    since: "1.0.0",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        BACKEND,
        DEVICE,
        TAG,
        BATCH,
        ArgSpec::block(
            "signature",
            &[
                ArgSpec::string("input").token("INPUTS").multiple(),
                ArgSpec::string("output").token("OUTPUTS").multiple(),
            ],
        )
        .optional(),
        BLOB,
    ],
};

pub(super) static GET: CommandSpec = CommandSpec {
    name: "ai.modelget",
    flags: "readonly",
    static_keys: (1, 1, 1),
    categories: "read slow",
    keys: KeyRule::First(Access::Read),
    key_specs: &[KeySpec::first(Access::Read)],
    summary: "Returns a model's options and its blob.",
    complexity: "O(N) in the size of the model with BLOB, O(1) with META.",
    since: "1.2.5",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        ArgSpec::word("meta", "META").optional(),
        ArgSpec::word("blob", "BLOB").optional(),
    ],
};

pub(super) static DEL: CommandSpec = CommandSpec {
    name: "ai.modeldel",
    flags: "write",
    static_keys: (1, 1, 1),
    categories: "write fast",
    keys: KeyRule::First(Access::Delete),
    key_specs: &[KeySpec::first(Access::Delete)],
    summary: "Deletes a model.",
    complexity: "O(1)",
    since: "1.2.5",
    history: &[],
    args: &[ArgSpec::key("key", 0)],
};

pub(super) static EXECUTE: CommandSpec = CommandSpec {
    name: "ai.modelexecute",
    flags: "write deny-oom getkeys-api",
    static_keys: (4, 4, 1),
    categories: "write slow blocking",
    keys: KeyRule::Counted,
    key_specs: &[
        KeySpec::first(Access::Read).incomplete(),
        KeySpec::keyword(Access::Read, "INPUTS", 2, COUNTED),
        KeySpec::keyword(Access::Overwrite, "OUTPUTS", 2, COUNTED),
    ],
    summary: "Runs a model on tensors and stores its outputs.",
    complexity: "As the model does. The main thread does O(N) in the number of keys.",
    since: "1.2.5",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        ArgSpec::block(
            "inputs",
            &[
                ArgSpec::integer("input_count"),
                ArgSpec::key("input", 1).multiple(),
            ],
        )
        .token("INPUTS"),
        ArgSpec::block(
            "outputs",
            &[
                ArgSpec::integer("output_count"),
                ArgSpec::key("output", 2).multiple(),
            ],
        )
        .token("OUTPUTS"),
        TIMEOUT,
    ],
};

pub(super) static RUN: CommandSpec = CommandSpec {
    name: "ai.modelrun",
    flags: "write deny-oom getkeys-api",
    static_keys: (3, 3, 1),
    categories: "write slow blocking",
    keys: KeyRule::Listed,
    key_specs: &[
        KeySpec::first(Access::Read).incomplete(),
        KeySpec::keyword(Access::Read, "INPUTS", 2, NEXT),
        KeySpec::keyword(Access::Overwrite, "OUTPUTS", 2, TO_END),
    ],
    summary: "Runs a model on tensors and stores its outputs. Deprecated, use AI.MODELEXECUTE.",
    complexity: "As the model does. The main thread does O(N) in the number of keys.",
    since: "1.0.0",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        TIMEOUT,
        ArgSpec::key("input", 1).token("INPUTS").multiple(),
        ArgSpec::key("output", 2).token("OUTPUTS").multiple(),
    ],
};

pub(super) static SCAN: CommandSpec = CommandSpec {
    name: "ai._modelscan",
    flags: "readonly",
    static_keys: (0, 0, 0),
    categories: "read slow",
    keys: KeyRule::None,
    key_specs: &[],
    summary: "Lists the models of the selected database with their tags. Experimental.",
    complexity: "O(N) in the number of models and scripts.",
    since: "1.0.0",
    history: &[],
    args: &[],
};
