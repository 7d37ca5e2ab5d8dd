"""Keyspace notifications: the events of our commands, in the module class."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from commands.models import TWO, store
from commands.wire import OK, Wire
from redisai_rs.testing import Server

Events = Callable[[], list[tuple[bytes, bytes]]]


@pytest.fixture
def events(mocks: Wire, mocks_server: Server) -> Iterator[Events]:
    """Gives the events (name, key) since the last call, those of the module and the generic ones.

    Class `d` is the module's.
    """
    assert mocks("CONFIG", "SET", "notify-keyspace-events", "Edg") == OK
    listener = Wire((mocks_server.host, mocks_server.port))
    listener("PSUBSCRIBE", "__keyevent@*__:*")
    marks = iter(range(1_000_000))

    def since() -> list[tuple[bytes, bytes]]:
        mark = f"mark-{next(marks)}"
        mocks("SET", mark, 1)
        assert mocks("DEL", mark) == 1
        found = []
        while True:
            _, _, channel, key = listener.read()
            event = channel.split(b":", 1)[1]
            if key == mark.encode():
                return found
            found.append((event, key))

    yield since
    listener.close()
    mocks("CONFIG", "SET", "notify-keyspace-events", "")


def test_stores_and_deletes(mocks: Wire, events: Events) -> None:
    mocks("AI.TENSORSET", "t", "FLOAT", 1)
    assert events() == [(b"ai.tensorset", b"t")]
    store(mocks, "m")
    assert events() == [(b"ai.modelstore", b"m")]
    assert mocks("AI.MODELSET", "m", "ONNX", "CPU", "BLOB", "identity") == OK
    assert events() == [(b"ai.modelstore", b"m")]
    assert mocks("AI.MODELDEL", "m") == OK
    assert sorted(events()) == [(b"ai.modeldel", b"m"), (b"del", b"m")]
    mocks("AI.TENSORSET", "t", "FLOAT", 1)
    mocks("DEL", "t")
    assert events() == [(b"ai.tensorset", b"t"), (b"del", b"t")]


def test_outputs_of_runs(mocks: Wire, events: Events) -> None:
    store(mocks, "m", TWO)
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    events()
    assert mocks.line("AI.MODELEXECUTE m INPUTS 2 x x OUTPUTS 2 b a") == OK
    assert events() == [(b"ai.tensorset", b"b"), (b"ai.tensorset", b"a")]
    assert mocks.line("AI.MODELRUN m INPUTS x x OUTPUTS y y") == OK
    assert events() == [(b"ai.tensorset", b"y")] * 2


def test_what_changes_nothing_says_nothing(mocks: Wire, events: Events) -> None:
    store(mocks)
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    events()
    mocks("AI.TENSORSET", "x", "FLOAT", 0)
    mocks("AI.TENSORGET", "x")
    mocks("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "nonsense")
    mocks("AI.MODELGET", "m")
    mocks("AI.MODELDEL", "none")
    mocks("AI.INFO", "m", "RESETSTAT")
    mocks("AI._MODELSCAN")
    mocks.line("AI.MODELEXECUTE m INPUTS 1 none OUTPUTS 1 y")
    store(mocks, "fails", b"fail x")
    assert events() == [(b"ai.modelstore", b"fails")]
    mocks.line("AI.MODELEXECUTE fails INPUTS 1 x OUTPUTS 1 y")
    assert events() == []


def test_in_the_database_of_the_command(mocks: Wire, mocks_server: Server) -> None:
    assert mocks("CONFIG", "SET", "notify-keyspace-events", "Kd") == OK
    listener = Wire((mocks_server.host, mocks_server.port))
    listener("PSUBSCRIBE", "__keyspace@*")
    mocks("SELECT", 9)
    store(mocks)
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    assert mocks.line("AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y") == OK
    found = [listener.read()[2:] for _ in range(3)]
    assert found == [
        [b"__keyspace@9__:m", b"ai.modelstore"],
        [b"__keyspace@9__:x", b"ai.tensorset"],
        [b"__keyspace@9__:y", b"ai.tensorset"],
    ]
    mocks("SELECT", 0)
    listener.close()
    mocks("CONFIG", "SET", "notify-keyspace-events", "")
