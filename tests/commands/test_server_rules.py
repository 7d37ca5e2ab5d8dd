"""What the server does by our commands' flags: memory limits, replicas, caching, pipelines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import scripts
from commands.models import ONE, store
from commands.wire import OK, Failure, Wire, failure
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server
from redisai_rs.testing.waiting import wait_until

MakeServer = Callable[..., Server]
RUN = "AI.MODELEXECUTE m INPUTS 1 x OUTPUTS 1 y"
WRITES = [
    "AI.TENSORSET t FLOAT 1",
    "AI.MODELSTORE n ONNX CPU BLOB identity",
    "AI.MODELSET n ONNX CPU BLOB identity",
    RUN,
    "AI.MODELRUN m INPUTS x OUTPUTS y",
    "AI.SCRIPTSTORE n CPU ENTRY_POINTS 1 f SOURCE none",
    "AI.SCRIPTSET n CPU SOURCE none",
    "AI.SCRIPTEXECUTE s same INPUTS 1 x OUTPUTS 1 y",
    "AI.SCRIPTRUN s same INPUTS x OUTPUTS y",
]
READS = ["AI.TENSORGET x VALUES", "AI.MODELGET m META", "AI.INFO m", "AI._MODELSCAN"]
READS += ["AI.SCRIPTGET s META", "AI.INFO s", "AI._SCRIPTSCAN"]


@pytest.fixture
def ready(make_server: MakeServer, server_binary: ServerBinary, mock_path: Path) -> Server:
    """A server with the model `m`, the script `s` and the tensor `x`."""
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "TORCH", mock_path]
    server = make_server(server_binary, module_args=arguments)
    wire = Wire((server.host, server.port))
    store(wire)
    scripts.store(wire)
    wire("AI.TENSORSET", "x", "FLOAT", 2, "VALUES", 1, 2)
    wire.close()
    return server


def test_out_of_memory(ready: Server) -> None:
    wire = Wire((ready.host, ready.port))
    assert wire("CONFIG", "SET", "maxmemory", 1) == OK
    for line in WRITES:
        assert wire.line(line).startswith(b"OOM "), line
    for line in [*READS, "AI.CONFIG MODEL_CHUNK_SIZE 5", "AI.CONFIG GET MODEL_CHUNK_SIZE"]:
        assert not isinstance(wire.line(line), Failure), line
    assert wire("AI.MODELDEL", "m") == OK
    assert wire("AI.SCRIPTDEL", "s") == OK
    assert wire("CONFIG", "SET", "maxmemory", 0) == OK
    assert wire.line(WRITES[0]) == OK
    wire.close()


def test_a_read_only_replica(ready: Server) -> None:
    with ready.replica() as replica:
        replica.wait_for_sync()
        wire = Wire((replica.host, replica.port))
        for line in [*WRITES, "AI.MODELDEL m", "AI.SCRIPTDEL s", "AI.CONFIG GET MODEL_CHUNK_SIZE"]:
            assert wire.line(line).startswith(b"READONLY "), line
        for line in [*READS, "AI.INFO m RESETSTAT", "AI.INFO m FULL"]:
            assert not isinstance(wire.line(line), Failure), line
        wire.close()


def test_too_few_replicas(ready: Server) -> None:
    wire = Wire((ready.host, ready.port))
    assert wire("CONFIG", "SET", "min-replicas-to-write", 1) == OK
    for line in WRITES:
        assert wire.line(line).startswith(b"NOREPLICAS "), line
    for line in READS:
        assert not isinstance(wire.line(line), Failure), line
    wire.close()


def test_a_replica_gets_what_a_run_stored(ready: Server) -> None:
    wire = Wire((ready.host, ready.port))
    with ready.replica() as replica:
        replica.wait_for_sync()
        wire("AI.TENSORSET", "words", "STRING", 2, "BYTES", "a\0b", "")
        assert wire.line("AI.MODELEXECUTE m INPUTS 1 words OUTPUTS 1 t") == OK
        assert wire.line(RUN) == OK
        assert wire.line("AI.SCRIPTEXECUTE s same INPUTS 1 y OUTPUTS 1 z") == OK
        replica.wait_for_offset(ready)
        assert replica.execute("AI.SCRIPTGET", "s") == wire("AI.SCRIPTGET", "s")
        for name in ("words", "t", "x", "y", "z"):
            shown = replica.execute("AI.TENSORGET", name, "VALUES")
            assert shown == wire("AI.TENSORGET", name, "VALUES")
        stats = {name.lower(): value for name, value in replica.info("commandstats").items()}
        assert "cmdstat_ai.modelexecute" not in stats
        assert "cmdstat_ai.scriptexecute" not in stats
    wire.close()


def test_client_side_caching(ready: Server) -> None:
    """A cached read is dropped when a run stores over it."""
    wire = Wire((ready.host, ready.port), protocol=3)
    other = Wire((ready.host, ready.port))
    assert other.line(RUN) == OK
    assert wire("CLIENT", "TRACKING", "ON") == OK
    assert len(wire("AI.TENSORGET", "y", "VALUES")) == 2
    assert other.line(RUN) == OK
    assert wire.read() == [b"invalidate", [b"y"]]
    assert len(wire("AI.TENSORGET", "x", "VALUES")) == 2
    other("AI.TENSORSET", "x", "FLOAT", 3)
    assert wire.read() == [b"invalidate", [b"x"]]
    wire.close()
    other.close()


def test_a_subscriber_may_run_models(ready: Server, server_binary: ServerBinary) -> None:
    """In RESP3 it may send any command; but Valkey blocks none but normal clients for a module."""
    wire = Wire((ready.host, ready.port), protocol=3)
    assert wire("SUBSCRIBE", "channel")[:2] == [b"subscribe", b"channel"]
    reply = wire.line(RUN)
    if server_binary.product == "Valkey":
        text = "ERR Cannot run RedisAI command within a transaction or a LUA script"
        assert reply == failure(text)
    else:
        assert reply == OK
    # A store is carried out at once where it cannot wait.
    assert wire("AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", ONE) == OK
    assert len(wire("AI.TENSORGET", "x", "VALUES")) == 2
    wire.close()


def test_clients_that_want_no_replies(ready: Server) -> None:
    wire = Wire((ready.host, ready.port))
    wire.send("CLIENT", "REPLY", "OFF")
    wire.send(*RUN.split())
    wire.send("AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", ONE)
    wire.send("AI.TENSORGET", "x")
    wire.send("CLIENT", "REPLY", "ON")
    assert wire.read() == OK
    assert wire("EXISTS", "y", "n") == 2
    wire.send("CLIENT", "REPLY", "SKIP")
    wire.send(*RUN.replace(" y", " z").split())
    assert wire("EXISTS", "z") == 1
    wire.close()


def test_a_pipeline_keeps_its_order(ready: Server) -> None:
    """What follows a run on its connection sees what the run stored."""
    wire = Wire((ready.host, ready.port))
    commands: list[list[object]] = []
    for n in range(300):
        commands.append(["AI.TENSORSET", "x", "INT32", 1, "VALUES", n])
        commands.append(RUN.split())  # type: ignore[arg-type]
        commands.append(["AI.TENSORGET", "y", "VALUES"])
        commands.append(["DEL", "y"])
    replies = wire.many(commands, batch=len(commands))  # type: ignore[arg-type]
    assert replies == [reply for n in range(300) for reply in (OK, OK, [n], 1)]
    wire.close()


def test_a_run_is_in_the_slow_log_with_its_whole_time(ready: Server) -> None:
    wire = Wire((ready.host, ready.port))
    store(wire, "m", b"sleep 60\ninputs 1\noutputs 1")
    assert wire("CONFIG", "SET", "slowlog-log-slower-than", 50_000) == OK
    wire("SLOWLOG", "RESET")
    assert wire.line(RUN) == OK
    ((_, _, micros, arguments, *_),) = wire("SLOWLOG", "GET")
    assert micros >= 50_000
    assert arguments == RUN.encode().split()
    wire.close()


def test_an_expired_key_is_empty(ready: Server) -> None:
    wire = Wire((ready.host, ready.port))
    wire("PEXPIRE", "x", 1)
    wire("PEXPIRE", "m", 1)
    wait_until(lambda: wire("EXISTS", "x", "m") == 0, "the end of two keys")
    empty = b"ERR tensor key is empty or in a different shard"
    assert bytes(wire("AI.TENSORGET", "x")) == empty
    assert bytes(wire("AI.MODELGET", "m")) == b"ERR model key is empty"
    store(wire, "m", ONE)
    assert bytes(wire.line(RUN)) == empty
    wire.close()
