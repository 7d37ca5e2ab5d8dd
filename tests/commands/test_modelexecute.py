"""`AI.MODELEXECUTE`: its replies, and every error in the contract's order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commands.dtypes import NUMBERS, Number
from commands.models import ADD, ONE, TWO, info, store
from commands.wire import OK, WRONGTYPE, Status, Wire, arity, failure
from holding import Gate
from redisai_rs.testing import Server

ARITY = arity("AI.MODELEXECUTE")
NO_MODEL = failure("ERR model key is empty")
NO_TENSOR = failure("ERR tensor key is empty or in a different shard")
NO_INPUTS = failure("ERR INPUTS not specified")
NO_OUTPUTS = failure("ERR OUTPUTS not specified")
INPUT_COUNT = failure("ERR Invalid argument for input_count")
OUTPUT_COUNT = failure("ERR Invalid argument for output_count")
INPUT_POSITIVE = failure("ERR Input count must be a positive integer")
OUTPUT_POSITIVE = failure("ERR Output count must be a positive integer")
INPUTS_FIT = failure("Number of keys given as INPUTS here does not match model definition")
OUTPUTS_FIT = failure("Number of keys given as OUTPUTS here does not match model definition")
INPUT_KEYS = failure(
    "ERR number of input keys to AI.MODELEXECUTE command does not match the number of given "
    "arguments"
)
OUTPUT_KEYS = failure(
    "ERR number of output keys to AI.MODELEXECUTE command does not match the number of given "
    "arguments"
)
NO_TIMEOUT = failure("ERR No value provided for TIMEOUT")
BAD_TIMEOUT = failure("ERR Invalid value for TIMEOUT")
NO_MULTI = failure("ERR Cannot run RedisAI command within a transaction or a LUA script")


def trailing(text: str) -> object:
    return failure(f"Invalid argument: {text}")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", ARITY),
        ("none INPUTS 1 a OUTPUTS 1", ARITY),
        ("text x", ARITY),
        ("none INPUT x y z w v", NO_MODEL),
        ("text INPUT x y z w v", WRONGTYPE),
        ("x INPUTS 2 x x OUTPUTS 2 c d", WRONGTYPE),
        ("m INPUT x a b OUTPUTS 2 c d", NO_INPUTS),
        ("m OUTPUTS 2 c d INPUTS 2 a b", NO_INPUTS),
        ("m TIMEOUT 5 INPUTS 2 a b OUTPUTS 2 c d", NO_INPUTS),
        ("m INPUTS x a b OUTPUTS 2 c d", INPUT_COUNT),
        ("m INPUTS a b OUTPUTS c d e f", INPUT_COUNT),
        ("m INPUTS 0 a b OUTPUT x c d", INPUT_POSITIVE),
        ("m INPUTS -2 a b OUTPUTS 2 c d", INPUT_POSITIVE),
        ("m INPUTS 1 a OUTPUT x c d e", INPUTS_FIT),
        ("m INPUTS 3 a b c OUTPUTS 2 c d", INPUTS_FIT),
        ("m INPUTS 9223372036854775807 a b OUTPUTS 2 c d", INPUTS_FIT),
        ("m INPUTS 2 a b OUTPUT x c d", NO_OUTPUTS),
        ("m INPUTS 2 a b c OUTPUTS 2 c d", NO_OUTPUTS),
        ("m INPUTS 2 a b TIMEOUT 5 OUTPUTS 2 c d", NO_OUTPUTS),
        ("m INPUTS 2 a b OUTPUTS x c d", OUTPUT_COUNT),
        ("m INPUTS 2 a b c d OUTPUTS", NO_OUTPUTS),
        ("m INPUTS 2 a b OUTPUTS 0 c d", OUTPUT_POSITIVE),
        ("m INPUTS 2 a b OUTPUTS -1 c d", OUTPUT_POSITIVE),
        ("m INPUTS 2 a b OUTPUTS 1 c d", OUTPUTS_FIT),
        ("m INPUTS 2 a b OUTPUTS 9 c d", OUTPUTS_FIT),
        ("m INPUTS 2 a b OUTPUTS 2 c", OUTPUT_KEYS),
        ("m INPUTS 2 a b OUTPUTS 2", OUTPUT_KEYS),
        ("m INPUTS 2 a b OUTPUTS 2 c d e", trailing("e")),
        ("m INPUTS 2 a b OUTPUTS 2 c d INPUTS", trailing("INPUTS")),
        ("m INPUTS 2 a b OUTPUTS 2 c d TIMEOUTS 5", trailing("TIMEOUTS")),
        ("m INPUTS 2 a b OUTPUTS 2 c d TIMEOUT", NO_TIMEOUT),
        ("m INPUTS 2 a b OUTPUTS 2 c d TIMEOUT x y", BAD_TIMEOUT),
        ("m INPUTS 2 a b OUTPUTS 2 c d TIMEOUT 0", BAD_TIMEOUT),
        ("m INPUTS 2 a b OUTPUTS 2 c d timeout -1", BAD_TIMEOUT),
        ("m INPUTS 2 a b OUTPUTS 2 c d TIMEOUT 1.5", BAD_TIMEOUT),
        ("m INPUTS 2 a b OUTPUTS 2 c d TIMEOUT 9223372036854775808", BAD_TIMEOUT),
        ("m INPUTS 2 a b OUTPUTS 2 c d TIMEOUT 5 x", trailing("x")),
        ("m INPUTS 2 a b OUTPUTS 2 text d TIMEOUT 5 TIMEOUT 5", trailing("TIMEOUT")),
        ("m INPUTS 2 none text OUTPUTS 2 text d", NO_TENSOR),
        ("m INPUTS 2 text none OUTPUTS 2 text d", WRONGTYPE),
        ("m INPUTS 2 x m OUTPUTS 2 c d", WRONGTYPE),
        ("m INPUTS 2 x x OUTPUTS 2 c text", WRONGTYPE),
        ("m INPUTS 2 x x OUTPUTS 2 m d", WRONGTYPE),
        ("m INPUTS 2 x x OUTPUTS 2 c d TIMEOUT 9223372036854775807", OK),
    ],
)
def test_errors_in_order(mocks: Wire, line: str, reply: object) -> None:
    store(mocks, "m", TWO)
    mocks("SET", "text", "v")
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    assert mocks.line(f"AI.MODELEXECUTE {line}") == reply
    assert mocks("EXISTS", "c", "d") == (2 if reply == OK else 0)
    # What was refused before the run is not counted.
    assert info(mocks)[b"calls"] == (1 if reply == OK else 0)
    assert mocks("GET", "text") == b"v"


def test_counts_above_the_arguments_of_a_model_that_takes_any(mocks: Wire) -> None:
    store(mocks, "m", b"add\ninputs 5\noutputs 1")
    assert mocks.line("AI.MODELEXECUTE m INPUTS 5 a b OUTPUTS 1") == INPUT_KEYS
    # The keyword is the fifth key then.
    assert mocks.line("AI.MODELEXECUTE m INPUTS 5 a b c d OUTPUTS") == NO_OUTPUTS


def test_a_transaction_comes_before_everything(mocks: Wire) -> None:
    assert mocks("MULTI") == OK
    for line in ("AI.MODELEXECUTE", "AI.MODELEXECUTE none INPUTS 1 a OUTPUTS 1 b", "PING"):
        assert mocks.line(line) == Status(b"QUEUED")
    assert mocks("EXEC") == [NO_MULTI, NO_MULTI, Status(b"PONG")]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_tensors_pass_whole(mocks: Wire, number: Number) -> None:
    count = len(number.values)
    for operation in (b"identity", b"copy", b"foreign"):
        store(mocks, "m", operation)
        assert mocks("AI.TENSORSET", "x", number.name, 1, count, "BLOB", number.blob) == OK
        assert mocks("ai.modelexecute", "m", "inputs", 1, "x", "outputs", 1, "y") == OK
        assert mocks("AI.TENSORGET", "y") == [
            b"dtype", number.name.encode(), b"shape", [1, count], b"blob", number.blob,
        ]  # fmt: skip


def test_scalars_and_strings_pass_whole(mocks: Wire) -> None:
    for operation in (b"identity", b"copy", b"foreign"):
        store(mocks, "m", operation + b"\ninputs 2\noutputs 2")
        mocks("AI.TENSORSET", "x", "DOUBLE", "VALUES", "0.1")
        mocks("AI.TENSORSET", "s", "STRING", 3, "BYTES", b"a\0b", b"", bytes(range(256)))
        assert mocks.line("AI.MODELEXECUTE m INPUTS 2 x s OUTPUTS 2 y t") == OK
        assert mocks("AI.TENSORGET", "y", "META") == [b"dtype", b"DOUBLE", b"shape", []]
        assert mocks("AI.TENSORGET", "y", "BLOB") == np.float64(0.1).tobytes()
        assert mocks("AI.TENSORGET", "t", "VALUES") == [b"a\0b", b"", bytes(range(256))]
        mocks("DEL", "y", "t")


def test_sums_are_what_numpy_has(mocks_both: Wire) -> None:
    store(mocks_both, "m", ADD)
    random = np.random.default_rng(7)
    a, b = random.normal(size=(2, 3, 5)).astype(np.float32)
    mocks_both("AI.TENSORSET", "a", "FLOAT", 3, 5, "BLOB", a.tobytes())
    mocks_both("AI.TENSORSET", "b", "FLOAT", 3, 5, "BLOB", b.tobytes())
    assert mocks_both.line("AI.MODELEXECUTE m INPUTS 2 a b OUTPUTS 1 c") == OK
    assert mocks_both("AI.TENSORGET", "c", "BLOB") == (a + b).tobytes()


def test_outputs_may_repeat_and_may_be_inputs(mocks: Wire) -> None:
    store(mocks, "m", TWO)
    mocks("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 1)
    mocks("AI.TENSORSET", "y", "FLOAT", 1, "VALUES", 2)
    assert mocks.line("AI.MODELEXECUTE m INPUTS 2 x y OUTPUTS 2 z z") == OK
    assert [float(v) for v in mocks("AI.TENSORGET", "z", "VALUES")] == [2]
    assert mocks.line("AI.MODELEXECUTE m INPUTS 2 x y OUTPUTS 2 y x") == OK
    assert [float(v) for v in mocks("AI.TENSORGET", "x", "VALUES")] == [2]
    assert [float(v) for v in mocks("AI.TENSORGET", "y", "VALUES")] == [1]


def test_outputs_replace_and_lose_their_time_to_live(mocks: Wire) -> None:
    store(mocks)
    mocks("AI.TENSORSET", "x", "INT8", 1, "VALUES", 5)
    mocks("AI.TENSORSET", "y", "FLOAT", 9)
    mocks("EXPIRE", "y", 1000)
    assert mocks.line("AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y") == OK
    assert mocks("TTL", "y") == -1
    assert mocks("AI.TENSORGET", "y", "VALUES") == [5]


def test_an_output_that_is_no_tensor_is_skipped(mocks: Wire) -> None:
    store(mocks, "m", b"none\ninputs 1\noutputs 1")
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    assert mocks.line("AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y") == OK
    assert mocks("EXISTS", "y") == 0


def test_a_backends_text_goes_out_as_it_is(mocks: Wire) -> None:
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    for text in ("no prefix at all", "ERR a prefix", "WRONG  blanks: kept"):
        store(mocks, "m", f"fail {text}".encode())
        assert mocks.line("AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y") == failure(text)
        assert (info(mocks)[b"calls"], info(mocks)[b"errors"]) == (1, 1)
    assert mocks("EXISTS", "y") == 0


def test_a_model_without_inputs(mocks: Wire) -> None:
    store(mocks, "m", b"allocate 3\ninputs 0\noutputs 1")
    assert mocks.line("AI.MODELEXECUTE m INPUTS 0 OUTPUTS 1 y TIMEOUT 5000") == OK
    assert mocks.line("AI.MODELEXECUTE m INPUTS 0 OUTPUTS 1 y") == OK
    assert mocks("AI.TENSORGET", "y", "BLOB") == bytes(3)
    # With any other model the seven words are too few, as they always were.
    store(mocks)
    assert mocks.line("AI.MODELEXECUTE m INPUTS 0 OUTPUTS 1 y") == ARITY


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.close()


def test_a_timeout_ends_the_wait(mocks: Wire, mocks_server: Server, gate: Gate) -> None:
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    store(mocks, "other", ONE)
    store(mocks, "m", gate.run_text.encode())
    first = Wire((mocks_server.host, mocks_server.port))
    first.send(*"AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y".split())
    gate.reached()
    # Behind a run that holds the only worker.
    run = "AI.MODELEXECUTE other INPUTS 1 x OUTPUTS 1 z TIMEOUT 50"
    assert mocks.line(run) == Status(b"TIMEDOUT")
    gate.open()
    assert first.read() == OK
    first.close()
    assert (mocks("EXISTS", "y"), mocks("EXISTS", "z")) == (1, 0)
    assert info(mocks, "other")[b"calls"] == 0


def test_a_timeout_ends_a_run_that_can_be_stopped(mocks: Wire, gate: Gate) -> None:
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    store(mocks, "m", gate.run_text.encode())
    run = "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y TIMEOUT 50"
    assert mocks.line(run) == Status(b"TIMEDOUT")
    # The worker is free again while the gate is still closed.
    store(mocks, "other", ONE)
    assert mocks.line("AI.MODELEXECUTE other INPUTS 1 x OUTPUTS 1 z") == OK
    assert (mocks("EXISTS", "y"), mocks("EXISTS", "z")) == (0, 1)
