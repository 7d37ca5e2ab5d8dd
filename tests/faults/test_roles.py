"""REPLICAOF and FAILOVER with a run or a store in flight."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest
from holding import Gate, Pending, info, run, store, tensor, values
from redisai_rs.testing import free_port, wait_until

FORCED = "UNBLOCKED force unblock from blocking operation"


@pytest.fixture
def primary(make_server, server_binary, held_arguments):
    return make_server(server_binary, module_args=held_arguments)


@pytest.fixture
def at(primary, tmp_path):
    one = Gate(tmp_path / "gate")
    yield one
    one.close()


@pytest.fixture
def replica(primary):
    with primary.replica() as one:
        one.wait_for_sync()
        yield one


@contextmanager
def stopped(server):
    """The server does not get to run: a replica that lags."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def demote(client):
    """Makes it a replica of nobody, so that it keeps its keys."""
    client.replicaof("127.0.0.1", free_port())


def held_run(primary, client, at):
    store(client, "m", at.run_text)
    tensor(client, "x", 1)
    one = Pending(primary, *run("m", ["x"], ["y"]))
    at.reached()
    return one


def test_a_run_that_ends_on_a_replica_stores_nothing(primary, at):
    client = primary.client()
    one = held_run(primary, client, at)
    demote(client)
    assert one.error().startswith(FORCED)
    at.open()
    wait_until(lambda: info(client, "m")["calls"] == 1, "the run's end")
    assert sorted(client.keys()) == [b"m", b"x"]
    client.replicaof("NO", "ONE")
    one = Pending(primary, *run("m", ["x"], ["z"]))
    at.open()
    assert one.reply() == b"OK"
    assert sorted(client.keys()) == [b"m", b"x", b"z"]


def test_a_store_that_ends_on_a_replica_is_not_carried_out(primary, at):
    client = primary.client()
    one = Pending(primary, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    demote(client)
    assert one.error().startswith(FORCED)
    at.open()
    primary.wait_for_log("model m, whose client has gone, was not stored: ERR the server became a")
    assert client.keys() == []


def test_a_replica_refuses_and_serves_reads(primary, replica, at):
    client = primary.client()
    store(client, "m", "identity")
    tensor(client, "x", 1, 2)
    replica.wait_for_offset(primary)
    on_replica = replica.client()
    assert values(on_replica, "x") == [1, 2]
    for command in (
        run("m", ["x"], ["y"]),
        ["AI.TENSORSET", "y", "FLOAT", 1],
        ["AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", "identity"],
        ["AI.MODELDEL", "m"],
    ):
        one = Pending(replica, *command)
        assert one.error().startswith("READONLY ")
    assert sorted(on_replica.keys()) == [b"m", b"x"]


def fail_over(primary, client):
    """Starts a failover that waits for its replica, which is stopped and lags."""
    tensor(client, "lag", 1)
    assert client.execute_command("FAILOVER") == b"OK"
    state = "master_failover_state"
    wait_until(lambda: primary.info("replication")[state] == "waiting-for-sync", "the failover")


def test_a_run_that_ends_in_a_failover_is_applied_when_it_is_aborted(primary, replica, at):
    client = primary.client()
    one = held_run(primary, client, at)
    with stopped(replica):
        fail_over(primary, client)
        at.open()
        wait_until(lambda: info(client, "m")["calls"] == 1, "the run's end")
        assert not one.answered()
        assert not client.exists("y")
        assert client.execute_command("FAILOVER", "ABORT") == b"OK"
        assert one.reply() == b"OK"
        assert values(client, "y") == [1]
    replica.wait_for_offset(primary)
    assert values(replica.client(), "y") == [1]


def test_a_run_that_ends_in_a_failover_is_dropped_when_it_succeeds(primary, replica, at):
    client = primary.client()
    one = held_run(primary, client, at)
    with stopped(replica):
        fail_over(primary, client)
        at.open()
        wait_until(lambda: info(client, "m")["calls"] == 1, "the run's end")
    wait_until(lambda: replica.info("replication")["role"] == "master", "the failover's end")
    assert one.error().startswith(FORCED)
    primary.wait_for_sync()
    # Both have the same keys, and none that only one of them stored.
    for server in (primary, replica):
        assert sorted(server.client().keys()) == [b"lag", b"m", b"x"]
    # The new primary runs the model: its session was built when it was a replica.
    again = Pending(replica, *run("m", ["x"], ["y"]))
    at.open()
    assert again.reply() == b"OK"
    primary.wait_for_offset(replica)
    assert values(client, "y") == [1]


def test_a_store_that_ends_in_a_failover_is_applied_when_it_is_aborted(primary, replica, at):
    client = primary.client()
    one = Pending(primary, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    with stopped(replica):
        fail_over(primary, client)
        at.open()
        wait_until(lambda: primary.info("ai").get("ai_sessions") == "1", "the session")
        assert not one.answered()
        assert not client.exists("m")
        assert client.execute_command("FAILOVER", "ABORT") == b"OK"
        assert one.reply() == b"OK"
    replica.wait_for_offset(primary)
    # The replica builds it too, and stands at the same gate.
    assert replica.client().execute_command("AI.MODELGET", "m", "BLOB") == at.load_text.encode()
    at.open()


def test_a_queued_run_of_a_client_that_became_a_replicas_is_dropped(primary, at):
    client = primary.client()
    one = held_run(primary, client, at)
    queued = Pending(primary, *run("m", ["x"], ["z"]))
    wait_until(lambda: primary.info("ai")["ai_queue_CPU_length"] == "1", "the queued run")
    demote(client)
    assert queued.error().startswith(FORCED)
    assert one.error().startswith(FORCED)
    at.open()
    client.replicaof("NO", "ONE")
    # In the order of the queue: this one would come after the dropped one.
    last = Pending(primary, *run("m", ["x"], ["last"]))
    at.open()
    assert last.reply() == b"OK"
    assert info(client, "m")["calls"] == 2
    assert sorted(client.keys()) == [b"last", b"m", b"x"]
