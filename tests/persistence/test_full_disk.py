"""No room to write: the save fails and says so; the server lives and loses nothing."""

from __future__ import annotations

import resource

import numpy as np
import pytest
import redis
from onnx_models import execute, get, put
from persistence.conftest import fill, look, work
from persistence.processes import rewrite
from redisai_rs.testing import wait_until

MIB = 1 << 20
# A limit of the size of files; with its signal ignored, a write above it fails as on a full disk.
IGNORING = ("sh", "-c", 'trap "" XFSZ; exec "$@"', "sh")


def limit(server, size):
    """No file may grow above that; None: any may."""
    most = resource.RLIM_INFINITY
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most if size is None else size, most))


@pytest.fixture(params=["no", "yes"], ids=["rdb", "aof"])
def server(start, request):
    # Without a preamble: its file is written by our own code.
    config = {"appendonly": request.param, "aof-use-rdb-preamble": "no", "hz": 100}
    server = start(config=config, wrapper=IGNORING)
    client = server.client()
    fill(client)
    for number in range(8):
        put(client, f"large{number}", large(number))
    return server


def large(number):
    """A MiB that nothing compresses."""
    return np.random.default_rng(number).integers(256, size=MIB).astype(np.uint8)


def state(server, name):
    return server.info("persistence")[name]


def test_a_save_without_room(server):
    client = server.client()
    limit(server, 4 * MIB)
    for _ in range(3):
        client.bgsave()
        wait_until(lambda: state(server, "rdb_bgsave_in_progress") == "0", "the save's end")
        assert state(server, "rdb_last_bgsave_status") == "err"
        # What is there is served.
        np.testing.assert_array_equal(get(client, "large7"), large(7))
    with pytest.raises(redis.ResponseError):
        client.save()
    # A server that cannot save does not end, and goes on as if it had not been asked.
    with pytest.raises(redis.ResponseError):
        client.execute_command("SHUTDOWN", "SAVE")
    steps = ["AI.TENSORSET", "x", "FLOAT", 1, 3, "VALUES", 1, 1, 1]
    steps += ["|>", "AI.MODELEXECUTE", "plain", "INPUTS", 1, "x", "OUTPUTS", 1, "y"]
    assert client.execute_command("AI.DAGEXECUTE_RO", "ROUTING", "r", "|>", *steps) == [b"OK"] * 2
    limit(server, None)
    assert client.save()
    work(client)
    client.delete(*[f"large{number}" for number in range(8)])
    look(client)
    client.save()
    server.restart()
    look(server.client())


def test_a_rewrite_without_room(server):
    client = server.client()
    if state(server, "aof_enabled") == "0":
        server.config["appendonly"] = "yes"
        client.config_set("appendonly", "yes")
        wait_until(lambda: state(server, "aof_rewrite_in_progress") == "0", "the first file")
    limit(server, 4 * MIB)
    for _ in range(3):
        wait_until(lambda: state(server, "aof_rewrite_in_progress") == "0", "the rewrite's end")
        client.bgrewriteaof()
        wait_until(lambda: state(server, "aof_rewrite_in_progress") == "0", "the rewrite's end")
        assert state(server, "aof_last_bgrewrite_status") == "err"
        np.testing.assert_array_equal(get(client, "large7"), large(7))
    limit(server, None)
    work(client)
    rewrite(server)
    client.delete(*[f"large{number}" for number in range(8)])
    server.restart()
    look(server.client())


def test_an_append_only_file_without_room(start):
    """Writes are refused, runs too, until there is room again; nothing is half written."""
    server = start(config={"appendonly": "yes", "appendfsync": "everysec"}, wrapper=IGNORING)
    client = server.client()
    fill(client)
    put(client, "x", np.ones((1, 3), np.float32))
    # What the server has put off would fail in the place of what comes next.
    wait_until(lambda: state(server, "aof_buffer_length") == "0", "the writes up to now")
    limit(server, MIB)
    put(client, "huge", np.zeros(2 * MIB, np.uint8))
    wait_until(lambda: state(server, "aof_last_write_status") == "err", "the failed write")
    for _ in range(3):
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            execute(client, ["x"], ["y"], "plain")
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            put(client, "z", np.ones(1))
    assert get(client, "x").tolist() == [[1, 1, 1]]
    limit(server, None)
    wait_until(lambda: state(server, "aof_last_write_status") == "ok", "the write")
    assert execute(client, ["x"], ["y"], "plain") == b"OK"
    expected = get(client, "y")
    server.restart()
    client = server.client()
    np.testing.assert_array_equal(get(client, "y"), expected)
    assert get(client, "huge").shape == (2 * MIB,)
    client.delete("x", "y", "huge")
    look(client)
