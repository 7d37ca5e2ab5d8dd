//! `AI.INFO`, `AI.CONFIG`.

use super::{Access, ArgSpec, CommandSpec, KeySpec};
use crate::keys::KeyRule;

pub(super) static INFO: CommandSpec = CommandSpec {
    name: "ai.info",
    flags: "readonly",
    static_keys: (1, 1, 1),
    categories: "read fast",
    keys: KeyRule::First(Access::Read),
    key_specs: &[KeySpec::first(Access::Read)],
    summary: "Returns the run counters of a model or a script, or sets them to zero.",
    complexity: "O(1)",
    since: "1.0.0",
    history: &[(
        "2.0.0",
        "Added FULL: what a model says of its inputs and outputs.",
    )],
    args: &[
        ArgSpec::key("key", 0),
        ArgSpec::one_of(
            "option",
            &[
                ArgSpec::word("resetstat", "RESETSTAT"),
                ArgSpec::word("full", "FULL"),
            ],
        )
        .optional(),
    ],
};

pub(super) static CONFIG: CommandSpec = CommandSpec {
    name: "ai.config",
    flags: "write",
    static_keys: (0, 0, 0),
    categories: "write slow",
    keys: KeyRule::None,
    key_specs: &[],
    summary: "Reads an option, sets BACKENDSPATH or MODEL_CHUNK_SIZE, or loads a backend.",
    complexity: "O(1); LOADBACKEND as long as the framework takes to load.",
    since: "1.0.0",
    history: &[("2.0.0", "GET knows every option of loadmodule.")],
    args: &[ArgSpec::one_of(
        "subcommand",
        &[
            ArgSpec::block(
                "load",
                &[
                    ArgSpec::one_of(
                        "backend",
                        &[
                            ArgSpec::word("tf", "TF"),
                            ArgSpec::word("tflite", "TFLITE"),
                            ArgSpec::word("torch", "TORCH"),
                            ArgSpec::word("onnx", "ONNX"),
                        ],
                    ),
                    ArgSpec::string("path"),
                ],
            )
            .token("LOADBACKEND"),
            ArgSpec::string("path").token("BACKENDSPATH"),
            ArgSpec::integer("bytes").token("MODEL_CHUNK_SIZE"),
            ArgSpec::string("option").token("GET"),
        ],
    )],
};
