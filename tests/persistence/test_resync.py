"""Replicas that come late, lose their link, stand still, or have replicas of their own."""

from __future__ import annotations

import contextlib
import os
import signal

import numpy as np
import pytest
import redis
from onnx_models import execute, get, info, put
from persistence.conftest import WEIGHTS, fill, linear, look, work
from redisai_rs.testing import wait_until


@pytest.fixture
def primary(start):
    server = start()
    fill(server.client())
    return server


def same(*servers):
    """All have the same keys with the same contents."""
    digests = {server.client().execute_command("DEBUG", "DIGEST") for server in servers}
    assert len(digests) == 1
    assert digests != {b"0" * 40}


@contextlib.contextmanager
def stopped(server):
    """It does not get to run."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def run(client, factor):
    """A run whose output is that of this factor."""
    put(client, "x", np.full((1, 3), factor, np.float32))
    assert execute(client, ["x"], ["y"], "plain") == b"OK"
    return np.full((1, 3), factor, np.float32) @ WEIGHTS


@pytest.mark.parametrize("load", ["disabled", "on-empty-db", "swapdb"])
@pytest.mark.parametrize("sync", ["yes", "no"], ids=["by socket", "by disk"])
def test_full_synchronisation(primary, sync, load):
    primary.client().config_set("repl-diskless-sync", sync)
    with primary.replica(config={"repl-diskless-load": load}) as replica:
        replica.wait_for_sync()
        look(replica.client())
        same(primary, replica)
        # What tells how it came.
        text = replica.log_text()
        assert ("from master with EOF" in text or "from primary with EOF" in text) == (
            sync == "yes"
        )
        assert ("to parser" in text) == (load != "disabled")
        expected = run(primary.client(), 2)
        replica.wait_for_offset(primary)
        np.testing.assert_allclose(get(replica.client(), "y"), expected)


def test_chained_replicas(primary):
    with primary.replica() as middle:
        middle.wait_for_sync()
        with middle.replica() as last:
            last.wait_for_sync()
            look(last.client())
            expected = run(primary.client(), 3)
            for one, source in ((middle, primary), (last, middle)):
                one.wait_for_offset(source)
                np.testing.assert_allclose(get(one.client(), "y"), expected)
            same(primary, middle, last)
            # The middle one becomes the primary, and goes on sending.
            middle.client().replicaof("NO", "ONE")
            work(middle.client())
            expected = run(middle.client(), 4)
            last.wait_for_offset(middle)
            np.testing.assert_allclose(get(last.client(), "y"), expected)
            same(middle, last)


def test_partial_synchronisation(primary):
    with primary.replica() as replica:
        replica.wait_for_sync()
        client = primary.client()
        full = int(primary.info("stats")["sync_full"])
        for factor in range(1, 4):
            client.client_kill_filter(_type="replica")
            expected = run(client, factor)
            client.execute_command("AI.MODELSTORE", f"m{factor}", "ONNX", "CPU", "BLOB", linear())
            wait_until(
                lambda n=factor: int(primary.info("stats")["sync_partial_ok"]) >= n,
                "the link again",
            )
            replica.wait_for_sync()
            replica.wait_for_offset(primary)
            np.testing.assert_allclose(get(replica.client(), "y"), expected)
            same(primary, replica)
        assert int(primary.info("stats")["sync_full"]) == full


def test_a_backlog_that_is_too_small_costs_a_full_synchronisation(primary):
    with primary.replica() as replica:
        replica.wait_for_sync()
        client = primary.client()
        client.config_set("repl-backlog-size", 16 << 10)
        full = int(primary.info("stats")["sync_full"])
        with stopped(replica):
            client.client_kill_filter(_type="replica")
            for number in range(8):
                put(client, f"t{number}", np.full(1 << 16, number, np.uint8))
            expected = run(client, 5)
        wait_until(lambda: int(primary.info("stats")["sync_full"]) > full, "a full synchronisation")
        replica.wait_for_sync()
        replica.wait_for_offset(primary)
        np.testing.assert_allclose(get(replica.client(), "y"), expected)
        same(primary, replica)


def test_a_replica_that_is_killed_comes_back(primary):
    with primary.replica(config={"save": "3600 1"}) as replica:
        replica.wait_for_sync()
        expected = run(primary.client(), 6)
        replica.restart(kill=True)
        replica.wait_for_sync()
        replica.wait_for_offset(primary)
        np.testing.assert_allclose(get(replica.client(), "y"), expected)
        same(primary, replica)


def test_a_primary_that_is_killed_leaves_a_replica_that_works(primary):
    with primary.replica() as replica:
        replica.wait_for_sync()
        expected = run(primary.client(), 7)
        replica.wait_for_offset(primary)
        primary.kill9()
        client = replica.client()
        client.replicaof("NO", "ONE")
        np.testing.assert_allclose(get(client, "y"), expected)
        client.delete("y", "x")
        look(client)
        work(client)


READS = [
    ("AI.TENSORGET", "floats", "META", "BLOB"),
    ("AI.MODELGET", "plain", "META", "BLOB"),
    ("AI.INFO", "plain"),
    ("AI._MODELSCAN",),
    ("AI.SCRIPTGET", "s:entry"),
    ("AI._SCRIPTSCAN",),
    *[
        ("AI.DAG" + kind, "LOAD", 1, "x", "|>", *step, "|>", "AI.TENSORGET", "y", "BLOB")
        for kind, step in (
            ("EXECUTE_RO", ("AI.MODELEXECUTE", "plain", "INPUTS", 1, "x", "OUTPUTS", 1, "y")),
            ("RUN_RO", ("AI.MODELRUN", "plain", "INPUTS", "x", "OUTPUTS", "y")),
        )
    ],
]
WRITES = [
    # It has the flag of a write in RedisAI too.
    ("AI.CONFIG", "GET", "MODEL_CHUNK_SIZE"),
    ("AI.TENSORSET", "t", "FLOAT", 1),
    ("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", linear()),
    ("AI.MODELSET", "m", "ONNX", "CPU", "BLOB", linear()),
    ("AI.MODELDEL", "plain"),
    ("AI.SCRIPTSTORE", "s", "CPU", "ENTRY_POINTS", 1, "f", "SOURCE", "def f(a):\n    return a\n"),
    ("AI.SCRIPTSET", "s", "CPU", "SOURCE", "def f(a):\n    return a\n"),
    ("AI.SCRIPTDEL", "s:entry"),
    ("AI.SCRIPTEXECUTE", "s:entry", "f", "INPUTS", 1, "x", "OUTPUTS", 1, "y"),
    ("AI.SCRIPTRUN", "s:entry", "f", "INPUTS", "x", "OUTPUTS", "y"),
    ("AI.MODELEXECUTE", "plain", "INPUTS", 1, "x", "OUTPUTS", 1, "y"),
    ("AI.MODELRUN", "plain", "INPUTS", "x", "OUTPUTS", "y"),
    ("AI.DAGEXECUTE", "PERSIST", 1, "t", "|>", "AI.TENSORSET", "t", "FLOAT", 1),
    ("AI.DAGRUN", "PERSIST", 1, "t", "|>", "AI.TENSORSET", "t", "FLOAT", 1),
]


def test_a_replica_reads_and_does_not_write(primary):
    client = primary.client()
    put(client, "x", np.ones((1, 3), np.float32))
    assert execute(client, ["x"], ["y"], "plain") == b"OK"
    info(client, "plain")
    with primary.replica() as replica:
        replica.wait_for_sync()
        other = replica.client()
        for command in READS:
            one, two = client.execute_command(*command), other.execute_command(*command)
            # The counts of `AI.INFO` are each server's own.
            assert one == two or command[0] == "AI.INFO"
        for command in WRITES:
            with pytest.raises(redis.ReadOnlyError):
                other.execute_command(*command)
        same(primary, replica)


def test_wait_with_a_replica_that_stands_still(primary):
    with primary.replica() as replica:
        replica.wait_for_sync()
        client = primary.client()
        with stopped(replica):
            run(client, 8)
            late = client.wait(1, 100)
            # 6.2 counts a blocked run only later: its WAIT looks at what was before.
            put(client, "z", np.ones(1))
            assert client.wait(1, 100) == 0
        assert late in ([0] if primary.binary.version >= (7,) else [0, 1])
        assert client.wait(1, 60_000) == 1
        same(primary, replica)


def test_a_write_above_the_replicas_buffer_costs_a_full_synchronisation(primary):
    """As a model of 300 MB does with the servers' own limits."""
    with primary.replica() as replica:
        replica.wait_for_sync()
        client = primary.client()
        client.config_set("repl-backlog-size", 16 << 10)
        client.config_set("client-output-buffer-limit", f"replica {1 << 20} 0 0")
        full = int(primary.info("stats")["sync_full"])
        with stopped(replica):
            # More than what the kernel takes for the link.
            for number in range(8):
                put(client, f"t{number}", np.full(4 << 20, number, np.uint8))
            primary.wait_for_log("overcoming of output buffer limits")
            expected = run(client, 9)
        wait_until(lambda: int(primary.info("stats")["sync_full"]) > full, "a full synchronisation")
        replica.wait_for_sync()
        replica.wait_for_offset(primary)
        np.testing.assert_allclose(get(replica.client(), "y"), expected)
        same(primary, replica)
