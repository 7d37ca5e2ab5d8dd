"""The deprecated `AI.MODELRUN`."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands.models import TWO, info, store
from commands.wire import OK, WRONGTYPE, Status, Wire, arity, failure
from holding import Gate

ARITY = arity("AI.MODELRUN")
NO_MODEL = failure("ERR model key is empty")
NO_TENSOR = failure("ERR tensor key is empty or in a different shard")
NO_INPUTS = failure("ERR INPUTS not specified")
BAD_TIMEOUT = failure("ERR Invalid value for TIMEOUT")
INPUTS_FIT = failure("Number of keys given as INPUTS here does not match model definition")
OUTPUTS_FIT = failure("Number of keys given as OUTPUTS here does not match model definition")
NO_MULTI = failure("ERR Cannot run RedisAI command within a transaction or a LUA script")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", ARITY),
        ("m INPUTS a b OUTPUTS", OUTPUTS_FIT),
        ("none INPUTS a OUTPUTS", ARITY),
        ("text a b", ARITY),
        ("none x y z w", NO_MODEL),
        ("text x y z w", WRONGTYPE),
        ("x INPUTS x x OUTPUTS y z", WRONGTYPE),
        ("m TIMEOUT x INPUT a b", BAD_TIMEOUT),
        ("m TIMEOUT 0 INPUTS a b OUTPUTS c d", BAD_TIMEOUT),
        ("m TIMEOUT -1 INPUTS a b OUTPUTS c d", BAD_TIMEOUT),
        ("m TIMEOUT INPUTS a b OUTPUTS c d", BAD_TIMEOUT),
        ("m TIMEOUT 5 INPUT a b OUTPUTS c d", NO_INPUTS),
        ("m OUTPUTS c d INPUTS a b", NO_INPUTS),
        ("m x INPUTS a b OUTPUTS c d", NO_INPUTS),
        ("m INPUTS a OUTPUTS c d", INPUTS_FIT),
        ("m INPUTS a b c OUTPUTS c d", INPUTS_FIT),
        ("m INPUTS a b c d", INPUTS_FIT),
        ("m INPUTS a b TIMEOUT 5 OUTPUTS c d", INPUTS_FIT),
        ("m INPUTS a b OUTPUTS c", OUTPUTS_FIT),
        ("m INPUTS a b OUTPUTS c d e", OUTPUTS_FIT),
        ("m INPUTS a b OUTPUTS c d TIMEOUT 5", OUTPUTS_FIT),
        ("m INPUTS none text OUTPUTS text d", NO_TENSOR),
        ("m INPUTS text none OUTPUTS c d", WRONGTYPE),
        ("m INPUTS x x OUTPUTS c text", WRONGTYPE),
        ("m INPUTS x x OUTPUTS c d", OK),
        ("m timeout 60000 inputs x x outputs c d", OK),
    ],
)
def test_errors_in_order(mocks: Wire, line: str, reply: object) -> None:
    store(mocks, "m", TWO)
    mocks("SET", "text", "v")
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    assert mocks.line(f"AI.MODELRUN {line}") == reply
    assert mocks("EXISTS", "c", "d") == (2 if reply == OK else 0)
    assert info(mocks)[b"calls"] == (1 if reply == OK else 0)
    assert mocks("GET", "text") == b"v"


def test_keys_named_like_keywords(mocks: Wire) -> None:
    """Only `OUTPUTS` ends the inputs; behind it everything is a key."""
    store(mocks, "TIMEOUT", TWO)
    mocks("AI.TENSORSET", "INPUTS", "INT8", 1, "VALUES", 1)
    mocks("AI.TENSORSET", "TIMEOUT2", "INT8", 1, "VALUES", 2)
    assert mocks.line("AI.MODELRUN TIMEOUT INPUTS INPUTS TIMEOUT2 OUTPUTS OUTPUTS BLOB") == OK
    assert mocks("AI.TENSORGET", "OUTPUTS", "VALUES") == [1]
    assert mocks("AI.TENSORGET", "BLOB", "VALUES") == [2]


def test_not_in_a_transaction(mocks: Wire) -> None:
    assert mocks("MULTI") == OK
    assert mocks("AI.MODELRUN") == Status(b"QUEUED")
    assert mocks("EXEC") == [NO_MULTI]


def test_a_timeout_ends_the_wait(mocks: Wire, tmp_path: Path) -> None:
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    gate = Gate(tmp_path / "gate")
    store(mocks, "m", gate.run_text.encode())
    assert mocks.line("AI.MODELRUN m TIMEOUT 50 INPUTS x OUTPUTS y") == Status(b"TIMEDOUT")
    gate.close()
    assert mocks("EXISTS", "y") == 0
