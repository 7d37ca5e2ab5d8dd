"""`AI._MODELSCAN`: the models of the selected database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from commands.models import ONE, store
from commands.wire import OK, Wire, arity
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server


def scan(wire: Wire) -> list[list[bytes]]:
    reply = wire("AI._MODELSCAN")
    assert all(len(pair) == 2 for pair in reply)
    return sorted(reply)


def test_keys_and_tags(mocks_both: Wire) -> None:
    assert mocks_both("AI._MODELSCAN") == []
    assert mocks_both("AI._MODELSCAN", "x") == arity("AI._MODELSCAN")
    store(mocks_both, "a", ONE, "TAG", "v1")
    store(mocks_both, b"b\0\xff", ONE)  # type: ignore[arg-type]
    mocks_both("AI.TENSORSET", "t", "FLOAT", 1)
    mocks_both("SET", "s", "v")
    assert scan(mocks_both) == [[b"a", b"v1"], [b"b\0\xff", b""]]
    store(mocks_both, "a", ONE, "TAG", "v2")
    assert scan(mocks_both) == [[b"a", b"v2"], [b"b\0\xff", b""]]


def test_what_moves_is_found_where_it_is(mocks: Wire) -> None:
    for name in ("deleted", "unlinked", "gone", "renamed", "moved", "copied", "over", "expired"):
        store(mocks, name, ONE, "TAG", name)
    mocks("DEL", "deleted")
    mocks("UNLINK", "unlinked")
    mocks("AI.MODELDEL", "gone")
    mocks("RENAME", "renamed", "new")
    assert mocks("MOVE", "moved", 7) == 1
    assert mocks("COPY", "copied", "copy") == 1
    mocks("SET", "over", "a text")
    mocks("PEXPIRE", "expired", 1)
    while mocks("EXISTS", "expired"):
        pass
    assert mocks("RESTORE", "restored", 0, mocks("DUMP", "new")) == OK
    assert scan(mocks) == [
        [b"copied", b"copied"],
        [b"copy", b"copied"],
        [b"new", b"renamed"],
        [b"restored", b"renamed"],
    ]
    mocks("SELECT", 7)
    assert scan(mocks) == [[b"moved", b"moved"]]
    mocks("SELECT", 3)
    assert scan(mocks) == []
    mocks("SWAPDB", 3, 7)
    assert scan(mocks) == [[b"moved", b"moved"]]
    mocks("FLUSHDB")
    assert scan(mocks) == []
    mocks("SELECT", 0)
    assert len(scan(mocks)) == 4
    mocks("FLUSHALL", "ASYNC")
    assert scan(mocks) == []


def test_a_command_leaves_its_client_in_its_database(mocks: Wire) -> None:
    """Some servers forget the old database when a module listens to the events of keys."""
    mocks("SET", "text", "here")
    mocks("SET", "moved", "v")
    store(mocks)
    mocks("AI.TENSORSET", "t", "FLOAT", 1)
    for words in (["COPY", "text", "copy", "DB", 6], ["MOVE", "moved", 6], ["MOVE", "t", 6]):
        assert mocks(*words) == 1
        assert mocks("GET", "text") == b"here", words
    assert mocks("COPY", "m", "copy-of-m", "DB", 6) == 1
    assert scan(mocks) == [[b"m", b""]]
    mocks("SELECT", 6)
    assert scan(mocks) == [[b"copy-of-m", b""]]


def test_among_many_other_keys(mocks: Wire) -> None:
    mocks.many([("SET", f"text-{n}", n) for n in range(5000)])
    mocks.many([("AI.TENSORSET", f"tensor-{n}", "FLOAT", 1) for n in range(500)])
    for n in range(20):
        store(mocks, f"m{n}")
        mocks("RENAME", f"m{n}", f"n{n}")
    assert scan(mocks) == sorted([f"n{n}".encode(), b""] for n in range(20))


def test_models_of_a_file_are_found(
    make_server: Callable[..., Server], server_binary: ServerBinary, mock_path: Path
) -> None:
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path]
    server = make_server(server_binary, module_args=arguments)
    wire = Wire((server.host, server.port))
    store(wire, "a", ONE, "TAG", "v")
    wire("SELECT", 4)
    store(wire, "b", ONE, "TAG", "w")
    assert wire("SAVE") == OK
    wire.close()
    server.restart()
    wire = Wire((server.host, server.port))
    assert scan(wire) == [[b"a", b"v"]]
    wire("SELECT", 4)
    assert scan(wire) == [[b"b", b"w"]]
    wire("RENAME", "b", "c")
    assert scan(wire) == [[b"c", b"w"]]
    wire.close()


def test_a_scan_does_not_touch_the_keys(mocks: Wire) -> None:
    """It reads the keys without counting as a use of them."""
    store(mocks)
    mocks("PEXPIRE", "m", 1_000_000)
    before = mocks("OBJECT", "IDLETIME", "m")
    assert scan(mocks) == [[b"m", b""]]
    assert mocks("OBJECT", "IDLETIME", "m") >= before
    assert mocks("PTTL", "m") > 0


def test_many(mocks: Wire) -> None:
    commands = [
        ("AI.MODELSTORE", f"m{n}", "ONNX", "CPU", "TAG", n, "BLOB", "identity") for n in range(500)
    ]
    assert mocks.many(commands) == [OK] * 500
    assert scan(mocks) == sorted([f"m{n}".encode(), str(n).encode()] for n in range(500))
