"""What a DAG stores: all or nothing, in the order of the arguments, as AI.TENSORSET."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from commands.models import ADD, ONE, info, store
from commands.wire import OK, WRONGTYPE, Wire
from dag.ops import dag, execute, run, tget, tset
from redisai_rs.testing import Server, wait_until


@pytest.mark.parametrize("blob", [b"identity", b"copy", b"foreign"])
@pytest.mark.parametrize("kind", ["AI.DAGEXECUTE", "AI.DAGRUN"])
def test_what_is_persisted(mocks: Wire, blob: bytes, kind: str) -> None:
    """Loaded, set, and made by a model, in the server's memory or not; a time to live goes."""
    store(mocks, "m", blob + b"\ninput in\noutput out")
    mocks(*tset("t", 1))
    mocks(*tset("y", 9))
    mocks("EXPIRE", "y", 1000)
    step = run if "RUN" in kind else execute
    head = "LOAD 1 t PERSIST 3 y x t"
    assert mocks(*dag(tset("x", 2), step("m", "x", "y"), head=head, kind=kind)) == [OK, OK]
    for name, value in (("x", b"2"), ("y", b"2"), ("t", b"1")):
        assert mocks(*tget(name, "VALUES")) == [value]
    assert mocks("TTL", "y") == -1


def test_a_wrong_type_before_the_run(mocks_both: Wire) -> None:
    wire = mocks_both
    store(wire)
    wire("SET", "own", "v")
    for key in ("own", "m"):
        command = dag(
            tset("x", 1), execute("m", "x", "y"), tset(key, 2), head=f"PERSIST 3 x {key} y"
        )
        assert wire(*command) == WRONGTYPE
    assert info(wire)[b"calls"] == 0
    # The same without a model.
    assert wire(*dag(tset("x", 1), tset("own", 2), head="PERSIST 2 x own")) == WRONGTYPE
    assert wire("EXISTS", "x", "y") == 0
    assert wire("GET", "own") == b"v"


def test_a_wrong_type_at_store_time(held, gate, pending) -> None:
    """One top-level error, and nothing is stored, neither before nor behind the bad key."""
    at = gate()
    held.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.run_text)
    one = pending(*dag(tset("x", 1), execute("m", "x", "y"), tset("z", 3), head="PERSIST 3 x y z"))
    at.reached()
    held.set("y", "mine")
    at.open()
    assert one.error() == WRONGTYPE.decode()
    assert held.get("y") == b"mine"
    assert not held.exists("x", "z")
    # The connection is in step.
    one.send("PING")
    assert one.reply() == b"PONG"


def test_no_persist_no_effect(mocks: Wire) -> None:
    store(mocks)
    mocks("CONFIG", "SET", "notify-keyspace-events", "KEA")
    before = mocks("DBSIZE")
    assert mocks(*dag(tset("x", 1), execute("m", "x", "y"), head="ROUTING y")) == [OK, OK]
    assert mocks("DBSIZE") == before


def test_stream_in_the_order_of_the_arguments(make_server, mock_path) -> None:
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path]
    primary = make_server(module_args=arguments)
    client = primary.client()
    client.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", ADD)
    with primary.replica(module_args=arguments) as replica:
        replica.wait_for_sync()
        on_replica = replica.client()
        on_replica.config_resetstat()
        names = ["z", "a", "q", "b", "y", "c"]
        with replica.client().monitor() as monitor:
            ops = [tset(name, number) for number, name in enumerate(names[:5])]
            ops.append(execute("m", "z y", "c"))
            command = dag(*ops, head=f"PERSIST 6 {' '.join(names)}")
            assert client.execute_command(*command) == [b"OK"] * 6
            # An own database command ends the search.
            client.set("end", 1)
            seen = []
            while not seen or seen[-1].split()[0] != "SET":
                seen.append(monitor.next_command()["command"])
        stored = [line.split()[1] for line in seen if line.startswith("AI.TENSORSET")]
        assert stored == names
        assert [line.split()[0] for line in seen if "DAG" in line] == []
        replica.wait_for_offset(primary)
        for name in names:
            assert on_replica.dump(name) == client.dump(name)
        # Read-only forms run there, and so does nothing else.
        reply = on_replica.execute_command(
            *dag(
                execute("m", "a c", "r"),
                tget("r", "VALUES"),
                head="LOAD 2 a c",
                kind="AI.DAGEXECUTE_RO",
            )
        )
        assert reply == [b"OK", [b"5"]]
        with pytest.raises(redis.exceptions.ReadOnlyError):
            on_replica.execute_command(*dag(tset("x", 1)))


def test_append_only_file(make_server, mock_path) -> None:
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path]
    server = make_server(module_args=arguments, config={"appendonly": "yes"})
    client = server.client()
    client.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", ONE)
    ops = [
        tset("x", 1, 2),
        execute("m", "x", "y"),
        ["AI.TENSORSET", "s", "STRING", 1, "BYTES", b"a\0b"],
    ]
    assert client.execute_command(*dag(*ops, head="PERSIST 3 y s x")) == [b"OK"] * 3
    before = {name: client.dump(name) for name in ("x", "y", "s")}
    server.restart(kill=True)
    client = server.client()
    assert {name: client.dump(name) for name in ("x", "y", "s")} == before
    assert client.execute_command("AI.INFO", "m")[15] == 0


def test_notifications(mocks_server: Server, mocks: Wire) -> None:
    client = mocks_server.client()
    client.config_set("notify-keyspace-events", "AKEd")
    listener = client.pubsub()
    listener.psubscribe("__keyevent@0__:ai.*")
    assert listener.get_message(timeout=10)["type"] == "psubscribe"
    assert mocks(*dag(tset("b", 1), tset("a", 1), tset("c", 1), head="PERSIST 2 b a")) == [OK] * 3
    found = [listener.get_message(timeout=10)["data"] for _ in range(2)]
    assert found == [b"b", b"a"]
    client.config_set("notify-keyspace-events", "")
    listener.close()


def test_large_tensors_keep_their_bytes(mocks: Wire) -> None:
    """Blobs are held without a copy; the key outlives the command."""
    store(mocks, "m", ONE)
    data = np.random.default_rng(1).bytes(1 << 20)
    ops = [
        ["AI.TENSORSET", "x", "UINT8", 1 << 20, "BLOB", data],
        execute("m", "x", "y"),
        tget("y", "BLOB"),
    ]
    reply = mocks(*dag(*ops, head="PERSIST 2 x y"))
    assert reply == [OK, OK, data]
    assert mocks("DEL", "x") == 1
    assert mocks(*tget("y", "BLOB")) == data
    wait_until(lambda: mocks("PING"), "an answer")
