"""MULTI, Lua and WATCH."""

from __future__ import annotations

import pytest
from commands.models import ONE, store
from commands.wire import OK, WRONGTYPE, Failure, Status, Wire, failure
from redisai_rs.testing import Server

QUEUED = Status(b"QUEUED")
NO_MULTI = failure("ERR Cannot run RedisAI command within a transaction or a LUA script")
RUN = "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y"
OLD_RUN = "AI.MODELRUN m INPUTS x OUTPUTS y"


@pytest.fixture
def other(mocks_server: Server) -> Wire:
    return Wire((mocks_server.host, mocks_server.port))


def prepare(wire: Wire) -> None:
    store(wire)
    wire("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 3)


def test_multi(mocks: Wire) -> None:
    prepare(mocks)
    assert mocks("MULTI") == OK
    lines = [
        "AI.TENSORSET t INT8 1 VALUES 5",
        "AI.TENSORGET t VALUES",
        "AI.MODELSTORE n ONNX CPU TAG v BLOB identity",
        "AI.MODELGET n BLOB",
        RUN,
        OLD_RUN,
        "AI.MODELSTORE bad ONNX CPU BLOB nonsense",
        "AI.MODELSET old ONNX CPU identity",
        "AI._MODELSCAN",
        "AI.MODELDEL n",
        "AI.INFO n",
        "AI.TENSORSET",
    ]
    for line in lines:
        assert mocks.line(line) == QUEUED
    replies = mocks("EXEC")
    assert replies[:6] == [OK, [5], OK, b"identity", NO_MULTI, NO_MULTI]
    assert isinstance(replies[6], Failure)
    assert replies[7] == OK
    assert sorted(replies[8]) == [[b"m", b""], [b"n", b"v"], [b"old", b""]]
    assert replies[9:] == [
        OK,
        failure("ERR cannot find run info for key"),
        failure("ERR wrong number of arguments for 'AI.TENSORSET' command"),
    ]
    assert mocks("EXISTS", "y", "bad", "n") == 0


def test_lua(mocks: Wire) -> None:
    prepare(mocks)
    call = "return redis.call(unpack(ARGV))"

    def lua(line: str, keys: int = 0) -> object:
        return mocks("EVAL", call, keys, *line.split())

    assert lua("AI.TENSORSET t INT8 2 VALUES 5 6") == OK
    assert lua("AI.TENSORGET t VALUES") == [5, 6]
    assert lua("AI.MODELSTORE n ONNX CPU BLOB identity") == OK
    assert lua("AI.MODELGET n BLOB") == b"identity"
    for line in (RUN, OLD_RUN):
        reply = lua(line)
        assert isinstance(reply, Failure)
        assert bytes(NO_MULTI).removeprefix(b"ERR ") in reply
    pcall = "local r = redis.pcall(unpack(ARGV)); return r.err"
    assert mocks("EVAL", pcall, 0, *RUN.split()).removeprefix(b"ERR ") == bytes(
        NO_MULTI
    ).removeprefix(b"ERR ")
    reply = lua("AI.MODELSTORE bad ONNX CPU BLOB nonsense")
    assert isinstance(reply, Failure)
    assert mocks("EXISTS", "y", "bad") == 0
    # What the module replies is a value in the script.
    script = "return redis.call('AI.TENSORGET', 't', 'META')[4][1]"
    assert mocks("EVAL", script, 0) == 2


def watched(mocks: Wire, other: Wire, key: str, *lines: str) -> bool:
    """Whether a transaction that watches a key goes through after these commands of another."""
    assert mocks("WATCH", key) == OK
    for line in lines:
        other.line(line)
    assert mocks("MULTI") == OK
    assert mocks("PING") == QUEUED
    return mocks("EXEC") is not None


@pytest.mark.parametrize(
    "line",
    [
        "AI.TENSORGET x",
        "AI.MODELGET m",
        "AI.INFO m",
        "AI.INFO m RESETSTAT",
        "AI._MODELSCAN",
        "AI.TENSORSET x FLOAT 0",
        "AI.TENSORSET y FLOAT 2 VALUES 1",
        "AI.MODELSTORE m ONNX CPU BLOB nonsense",
        "AI.MODELSTORE m ONNX DISK BLOB identity",
        "AI.MODELSTORE x ONNX CPU BLOB identity",
        "AI.MODELDEL x",
        "AI.MODELEXECUTE m INPUTS 1 none OUTPUTS 1 y",
        "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 m",
        "AI.MODELEXECUTE fails INPUTS 1 x OUTPUTS 1 y",
    ],
)
def test_what_only_reads_or_is_refused_does_not_abort_a_watch(
    mocks: Wire, other: Wire, line: str
) -> None:
    prepare(mocks)
    store(mocks, "fails", b"fail on purpose")
    mocks("AI.TENSORSET", "y", "FLOAT", 1)
    for key in ("m", "x", "y", "none"):
        assert watched(mocks, other, key, line), key
    other.close()


def test_a_run_aborts_a_watch_of_its_output_only(mocks: Wire, other: Wire) -> None:
    prepare(mocks)
    for line in (RUN, OLD_RUN):
        for key in ("m", "x", "none"):
            assert watched(mocks, other, key, line), key
        assert not watched(mocks, other, "y", line)
        mocks("DEL", "y")
        assert not watched(mocks, other, "y", line)
    other.close()


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("x", "AI.TENSORSET x FLOAT 1"),
        ("none", "AI.TENSORSET none FLOAT 1"),
        ("m", "AI.MODELSTORE m ONNX CPU BLOB identity"),
        ("none", "AI.MODELSTORE none ONNX CPU BLOB identity"),
        ("m", "AI.MODELSET m ONNX CPU BLOB identity"),
        ("m", "AI.MODELDEL m"),
    ],
)
def test_a_store_aborts_a_watch(mocks: Wire, other: Wire, key: str, line: str) -> None:
    prepare(mocks)
    assert not watched(mocks, other, key, line)
    other.close()


def test_optimistic_locking(mocks: Wire, other: Wire) -> None:
    """A run between WATCH and MULTI of the same client."""
    prepare(mocks)
    assert mocks("WATCH", "x") == OK
    assert mocks.line(RUN) == OK
    assert mocks("MULTI") == OK
    assert mocks.line("AI.TENSORSET x FLOAT 1 VALUES 9") == QUEUED
    assert mocks("EXEC") == [OK]
    other.close()


def test_a_transaction_with_a_wrong_type_goes_on(mocks: Wire) -> None:
    mocks("SET", "text", "v")
    assert mocks("MULTI") == OK
    mocks.line("AI.TENSORSET text FLOAT 1")
    mocks("AI.MODELSTORE", "text", "ONNX", "CPU", "BLOB", ONE)
    mocks("GET", "text")
    assert mocks("EXEC") == [WRONGTYPE, WRONGTYPE, b"v"]
