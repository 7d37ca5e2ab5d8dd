"""The append-only file when the server dies: in a rewrite, or in the middle of a write."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import execute, get, model, node, put, store, value
from persistence.conftest import fill, linear, look, work
from persistence.processes import SLOW, aof_files, rewrite, stopped_child


@pytest.fixture(params=["yes", "no"], ids=["preamble", "commands"])
def server(start, request):
    config = {"appendonly": "yes", "appendfsync": "always", "aof-use-rdb-preamble": request.param}
    return start(config=config)


def test_a_kill_in_a_rewrite(server):
    """Also of what is written while the rewrite goes on."""
    client = server.client()
    fill(client)
    client.delete("plain")
    for _ in range(2):
        for name, slow in SLOW.items():
            client.config_set(name, slow)
        client.bgrewriteaof()
        with stopped_child(server):
            assert server.info("persistence")["aof_rewrite_in_progress"] == "1"
            client.delete("plain")
            store(client, linear(), "plain")
            server.kill9()
        server.start()
        client = server.client()
        look(client)
        work(client)
    # And the next one is whole.
    rewrite(server)
    server.restart()
    look(server.client())


def test_a_killed_child_of_a_rewrite(server):
    """The kernel takes the child: the server lives, and the file is as good as before."""
    client = server.client()
    fill(client)
    for name, slow in SLOW.items():
        client.config_set(name, slow)
    client.bgrewriteaof()
    with stopped_child(server):
        assert server.info("persistence")["aof_rewrite_in_progress"] == "1"
    server.wait_for_log("Background AOF rewrite terminated by signal")
    work(client)
    server.restart(kill=True)
    look(server.client())


def last_command(server):
    """The newest file and where its last `AI.` command, or transaction of such, begins."""
    path = aof_files(server)[-1]
    data = path.read_bytes()
    begin = max(data.rfind(b"*1\r\n$5\r\nMULTI\r\n"), data.rfind(b"$12\r\nAI.TENSORSET\r\n"))
    return path, data, data.rfind(b"*", 0, begin + 1)


def truncated_tails(data, start):
    """Lengths that end in every part of what begins there."""
    length = len(data) - start
    return [start + length * part // 7 for part in range(1, 7)] + [len(data) - 1]


def test_a_tensor_that_was_half_written(start):
    server = start(config={"appendonly": "yes", "appendfsync": "always"})
    client = server.client()
    fill(client)
    put(client, "last", np.arange(100, dtype=np.float64))
    server.kill9()
    path, data, begin = last_command(server)
    assert b"last" in data[begin:]
    for length in truncated_tails(data, begin):
        path.write_bytes(data[:length])
        server.start()
        client = server.client()
        look(client)
        assert not client.exists("last")
        # What comes after it is written behind what is whole.
        put(client, "next", np.array([1], np.float32))
        server.restart(kill=True)
        assert get(server.client(), "next").tolist() == [1]
        server.kill9()


def twice():
    """y = x, z = -x."""
    nodes = [node("Identity", "x", "y"), node("Neg", "x", "z")]
    return model(nodes, [value("x", dims=None)], [value("y", dims=None), value("z", dims=None)])


def test_outputs_that_were_half_written(start):
    """Of several outputs all come back or none."""
    server = start(config={"appendonly": "yes", "appendfsync": "always"})
    client = server.client()
    store(client, twice())
    put(client, "x", np.arange(20, dtype=np.float32))
    assert execute(client, ["x"], ["y", "z"]) == b"OK"
    server.kill9()
    path = aof_files(server)[-1]
    data = path.read_bytes()
    begin = data.rindex(b"*1\r\n$5\r\nMULTI\r\n")
    assert data.endswith(b"*1\r\n$4\r\nEXEC\r\n")
    for length in truncated_tails(data, begin):
        path.write_bytes(data[:length])
        server.start()
        assert sorted(server.client().keys()) == [b"m", b"x"]
        server.kill9()
    path.write_bytes(data)
    server.start()
    client = server.client()
    assert get(client, "z").tolist() == (-np.arange(20)).tolist()
    assert get(client, "y").tolist() == list(range(20))
