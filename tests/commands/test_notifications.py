"""Keyspace notifications: the events of our commands, in the module class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import scripts
from commands.models import TWO, store
from commands.wire import OK, Failure, Wire
from redisai_rs.servers import ServerBinary
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


# A command and its events, in order; the keys `m` (a model), `s` (a script) and `x` (a tensor) are
# there; `{}` is a script's source.
DAG = "|> AI.TENSORSET {} FLOAT 1 |> AI.TENSORSET b FLOAT 1"
COMMANDS = [
    ("AI.TENSORSET t FLOAT 1", "ai.tensorset t"),
    ("AI.TENSORSET x FLOAT 1 VALUES 2", "ai.tensorset x"),
    ("AI.TENSORGET x", ""),
    ("AI.MODELSTORE n ONNX CPU BLOB identity", "ai.modelstore n"),
    ("AI.MODELSTORE m ONNX CPU BLOB identity", "ai.modelstore m"),
    ("AI.MODELSET n ONNX CPU BLOB identity", "ai.modelstore n"),
    ("AI.MODELSET n ONNX CPU identity", "ai.modelstore n"),
    ("AI.MODELGET m", ""),
    ("AI.MODELDEL m", "del m, ai.modeldel m"),
    ("AI._MODELSCAN", ""),
    ("AI.MODELEXECUTE m INPUTS 2 x x OUTPUTS 2 b a", "ai.tensorset b, ai.tensorset a"),
    ("AI.MODELEXECUTE m INPUTS 2 x x OUTPUTS 2 x x", "ai.tensorset x, ai.tensorset x"),
    ("AI.MODELRUN m INPUTS x x OUTPUTS y y", "ai.tensorset y, ai.tensorset y"),
    ("AI.SCRIPTSTORE p CPU TAG t ENTRY_POINTS 0 SOURCE {}", "ai.scriptstore p"),
    ("AI.SCRIPTSTORE s CPU ENTRY_POINTS 1 same SOURCE {}", "ai.scriptstore s"),
    ("AI.SCRIPTSET p CPU SOURCE {}", "ai.scriptstore p"),
    ("AI.SCRIPTSET p CPU {}", "ai.scriptstore p"),
    ("AI.SCRIPTGET s", ""),
    ("AI.SCRIPTDEL s", "del s, ai.scriptdel s"),
    ("AI._SCRIPTSCAN", ""),
    ("AI.SCRIPTEXECUTE s same INPUTS 2 x x OUTPUTS 2 b a", "ai.tensorset b, ai.tensorset a"),
    ("AI.SCRIPTRUN s same INPUTS x OUTPUTS y", "ai.tensorset y"),
    (
        f"AI.DAGEXECUTE PERSIST 2 b a {DAG.format('a')}",
        "ai.tensorset b, ai.tensorset a",
    ),
    (
        "AI.DAGEXECUTE LOAD 1 x PERSIST 1 y |> AI.MODELEXECUTE m INPUTS 2 x x OUTPUTS 2 y z",
        "ai.tensorset y",
    ),
    (f"AI.DAGEXECUTE ROUTING r {DAG.format('x')}", ""),
    ("AI.DAGEXECUTE_RO LOAD 1 x |> AI.MODELEXECUTE m INPUTS 2 x x OUTPUTS 2 y z", ""),
    (f"AI.DAGRUN PERSIST 1 b {DAG.format('a')}", "ai.tensorset b"),
    ("AI.DAGRUN LOAD 1 x PERSIST 1 z |> AI.MODELRUN m INPUTS x x OUTPUTS y z", "ai.tensorset z"),
    ("AI.DAGRUN_RO LOAD 1 x |> AI.MODELRUN m INPUTS x x OUTPUTS y z", ""),
    ("AI.INFO m RESETSTAT", ""),
    ("AI.CONFIG MODEL_CHUNK_SIZE 5", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "expected"), COMMANDS)
def test_events(mocks: Wire, events: Events, line: str, expected: str) -> None:
    store(mocks, "m", TWO)
    scripts.store(mocks)
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    events()
    words = [scripts.SOURCE if word == "{}" else word for word in line.split()]
    assert not isinstance(mocks(*words), Failure)
    pairs = [tuple(pair.encode().split()) for pair in expected.split(", ") if pair]
    assert events() == pairs


def test_every_command_is_above(mocks: Wire) -> None:
    names = {one[0].decode() for one in mocks("COMMAND")}
    found = {line.split()[0].lower() for line, _ in COMMANDS}
    assert {name for name in names if name.startswith("ai.")} == found


def test_deletes_of_the_server(mocks: Wire, events: Events) -> None:
    mocks("AI.TENSORSET", "t", "FLOAT", 1)
    mocks("DEL", "t")
    assert events() == [(b"ai.tensorset", b"t"), (b"del", b"t")]


def test_on_a_replica(
    make_server: Callable[..., Server], server_binary: ServerBinary, mock_path: Path
) -> None:
    """What a replica applies it tells of, as the primary does; of a run that is its outputs."""
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path]
    primary = make_server(server_binary, module_args=arguments)
    with primary.replica(config={"notify-keyspace-events": "Ed"}) as replica:
        replica.wait_for_sync()
        listener = Wire((replica.host, replica.port))
        listener("PSUBSCRIBE", "__keyevent@*__:*")
        wire = Wire((primary.host, primary.port))
        store(wire)
        assert wire("AI.TENSORSET", "x", "FLOAT", 1) == OK
        assert wire.line("AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y") == OK
        line = "AI.DAGEXECUTE LOAD 1 x PERSIST 1 z |> AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 z"
        assert wire.line(line) == [OK]
        assert wire("AI.MODELDEL", "m") == OK
        expected = [
            (b"ai.modelstore", b"m"),
            (b"ai.tensorset", b"x"),
            (b"ai.tensorset", b"y"),
            (b"ai.tensorset", b"z"),
            (b"ai.modeldel", b"m"),
        ]
        found = [listener.read()[2:] for _ in expected]
        assert [(channel.split(b":", 1)[1], key) for channel, key in found] == expected
        listener.close()
        wire.close()


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
