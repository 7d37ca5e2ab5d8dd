"""Roles that change while a batch of several clients and a DAG are in flight, or parked."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest
from dag.ops import dag, execute, tget
from faults.flight import Flight, assert_equal, stored
from holding import Pending, gate_factory, run, tensor, values
from redisai_rs.testing import free_port, wait_until

FORCED = "UNBLOCKED force unblock from blocking operation"


@pytest.fixture
def primary(make_server, server_binary, held_arguments):
    return make_server(server_binary, module_args=held_arguments)


@pytest.fixture
def gates(primary, tmp_path):
    with gate_factory(tmp_path) as make:
        yield make


@pytest.fixture
def flight(primary, gates):
    one = Flight(primary, gates)
    yield one
    one.close()


@pytest.fixture
def replica(primary, flight):
    """In step with its primary, and counts what it is told to store from now on."""
    with primary.replica() as one:
        one.wait_for_sync()
        one.wait_for_offset(primary)
        one.client().config_resetstat()
        yield one


@contextmanager
def failover(primary, replica):
    """A failover that waits for its replica, which is stopped and lags."""
    os.kill(replica.pid, signal.SIGSTOP)
    try:
        client = primary.client()
        tensor(client, "lag", 1)
        assert client.execute_command("FAILOVER") == b"OK"
        state = "master_failover_state"
        wait_until(lambda: primary.info("replication")[state] == "waiting-for-sync", "the failover")
        yield client
    finally:
        os.kill(replica.pid, signal.SIGCONT)


def turns(server, count=20):
    """Lets the server's event loop go round."""
    client = server.client()
    for _ in range(count):
        client.ping()


def again(flight, server):
    """The models run on a server that has become a primary."""
    members = [Pending(server, *run("m", [f"x{n}"], [f"z{n}"])) for n in range(4)]
    flight.batch_gate.open()
    assert [one.reply() for one in members] == [b"OK"] * 4
    assert [values(server.client(), f"z{n}") for n in range(4)] == [[n] for n in range(4)]


def test_a_primary_that_is_demoted(primary, flight):
    flight.begin()
    primary.client().replicaof("127.0.0.1", free_port())
    # Before the runs have ended: the server answers for them.
    wait_until(lambda: all(one.answered() for one in flight.clients), "the replies")
    flight.land(dropped=True)
    flight.assert_fails(FORCED)
    primary.client().replicaof("NO", "ONE")
    again(flight, primary)
    assert not set(flight.keys()) & {key.encode() for key in flight.outputs}


def test_a_primary_that_is_demoted_with_effects_parked(primary, flight):
    flight.begin()
    client = primary.client()
    client.execute_command("CLIENT", "PAUSE", 3_600_000, "WRITE")
    flight.land()
    turns(primary)
    assert not flight.answered()
    client.replicaof("127.0.0.1", free_port())
    client.client_unpause()
    turns(primary)
    flight.assert_fails(FORCED)
    client.replicaof("NO", "ONE")
    # What was parked has gone for good.
    turns(primary)
    assert flight.keys() == flight.before
    again(flight, primary)


def test_a_failover_that_is_aborted(primary, replica, flight):
    flight.begin()
    with failover(primary, replica) as client:
        flight.land()
        turns(primary)
        assert not flight.answered()
        assert flight.keys() == sorted([*flight.before, b"lag"])
        assert client.execute_command("FAILOVER", "ABORT") == b"OK"
        flight.assert_succeeds()
    replica.wait_for_offset(primary)
    assert_equal(primary, replica)
    # One for each output, and `lag`.
    assert stored(replica) == len(flight.outputs) + 1


def test_a_failover_that_succeeds_with_effects_parked(primary, replica, flight):
    flight.begin()
    with failover(primary, replica):
        flight.land()
        turns(primary)
        assert not flight.answered()
    wait_until(lambda: replica.info("replication")["role"] == "master", "the failover's end")
    primary.wait_for_sync()
    flight.before = sorted([*flight.before, b"lag"])
    flight.assert_fails(FORCED)
    primary.wait_for_offset(replica)
    assert flight.keys(replica) == flight.before
    assert_equal(primary, replica)
    again(flight, replica)
    primary.wait_for_offset(replica)
    assert_equal(primary, replica)


def test_a_failover_that_succeeds_before_the_runs_end(primary, replica, flight):
    flight.begin()
    with failover(primary, replica):
        pass
    wait_until(lambda: replica.info("replication")["role"] == "master", "the failover's end")
    primary.wait_for_sync()
    flight.land(dropped=True)
    flight.before = sorted([*flight.before, b"lag"])
    flight.assert_fails(FORCED)
    primary.wait_for_offset(replica)
    assert_equal(primary, replica)
    again(flight, replica)


def test_a_replica_that_is_promoted(primary, replica, flight, gates):
    """What only reads merges on a replica, and ends as ever on the primary that it becomes."""
    at = gates()
    client = primary.client()
    sizes = ["BATCHSIZE", 2, "MINBATCHSIZE", 2]
    words = ["AI.MODELSTORE", "r", "ONNX", "CPU", *sizes, "BLOB", at.run_text]
    assert client.execute_command(*words) == b"OK"
    replica.wait_for_offset(primary)
    reading = []
    for n in (1, 2):
        steps = [execute("r", f"x{n}", "y"), execute("quick", "y", "z"), tget("z", "VALUES")]
        words = dag(*steps, head=f"LOAD 1 x{n}", kind="AI.DAGEXECUTE_RO")
        reading.append(Pending(replica, *words))
    at.reached()
    replica.client().replicaof("NO", "ONE")
    assert not any(one.answered() for one in reading)
    at.open()
    assert [one.reply() for one in reading] == [[b"OK", b"OK", [n]] for n in (b"1", b"2")]
    again(flight, replica)
