//! argv to command values: every AI.* grammar, without a Redis type.
