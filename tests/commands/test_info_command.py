"""`AI.INFO`: the counters of a model, and what it says of itself."""

from __future__ import annotations

import pytest
from commands.models import TWO, info, store
from commands.wire import OK, Wire, arity, failure
from faults.payloads import Payload

NO_INFO = failure("ERR cannot find run info for key")
RUN = "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y"


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", arity("AI.INFO")),
        ("m RESETSTAT x", arity("AI.INFO")),
        ("none", NO_INFO),
        ("none x", NO_INFO),
        ("none RESETSTAT", NO_INFO),
        ("text", NO_INFO),
        ("tensor", NO_INFO),
        ("m x", failure("ERR Invalid argument: x")),
        ("m RESETSTATS", failure("ERR Invalid argument: RESETSTATS")),
        ("m resetstat", OK),
    ],
)
def test_errors_in_order(mocks_both: Wire, line: str, reply: object) -> None:
    store(mocks_both)
    mocks_both("SET", "text", "v")
    mocks_both("AI.TENSORSET", "tensor", "FLOAT", 1)
    assert mocks_both.line(f"AI.INFO {line}") == reply


def test_the_nine_pairs_in_order(mocks_both: Wire) -> None:
    words = ["AI.MODELSTORE", "m", "TORCH", "cpu:1", "TAG", "v:1", "BLOB", TWO]
    assert mocks_both(*words) == OK
    assert mocks_both("AI.INFO", "m") == [
        b"key", b"m", b"type", b"MODEL", b"backend", b"TORCH", b"device", b"cpu:1",
        b"tag", b"v:1", b"duration", 0, b"samples", 0, b"calls", 0, b"errors", 0,
    ]  # fmt: skip


def test_counters(mocks: Wire) -> None:
    store(mocks)
    for rows in (1, 4, 7):
        mocks("AI.TENSORSET", "x", "FLOAT", rows, 3)
        assert mocks.line(RUN) == OK
    shown = info(mocks)
    assert (shown[b"calls"], shown[b"samples"], shown[b"errors"]) == (3, 1 + 4 + 7, 0)
    store(mocks, "m", b"sleep 30\ninput i\noutput o")
    assert mocks.line(RUN) == OK
    assert info(mocks)[b"duration"] >= 30_000
    assert mocks("AI.INFO", "m", "RESETSTAT") == OK
    shown = info(mocks)
    assert [shown[name] for name in (b"duration", b"samples", b"calls", b"errors")] == [0] * 4


def test_a_scalar_has_no_rows_to_count(mocks: Wire) -> None:
    store(mocks)
    mocks("AI.TENSORSET", "x", "FLOAT", "VALUES", 1)
    assert mocks.line(RUN) == OK
    assert info(mocks)[b"calls"] == 1
    assert info(mocks)[b"samples"] in (0, 1)


def test_a_failed_run_is_a_call_and_an_error(mocks: Wire) -> None:
    store(mocks, "m", b"fail why not")
    mocks("AI.TENSORSET", "x", "FLOAT", 5)
    for _ in range(2):
        assert mocks.line(RUN) == failure("why not")
    shown = info(mocks)
    assert (shown[b"calls"], shown[b"samples"], shown[b"errors"]) == (2, 0, 2)


def test_counters_follow_the_key(mocks: Wire) -> None:
    """They belong to the stored object, not to its name."""
    store(mocks)
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    assert mocks.line(RUN) == OK
    mocks("RENAME", "m", "n")
    assert info(mocks, "n")[b"calls"] == 1
    assert info(mocks, "n")[b"key"] == b"n"
    assert mocks("AI.INFO", "m") == NO_INFO
    assert mocks("MOVE", "n", 5) == 1
    mocks("SELECT", 5)
    assert info(mocks, "n")[b"calls"] == 1
    mocks("SWAPDB", 0, 5)
    assert mocks("AI.INFO", "n") == NO_INFO
    mocks("SELECT", 0)
    assert info(mocks, "n")[b"calls"] == 1
    # A copy begins anew, and leaves the counters of the first alone.
    assert mocks("COPY", "n", "copy") == 1
    assert info(mocks, "copy")[b"calls"] == 0
    assert mocks("RESTORE", "restored", 0, mocks("DUMP", "n")) == OK
    assert info(mocks, "restored")[b"calls"] == 0
    assert info(mocks, "n")[b"calls"] == 1


def test_full_shows_what_the_model_says(mocks_both: Wire) -> None:
    blob = b"identity\ninput a FLOAT ? 3\ninput b\noutput c INT64 4\noutput d"
    store(mocks_both, "m", blob)
    short = mocks_both("AI.INFO", "m")
    shown = mocks_both("AI.INFO", "m", "full")
    assert shown[:18] == short
    assert shown[18:26] == [
        b"state", b"ready", b"reason", b"",
        b"inputs", [
            [b"name", b"a", b"dtype", b"FLOAT", b"shape", [-1, 3]],
            [b"name", b"b", b"dtype", b"", b"shape", None],
        ],
        b"outputs", [
            [b"name", b"c", b"dtype", b"INT64", b"shape", [4]],
            [b"name", b"d", b"dtype", b"", b"shape", None],
        ],
    ]  # fmt: skip
    labels = [b"late", b"batches", b"batch_sizes", b"queue_ns", b"run_ns", b"batching"]
    assert shown[26::2] == labels


def test_a_model_that_cannot_be_built_says_why(mocks: Wire) -> None:
    """A restored definition stays, whatever its backend says of it."""
    payload = _dump_of_a_model_that_fails(mocks)
    assert mocks("RESTORE", "m", 0, payload) == OK
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    reply = mocks.line(RUN)
    assert b"broken on purpose" in reply
    shown = mocks("AI.INFO", "m", "FULL")
    assert shown[18:20] == [b"state", b"failed"]
    assert b"broken on purpose" in shown[21]
    assert mocks("AI.MODELGET", "m", "BLOB").startswith(b"fail-load broken on purpose")


def _dump_of_a_model_that_fails(wire: Wire) -> bytes:
    """Of a model whose blob is another one in the payload."""
    bad = b"fail-load broken on purpose"
    good = b"identity".ljust(len(bad), b"\n")
    store(wire, "good", good)
    assert wire("CONFIG", "SET", "rdbcompression", "no") == OK
    payload = Payload(wire("DUMP", "good"))
    assert wire("CONFIG", "SET", "rdbcompression", "yes") == OK
    values = [(kind, bad if value == good else value) for kind, value in payload.values]
    assert values != payload.values
    return payload.with_values(values)
