"""Client-side caching: who has read a key is told when it changes, whatever changed it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from commands import scripts
from commands.models import TWO, store
from commands.wire import OK, Wire
from holding import Pending, tensor
from holding import store as store_held
from redisai_rs.testing import Server

RUN = "AI.MODELEXECUTE m INPUTS 2 x x OUTPUTS 2 y z"
OLD_RUN = "AI.MODELRUN m INPUTS x x OUTPUTS y z"
# What changes a key, and the key; `m`, `s`, `x`, `y`, `z` are there.
CHANGES = [
    ("AI.TENSORSET x FLOAT 1", "x"),
    ("AI.MODELSTORE m ONNX CPU BLOB identity", "m"),
    ("AI.MODELSET m ONNX CPU BLOB identity", "m"),
    ("AI.MODELDEL m", "m"),
    (RUN, "y"),
    (RUN, "z"),
    (OLD_RUN, "y"),
    (f"AI.DAGEXECUTE LOAD 1 x PERSIST 1 y |> {RUN}", "y"),
    ("AI.DAGEXECUTE PERSIST 2 y z |> AI.TENSORSET y FLOAT 1 |> AI.TENSORSET z FLOAT 1", "z"),
    (f"AI.DAGRUN LOAD 1 x PERSIST 1 z |> {OLD_RUN}", "z"),
    ("AI.SCRIPTEXECUTE s same INPUTS 2 x x OUTPUTS 2 y z", "y"),
    ("AI.SCRIPTRUN s same INPUTS x OUTPUTS z", "z"),
    ("AI.SCRIPTDEL s", "s"),
    ("DEL x", "x"),
    ("RENAME x w", "x"),
    ("EXPIRE m 100", "m"),
    ("FLUSHDB", None),
]
READS = {
    "AI.TENSORGET": "x y z",
    "AI.MODELGET": "m",
    "AI.SCRIPTGET": "s",
    "AI.INFO": "m",
    "AI.DAGEXECUTE_RO": "x y z m",
    "AI.DAGRUN_RO": "x y z m",
}
NO_CHANGE = [
    "AI.TENSORGET x",
    "AI.MODELGET m",
    "AI.INFO m RESETSTAT",
    "AI._MODELSCAN",
    "AI.TENSORSET x FLOAT 0",
    "AI.MODELEXECUTE m INPUTS 2 x none OUTPUTS 2 y z",
    f"AI.DAGEXECUTE_RO LOAD 1 x |> {RUN}",
    f"AI.DAGEXECUTE ROUTING y |> AI.TENSORSET x FLOAT 1 |> {RUN}",
]


def read(name: str, key: str) -> str:
    """A command that reads a key."""
    if not name.endswith("_RO"):
        return f"{name} {key}"
    if key == "m":
        return f"{name} LOAD 1 x |> {OLD_RUN if name == 'AI.DAGRUN_RO' else RUN}"
    return f"{name} LOAD 1 {key} |> AI.TENSORGET {key}"


@pytest.fixture
def filled(mocks: Wire) -> Wire:
    store(mocks, "m", TWO)
    scripts.store(mocks)
    for key in ("x", "y", "z"):
        mocks("AI.TENSORSET", key, "FLOAT", 1)
    return mocks


@pytest.fixture
def reader(filled: Wire, mocks_server: Server) -> Iterator[Wire]:
    """A connection of RESP3, to which the server pushes."""
    wire = Wire((mocks_server.host, mocks_server.port), protocol=3)
    yield wire
    wire.close()


def pushed(reader: Wire) -> list[list[bytes] | None]:
    """The invalidations since the last call: the keys of each, None for all."""
    reader.send("ECHO", "mark")
    found = []
    while (reply := reader.read()) != b"mark":
        assert reply[0] == b"invalidate"
        found.append(reply[1])
    return found


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize(("change", "key"), CHANGES)
def test_a_key_that_was_read(
    filled: Wire, reader: Wire, name: str, change: str, key: str | None
) -> None:
    keys = READS[name].split()
    assert reader("CLIENT", "TRACKING", "ON") == OK
    for one in keys:
        reader.line(read(name, one))
    assert pushed(reader) == []
    filled.line(change)
    told = pushed(reader)
    if key is None:
        assert told == [None]
    else:
        assert ([key.encode()] in told) == (key in keys)
        # Once: it has to be read again before it is told of again.
        filled.line(change)
        assert [key.encode()] not in pushed(reader)


@pytest.mark.parametrize("line", NO_CHANGE)
def test_what_changes_nothing(filled: Wire, reader: Wire, line: str) -> None:
    assert reader("CLIENT", "TRACKING", "ON") == OK
    for key in ("x", "y", "z"):
        reader("AI.TENSORGET", key)
    reader("AI.MODELGET", "m")
    filled.line(line)
    assert pushed(reader) == []


def test_keys_that_a_run_reads_are_not_the_clients(filled: Wire, reader: Wire) -> None:
    """A command that may write is none whose reply is cached."""
    assert reader("CLIENT", "TRACKING", "ON") == OK
    assert reader.line(RUN) == OK
    pushed(reader)
    filled("AI.TENSORSET", "x", "FLOAT", 1)
    assert pushed(reader) == []


def test_by_prefix(filled: Wire, reader: Wire) -> None:
    assert reader("CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "y") == OK
    filled.line(RUN)
    assert pushed(reader) == [[b"y"]]
    filled.line("AI.DAGEXECUTE PERSIST 2 y z |> AI.TENSORSET y FLOAT 1 |> AI.TENSORSET z FLOAT 1")
    assert pushed(reader) == [[b"y"]]


def test_its_own_changes(filled: Wire, reader: Wire) -> None:
    """With `NOLOOP` a client hears of others only. When a command ends that was blocked no server
    knows whose it was: then a client is told too much, never too little."""
    assert reader("CLIENT", "TRACKING", "ON", "NOLOOP") == OK
    reader("AI.TENSORGET", "y")
    assert reader.line("AI.TENSORSET y FLOAT 1") == OK
    assert pushed(reader) == []
    reader("AI.TENSORGET", "y")
    reader.send(*RUN.split())
    assert reader.read() == [b"invalidate", [b"y"]]
    assert reader.read() == OK


def test_a_dag_replies_with_what_it_read_when_it_was_sent(held_server, held, gate) -> None:
    """So a client can get the old value behind the invalidation, as docs/commands.md says."""
    at = gate()
    store_held(held, "m", at.run_text)
    tensor(held, "x", 1)
    reader = Wire((held_server.host, held_server.port), protocol=3)
    assert reader("CLIENT", "TRACKING", "ON") == OK
    run = "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y"
    reader.send(*f"AI.DAGEXECUTE_RO LOAD 1 x |> {run} |> AI.TENSORGET y VALUES".split())
    at.reached()
    tensor(held, "x", 2)
    assert reader.read() == [b"invalidate", [b"x"]]
    at.open()
    assert reader.read() == [OK, [1.0]]
    # `AI.TENSORGET` never waits, so it cannot happen there.
    assert reader("AI.TENSORGET", "x", "VALUES") == [2.0]
    reader.close()


def test_redirected(filled: Wire, mocks_server: Server) -> None:
    """In RESP2 another connection is told."""
    told = Pending(mocks_server, "SUBSCRIBE", "__redis__:invalidate")
    told.reply()
    reader = Wire((mocks_server.host, mocks_server.port))
    assert reader("CLIENT", "TRACKING", "ON", "REDIRECT", told.id) == OK
    reader("AI.TENSORGET", "y")
    filled.line(RUN)
    assert told.reply() == [b"message", b"__redis__:invalidate", [b"y"]]
    reader.close()
    told.close()
