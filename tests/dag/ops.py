"""DAG commands as lists of words."""

from __future__ import annotations

from typing import Any

NA = b"NA"
KINDS = ["AI.DAGEXECUTE", "AI.DAGEXECUTE_RO", "AI.DAGRUN", "AI.DAGRUN_RO"]


def dag(*ops: list[Any], head: str = "ROUTING r", kind: str = "AI.DAGEXECUTE") -> list[Any]:
    """A DAG command of these operations."""
    words = [kind, *head.split()]
    for op in ops:
        words += ["|>", *op]
    return words


def tset(name: str, *values: float, dtype: str = "FLOAT") -> list[Any]:
    """A vector of values."""
    return ["AI.TENSORSET", name, dtype, len(values), "VALUES", *values]


def tget(name: str, *options: str) -> list[Any]:
    """Reads a tensor."""
    return ["AI.TENSORGET", name, *options]


def execute(model: str, inputs: str, outputs: str) -> list[Any]:
    """Runs a model; names are separated by blanks."""
    into, out = inputs.split(), outputs.split()
    return ["AI.MODELEXECUTE", model, "INPUTS", len(into), *into, "OUTPUTS", len(out), *out]


def run(model: str, inputs: str, outputs: str) -> list[Any]:
    """The deprecated form."""
    return ["AI.MODELRUN", model, "INPUTS", *inputs.split(), "OUTPUTS", *outputs.split()]
