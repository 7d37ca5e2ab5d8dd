"""Where a client may not be blocked all four DAG commands are refused before anything is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands.models import ADD, ONE, info, store
from commands.wire import OK, Failure, Status, Wire, failure
from dag.ops import KINDS, dag, execute, run, tget, tset
from redisai_rs import servers
from redisai_rs.testing import Server

REFUSED = "ERR Cannot run RedisAI command within a transaction or a LUA script"
QUEUED = Status(b"QUEUED")


def commands(kind: str) -> list[list[object]]:
    """Right ones, with and without something to run, and ones that would be refused anyway."""
    step = run if "RUN" in kind else execute
    persist = "" if kind.endswith("_RO") else " PERSIST 1 y"
    return [
        dag(tset("a", 1), tget("a", "VALUES"), kind=kind),
        dag(step("m", "t", "y"), head=f"LOAD 1 t{persist}", kind=kind),
        dag(tset("y", 1), step("m", "y", "z"), step("m", "z", "z"), kind=kind),
        dag(step("none", "t", "y"), head="LOAD 1 t", kind=kind),
        dag(step("m", "t", "y"), head="LOAD 1 none", kind=kind),
        [kind, "ROUTING", "r", "|>", "PING"],
        [kind, "nonsense", "x", "|>", "y", "z"],
        [kind],
    ]


ALL = [command for kind in KINDS for command in commands(kind)]


def prepare(wire: Wire) -> None:
    """`m` would wait for another row: what got into its line would stay there."""
    sizes = ["BATCHSIZE", 2, "MINBATCHSIZE", 2]
    assert wire("AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB", ONE) == OK
    assert wire(*tset("t", 1)) == OK


def assert_untouched(wire: Wire) -> None:
    assert sorted(wire("KEYS", "*")) == [b"m", b"t"]
    assert info(wire)[b"calls"] == 0
    assert b"ai_queue_CPU_length:0" in wire("INFO", "ai")
    # Nothing is blocked.
    assert b"blocked_clients:0\r" in wire("INFO", "clients")


def test_transactions(mocks_both: Wire) -> None:
    wire = mocks_both
    prepare(wire)
    assert wire("MULTI") == OK
    for command in ALL:
        assert wire(*command) == QUEUED
    assert wire(*tget("t", "VALUES")) == QUEUED
    *refused, read = wire("EXEC")
    assert refused == [failure(REFUSED)] * len(ALL)
    assert read is not None
    assert_untouched(wire)


@pytest.mark.parametrize("eval_name", ["EVAL", "EVAL_RO"])
def test_scripts(mocks: Wire, server_binary: servers.ServerBinary, eval_name: str) -> None:
    reading = eval_name == "EVAL_RO"
    if reading and server_binary.version < (7, 0):
        assert mocks("EVAL_RO", "return 1", 0).startswith(b"ERR unknown command")
        return
    prepare(mocks)
    call = "return redis.call(unpack(ARGV))"
    pcall = "return redis.pcall(unpack(ARGV))['err']"
    for command in ALL:
        if reading and not command[0].endswith("_RO"):
            continue  # the server itself refuses what may write
        raised = mocks(eval_name, call, 0, *command)
        assert isinstance(raised, Failure), command
        assert REFUSED.removeprefix("ERR ").encode() in raised, command
        # Servers before 7.0 give the text without its code.
        text = mocks(eval_name, pcall, 0, *command)
        assert text.decode().removeprefix("ERR ") == REFUSED.removeprefix("ERR "), command
    assert_untouched(mocks)


def test_functions(mocks: Wire, server_binary: servers.ServerBinary) -> None:
    if server_binary.version < (7, 0):
        assert mocks("FUNCTION", "LIST").startswith(b"ERR unknown command")
        return
    prepare(mocks)
    body = "redis.register_function('f', function(keys, args) return redis.pcall(unpack(args)) end)"
    assert mocks("FUNCTION", "LOAD", "REPLACE", f"#!lua name=dags\n{body}") == b"dags"
    for command in ALL:
        assert mocks("FCALL", "f", 0, *command) == failure(REFUSED), command
    assert mocks("FUNCTION", "DELETE", "dags") == OK
    assert_untouched(mocks)


def words(command: list[object]) -> bytes:
    """A command as it stands in an append-only file."""
    parts = [str(part).encode() for part in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


@pytest.mark.parametrize("transaction", [False, True], ids=["alone", "in MULTI"])
def test_an_append_only_file_that_holds_some(
    make_server: Callable[..., Server],
    server_binary: servers.ServerBinary,
    mock_path: Path,
    transaction: bool,
) -> None:
    """We write none; the client that reads the file may not block. What else it holds is loaded."""
    arguments = ["TEST_BACKENDS", "yes", "ONNX", str(mock_path)]
    config = {"appendonly": "yes", "auto-aof-rewrite-percentage": 0}
    server = make_server(server_binary, module_args=arguments, config=config)
    wire = Wire((server.host, server.port))
    store(wire, "m", ADD)
    assert wire(*tset("t", 1)) == OK
    wire.close()
    server.stop()
    added = [*ALL, ["AI.MODELEXECUTE", "m", "INPUTS", 2, "t", "t", "OUTPUTS", 1, "y"]]
    if transaction:
        added = [["MULTI"], *added, ["EXEC"]]
    added.append(tset("last", 7))
    files = [
        path for path in server.directory.rglob("*.aof") if b"AI.TENSORSET" in path.read_bytes()
    ]
    (file,) = files
    with file.open("ab") as at:
        at.write(b"".join(map(words, added)))
    server.start()
    wire = Wire((server.host, server.port))
    assert sorted(wire("KEYS", "*")) == [b"last", b"m", b"t"]
    assert info(wire)[b"calls"] == 0
    head = "LOAD 2 t last"
    assert wire(*dag(execute("m", "t last", "y"), tget("y", "VALUES"), head=head)) == [OK, [b"8"]]
    wire.close()
