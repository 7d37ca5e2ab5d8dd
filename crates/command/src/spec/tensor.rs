//! `AI.TENSORSET`, `AI.TENSORGET`.

use super::{Access, ArgSpec, CommandSpec, KeySpec};
use crate::keys::KeyRule;

const DTYPE: ArgSpec = ArgSpec::one_of(
    "dtype",
    &[
        ArgSpec::word("float", "FLOAT"),
        ArgSpec::word("double", "DOUBLE"),
        ArgSpec::word("float16", "FLOAT16"),
        ArgSpec::word("bfloat16", "BFLOAT16"),
        ArgSpec::word("int8", "INT8"),
        ArgSpec::word("int16", "INT16"),
        ArgSpec::word("int32", "INT32"),
        ArgSpec::word("int64", "INT64"),
        ArgSpec::word("uint8", "UINT8"),
        ArgSpec::word("uint16", "UINT16"),
        ArgSpec::word("uint32", "UINT32"),
        ArgSpec::word("uint64", "UINT64"),
        ArgSpec::word("bool", "BOOL"),
        ArgSpec::word("string", "STRING"),
    ],
);

pub(super) static SET: CommandSpec = CommandSpec {
    name: "ai.tensorset",
    flags: "write deny-oom",
    static_keys: (1, 1, 1),
    categories: "write fast",
    keys: KeyRule::First(Access::Overwrite),
    key_specs: &[KeySpec::first(Access::Overwrite)],
    summary: "Stores a tensor: from a binary blob, from values, or of zeros.",
    complexity: "O(1) with BLOB (plus a check of every byte for BOOL and STRING), O(N) in the number \
                 of elements otherwise.",
    since: "1.2.5",
    history: &[(
        "2.0.0",
        "Added the dtypes FLOAT16, BFLOAT16, UINT32, UINT64, negative integers in VALUES, and the \
         BYTES form for strings that hold any bytes.",
    )],
    args: &[
        ArgSpec::key("key", 0),
        DTYPE,
        ArgSpec::integer("dim").optional().multiple(),
        ArgSpec::one_of(
            "data",
            &[
                ArgSpec::string("blob").token("BLOB"),
                ArgSpec::string("value").token("VALUES").multiple(),
                ArgSpec::string("element").token("BYTES").multiple(),
            ],
        )
        .optional(),
    ],
};

pub(super) static GET: CommandSpec = CommandSpec {
    name: "ai.tensorget",
    flags: "readonly",
    static_keys: (1, 1, 1),
    categories: "read fast",
    keys: KeyRule::First(Access::Read),
    key_specs: &[KeySpec::first(Access::Read)],
    summary: "Returns a tensor's dtype and shape, its data as one blob or as values.",
    complexity: "O(N) in the number of bytes or values returned.",
    since: "1.2.5",
    history: &[],
    args: &[
        ArgSpec::key("key", 0),
        ArgSpec::word("meta", "META").optional(),
        ArgSpec::one_of(
            "format",
            &[
                ArgSpec::word("blob", "BLOB"),
                ArgSpec::word("values", "VALUES"),
            ],
        )
        .optional(),
    ],
};
