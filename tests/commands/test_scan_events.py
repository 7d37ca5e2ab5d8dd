"""`AI._MODELSCAN` after every way in which a key can go or come without a command of ours."""

from __future__ import annotations

import pytest
from commands.models import ONE, store
from commands.wire import OK, Wire
from redisai_rs.testing import wait_until

DEL = "return redis.call('DEL', KEYS[1])"


def scan(wire: Wire) -> list[bytes]:
    """The names that are listed, which are those of the database's models and no others."""
    return sorted(name for name, _ in wire("AI._MODELSCAN"))


def transaction(wire: Wire, *commands: list[str]) -> None:
    """Runs commands in MULTI."""
    wire("MULTI")
    for command in commands:
        wire(*command)
    assert len(wire("EXEC")) == len(commands)


GOING = {
    "EVAL DEL": lambda wire: wire("EVAL", DEL, 1, "gone"),
    "MULTI DEL": lambda wire: transaction(wire, ["DEL", "gone"], ["PING"]),
    "MULTI UNLINK": lambda wire: transaction(wire, ["UNLINK", "gone"]),
    "EXPIRE in the past": lambda wire: wire("EXPIRE", "gone", -1),
    "SET over it": lambda wire: wire("SET", "gone", "text"),
    "RENAME over it": lambda wire: (wire("SET", "s", "text"), wire("RENAME", "s", "gone")),
    "COPY over it": lambda wire: (wire("SET", "s", "t"), wire("COPY", "s", "gone", "REPLACE")),
    "RESTORE over it": lambda wire: (
        wire("SET", "s", "text"),
        wire("RESTORE", "gone", 0, wire("DUMP", "s"), "REPLACE"),
    ),
    "SUNIONSTORE over it": lambda wire: (wire("SADD", "s", 1), wire("SUNIONSTORE", "gone", "s")),
}


@pytest.mark.parametrize("go", GOING.values(), ids=GOING)
def test_a_model_that_goes(mocks: Wire, go) -> None:
    store(mocks, "kept", ONE)
    store(mocks, "gone", ONE)
    assert scan(mocks) == [b"gone", b"kept"]
    go(mocks)
    assert scan(mocks) == [b"kept"]
    # Its name is free for another model, and is listed again at once.
    mocks("DEL", "gone")
    store(mocks, "gone", ONE)
    assert scan(mocks) == [b"gone", b"kept"]


def test_a_model_that_expires_by_itself(mocks: Wire) -> None:
    """Nobody touches the key: the server's own cycle takes it."""
    store(mocks, "kept", ONE)
    store(mocks, "gone", ONE)
    mocks("PEXPIRE", "gone", 1)
    wait_until(lambda: mocks("DBSIZE") == 1, "the server's cycle")
    assert scan(mocks) == [b"kept"]


def test_a_model_that_has_expired_and_is_still_there(mocks: Wire) -> None:
    mocks("DEBUG", "SET-ACTIVE-EXPIRE", 0)
    store(mocks, "gone", ONE)
    end = int(mocks("TIME")[0]) * 1000 + 1
    mocks("PEXPIREAT", "gone", end + 1000)
    wait_until(lambda: int(mocks("TIME")[0]) * 1000 > end + 1000, "the time of the key")
    assert mocks("DBSIZE") == 1
    assert scan(mocks) == []
    mocks("DEBUG", "SET-ACTIVE-EXPIRE", 1)


def test_models_that_are_evicted(mocks: Wire) -> None:
    blob = ONE + b"\n" + b" " * (256 << 10)
    for number in range(20):
        store(mocks, f"m{number}", blob)
    assert len(scan(mocks)) == 20
    info = dict(line.split(b":", 1) for line in mocks("INFO", "memory").split() if b":" in line)
    try:
        assert mocks("CONFIG", "SET", "maxmemory-policy", "allkeys-random") == OK
        limit = int(info[b"used_memory"]) - (1 << 20)
        assert mocks("CONFIG", "SET", "maxmemory", limit) == OK
        wait_until(lambda: mocks("SET", "s", "text") == OK and mocks("DBSIZE") < 21, "eviction")
        left = [f"m{n}".encode() for n in range(20) if mocks("EXISTS", f"m{n}")]
        assert 0 < len(left) < 20
        assert scan(mocks) == sorted(left)
    finally:
        mocks("CONFIG", "SET", "maxmemory", 0)


def test_a_model_that_comes_over_another_key(mocks: Wire) -> None:
    store(mocks, "m", ONE)
    payload = mocks("DUMP", "m")
    mocks("SET", "text", "t")
    mocks("RPUSH", "list", 1)
    assert mocks("RESTORE", "text", 0, payload, "REPLACE") == OK
    assert mocks("COPY", "m", "list", "REPLACE") == 1
    transaction(mocks, ["RENAME", "m", "n"])
    mocks("EVAL", "return redis.call('RENAME', KEYS[1], KEYS[2])", 2, "n", "o")
    assert scan(mocks) == [b"list", b"o", b"text"]


def test_flushes_and_swaps(mocks: Wire) -> None:
    store(mocks, "a", ONE)
    mocks("SELECT", 5)
    store(mocks, "b", ONE)
    transaction(mocks, ["SWAPDB", "0", "5"])
    assert scan(mocks) == [b"a"]
    mocks("EVAL", "return redis.call('FLUSHDB')", 0)
    assert scan(mocks) == []
    mocks("SELECT", 0)
    assert scan(mocks) == [b"b"]
    mocks("FLUSHALL", "ASYNC")
    assert scan(mocks) == []
