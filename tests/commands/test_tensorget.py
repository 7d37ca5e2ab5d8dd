"""`AI.TENSORGET`: every dtype in every format, and every error in the contract's order."""

from __future__ import annotations

import numpy as np
import pytest
from commands.dtypes import NUMBERS, Number, shown
from commands.wire import OK, WRONGTYPE, Wire, arity, failure

NO_KEY = failure("ERR tensor key is empty or in a different shard")
BOTH_FORMATS = failure("ERR both BLOB and VALUES specified")
BAD_FORMAT = failure("ERR unsupported data format")


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_values_are_what_numpy_has(both: Wire, number: Number) -> None:
    count = len(number.values)
    assert both("AI.TENSORSET", "k", number.name, 1, count, "BLOB", number.blob) == OK
    label, dtype, shape, dims, values, elements = both("AI.TENSORGET", "k", "META", "VALUES")
    assert [label, dtype, shape, dims, values] == [
        b"dtype", number.name.encode(), b"shape", [1, count], b"values",
    ]  # fmt: skip
    kind = np.float64 if number.is_float else number.values.dtype
    expected = number.values.astype(kind)
    got = shown(number, elements, both.protocol)
    assert got.tobytes() == expected.tobytes()
    assert both("AI.TENSORGET", "k", "VALUES") == elements


@pytest.mark.parametrize("number", [n for n in NUMBERS if n.is_float], ids=lambda n: n.name)
def test_not_a_number_is_shown(both: Wire, number: Number) -> None:
    """A blob may hold NaN, which `VALUES` cannot send but must show."""
    size = len(number.blob) // len(number.values)
    nan = {2: np.uint16(0x7E00 if number.name == "FLOAT16" else 0x7FC0).tobytes()}
    nan |= {4: np.float32(np.nan).tobytes(), 8: np.float64(np.nan).tobytes()}
    assert both("AI.TENSORSET", "k", number.name, 1, "BLOB", nan[size]) == OK
    (value,) = both("AI.TENSORGET", "k", "VALUES")
    assert np.isnan(float(value))
    assert both("AI.TENSORGET", "k", "BLOB") == nan[size]


FORMS = {
    "": "meta blob",
    "META": "meta",
    "BLOB": "blob",
    "VALUES": "values",
    "META BLOB": "meta blob",
    "BLOB META": "meta blob",
    "meta values": "meta values",
    "Values Meta": "meta values",
    "META META": "meta",
    "BLOB BLOB": "blob",
}


@pytest.mark.parametrize("options", FORMS)
def test_forms(both: Wire, options: str) -> None:
    both("AI.TENSORSET", "k", "INT16", 1, 2, "VALUES", 1, -2)
    meta = [b"dtype", b"INT16", b"shape", [1, 2]]
    blob = np.array([1, -2], np.int16).tobytes()
    expected = {
        "meta": meta,
        "blob": blob,
        "values": [1, -2],
        "meta blob": [*meta, b"blob", blob],
        "meta values": [*meta, b"values", [1, -2]],
    }
    assert both.line(f"AI.TENSORGET k {options}") == expected[FORMS[options]]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", arity("AI.TENSORGET")),
        ("k META BLOB VALUES", arity("AI.TENSORGET")),
        ("none x y z", arity("AI.TENSORGET")),
        ("none", NO_KEY),
        ("none BLOB VALUES", NO_KEY),
        ("none x", NO_KEY),
        ("text", WRONGTYPE),
        ("text x", WRONGTYPE),
        ("k BLOB VALUES", BOTH_FORMATS),
        ("k VALUES BLOB", BOTH_FORMATS),
        ("k x", BAD_FORMAT),
        ("k META x", BAD_FORMAT),
        ("k x BLOB", BAD_FORMAT),
        ("k BLOBS", BAD_FORMAT),
        ("k BYTES", BAD_FORMAT),
    ],
)
def test_errors_in_order(both: Wire, line: str, reply: object) -> None:
    both("AI.TENSORSET", "k", "INT8", 1)
    both("SET", "text", "v")
    assert both.line(f"AI.TENSORGET {line}") == reply


def test_a_reply_is_not_changed_by_what_follows(wire: Wire) -> None:
    """Replies may share memory with the tensor: a later store must not show in them."""
    blobs = [bytes([n]) * (1 << 20) for n in range(4)]
    commands = []
    for blob in blobs:
        commands += [("AI.TENSORSET", "k", "UINT8", len(blob), "BLOB", blob)]
        commands += [("AI.TENSORGET", "k", "BLOB")]
    commands += [("DEL", "k")]
    replies = wire.many(commands, batch=len(commands))
    assert replies[1:-1:2] == blobs


def test_nothing_is_written(wire: Wire) -> None:
    wire("AI.TENSORSET", "k", "INT8", 1)
    wire("EXPIRE", "k", 1000)
    before = wire("DUMP", "k")
    wire("AI.TENSORGET", "k")
    assert wire("TTL", "k") > 0
    assert wire("DUMP", "k") == before
