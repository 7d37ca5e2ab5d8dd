"""SHUTDOWN with a run or a store in flight, with and without a lagging replica."""

from __future__ import annotations

import os
import signal

import pytest
import redis
from holding import Gate, Pending, info, run, store, tensor, values
from redisai_rs.testing import wait_until


@pytest.fixture
def primary(make_server, server_binary, held_arguments):
    # Ten minutes for a replica that lags: the test ends the wait.
    patient = {"shutdown-timeout": 600} if server_binary.version >= (7,) else {}
    return make_server(server_binary, module_args=held_arguments, config=patient)


@pytest.fixture
def at(primary, tmp_path):
    one = Gate(tmp_path / "gate")
    yield one
    one.close()


def held_run(primary, at):
    client = primary.client()
    store(client, "m", at.run_text)
    tensor(client, "x", 1)
    one = Pending(primary, *run("m", ["x"], ["y"]))
    at.reached()
    return client, one


def ended(primary):
    assert primary.wait_for_exit() == 0
    primary.stop()  # nothing runs; this looks at the log for a crash


def test_shutdown_save_with_a_run_in_flight(primary, at):
    _, one = held_run(primary, at)
    shutdown = Pending(primary, "SHUTDOWN", "SAVE")
    ended(primary)
    shutdown.close()
    with pytest.raises((redis.ConnectionError, OSError)):
        one.reply()
    primary.start()
    assert sorted(primary.client().keys()) == [b"m", b"x"]


def test_shutdown_save_with_a_store_in_flight(primary, at):
    client = primary.client()
    tensor(client, "x", 1)
    one = Pending(primary, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    one.send("ECHO", "never answered")
    shutdown = Pending(primary, "SHUTDOWN", "SAVE")
    ended(primary)
    shutdown.close()
    primary.start()
    assert primary.client().keys() == [b"x"]


def test_sigterm_with_queued_runs(primary, at):
    client, _ = held_run(primary, at)
    queued = [Pending(primary, *run("m", ["x"], [f"y{number}"])) for number in range(20)]
    length = "ai_queue_CPU_length"
    wait_until(lambda: primary.info("ai")[length] == "20", "the queued runs")
    client.config_set("save", "3600 1")
    os.kill(primary.pid, signal.SIGTERM)
    ended(primary)
    for one in queued:
        with pytest.raises((redis.ConnectionError, OSError)):
            one.reply()
    primary.start()
    assert sorted(primary.client().keys()) == [b"m", b"x"]


def test_an_exit_while_a_framework_cannot_be_left(primary, at):
    """A build that nobody can end: no destructor of its library runs under it."""
    client = primary.client()
    one = Pending(primary, "AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    tensor(client, "x", 1)
    client.save()
    os.kill(primary.pid, signal.SIGTERM)
    # The mock's destructor aborts while one of its threads is at work.
    ended(primary)
    one.close()
    assert primary.start().client().keys() == [b"x"]


@pytest.fixture
def lagging(primary):
    """A replica that is stopped while the primary has something for it."""
    with primary.replica() as replica:
        replica.wait_for_sync()
        os.kill(replica.pid, signal.SIGSTOP)
        try:
            yield replica
        finally:
            os.kill(replica.pid, signal.SIGCONT)


def begin_shutdown(primary):
    """Starts a shutdown that waits for its replica."""
    tensor(primary.client(), "lag", 1)
    one = Pending(primary, "SHUTDOWN", "SAVE")
    primary.wait_for_log("Waiting for replicas before shutting down")
    return one


def waits(primary):
    """Whether the server waits for its replicas before it ends."""
    return primary.binary.version >= (7,)


def test_shutdown_save_with_a_lagging_replica_saves(primary, lagging, at):
    client, one = held_run(primary, at)
    if waits(primary):
        shutdown = begin_shutdown(primary)
        at.open()
        wait_until(lambda: info(client, "m")["calls"] == 1, "the run's end")
        assert not one.answered()
        os.kill(lagging.pid, signal.SIGCONT)
    else:
        tensor(client, "lag", 1)
        shutdown = Pending(primary, "SHUTDOWN", "SAVE")
    ended(primary)
    shutdown.close()
    primary.config["replicaof"] = None
    primary.start()
    keys = sorted(primary.client().keys())
    # All that was acknowledged is there; the run was not.
    assert keys == [b"lag", b"m", b"x"]


def test_a_shutdown_that_is_aborted_applies_the_run(primary, lagging, at):
    client, one = held_run(primary, at)
    if not waits(primary):
        with pytest.raises(redis.ResponseError, match="syntax error"):
            client.execute_command("SHUTDOWN", "ABORT")
        at.open()
        assert one.reply() == b"OK"
        return
    shutdown = begin_shutdown(primary)
    at.open()
    wait_until(lambda: info(client, "m")["calls"] == 1, "the run's end")
    assert not one.answered()
    assert client.execute_command("SHUTDOWN", "ABORT")
    assert "SHUTDOWN" in shutdown.error()
    assert one.reply() == b"OK"
    assert values(client, "y") == [1]
    os.kill(lagging.pid, signal.SIGCONT)
    lagging.wait_for_offset(primary)
    assert values(lagging.client(), "y") == [1]
