"""What the server counts is what we hold: one copy of each blob, and nothing that is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from holding import run, store
from onnx_models import execute, get, model, node, put, value
from redisai_rs.testing import wait_until

MIB = 1 << 20
# A little below what allocators round up to.
SIZE = 16 * MIB - (64 << 10)
# Replies, buffers of clients, what an allocator rounds up.
SLACK = 4 * MIB


@pytest.fixture
def server(make_server, server_binary, mock_path):
    # Its buffers shrink when the cron comes by.
    config = {"hz": 100, "client-query-buffer-limit": 512 * MIB}
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path]
    return make_server(server_binary, module_args=arguments, config=config)


@pytest.fixture
def client(server):
    return server.client()


def used(server):
    return int(server.info("memory")["used_memory"])


def holds(server, before, size):
    """From now on so much more is used than before."""
    wait_until(
        lambda: abs(used(server) - before - size) < SLACK,
        lambda: f"{size} bytes more than {before}: {used(server)} are used",
    )


def test_a_tensor_that_was_sent(server, client):
    before = used(server)
    client.execute_command("AI.TENSORSET", "t", "UINT8", SIZE, "BLOB", bytes(SIZE))
    holds(server, before, SIZE)
    assert SIZE <= client.memory_usage("t") < SIZE + MIB
    # A copy shares it: a tensor never changes.
    client.copy("t", "u")
    holds(server, before, SIZE)
    # Each key counts all that it keeps.
    assert client.memory_usage("u") >= SIZE
    client.delete("t")
    holds(server, before, SIZE)
    assert len(client.execute_command("AI.TENSORGET", "u", "BLOB")) == SIZE
    client.delete("u")
    holds(server, before, 0)


def test_a_model_has_one_copy_of_its_blob(server, client):
    before = used(server)
    store(client, "m", "identity\n" + " " * SIZE)
    holds(server, before, SIZE)
    assert SIZE <= client.memory_usage("m") < SIZE + MIB
    client.copy("m", "n")
    holds(server, before, SIZE)
    client.delete("m", "n")
    holds(server, before, 0)


def test_chunks_become_one_blob(server, client):
    before = used(server)
    head, rest = "identity\n", " " * (SIZE // 4)
    command = ["AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", head, rest, rest, rest, rest]
    assert client.execute_command(*command) == b"OK"
    holds(server, before, SIZE)


@pytest.mark.parametrize("operation", ["identity", "copy", "foreign"])
def test_an_output(server, client, operation):
    """The input's own memory, or the server's, or memory of a framework, which is copied."""
    store(client, "m", operation)
    before = used(server)
    client.execute_command("AI.TENSORSET", "x", "UINT8", SIZE, "BLOB", bytes(SIZE))
    for _ in range(3):
        assert client.execute_command(*run("m", ["x"], ["y"])) == b"OK"
        holds(server, before, SIZE if operation == "identity" else 2 * SIZE)
    assert client.memory_usage("y") >= SIZE
    client.delete("x")
    holds(server, before, SIZE)
    client.delete("y")
    holds(server, before, 0)


def test_after_a_load(server, client):
    before = used(server)
    store(client, "m", "identity\n" + " " * SIZE)
    client.execute_command("AI.TENSORSET", "t", "UINT8", SIZE, "BLOB", bytes(SIZE))
    holds(server, before, 2 * SIZE)
    for _ in range(3):
        client.execute_command("DEBUG", "RELOAD")
        holds(server, before, 2 * SIZE)
    client.flushall()
    holds(server, before, 0)


def test_values_that_are_replaced(server, client):
    before = used(server)
    for _ in range(5):
        store(client, "m", "identity\n" + " " * SIZE)
        client.execute_command("AI.TENSORSET", "t", "UINT8", SIZE, "BLOB", bytes(SIZE))
    holds(server, before, 2 * SIZE)


def test_small_tensors_cost_little_more_than_their_bytes(server, client):
    before = used(server)
    count = 10_000
    with client.pipeline(transaction=False) as pipeline:
        for number in range(count):
            pipeline.execute_command("AI.TENSORSET", f"t{number}", "FLOAT", 16, "BLOB", bytes(64))
        pipeline.execute()
    wait_until(lambda: used(server) - before < count * 600, "a few hundred bytes a tensor")
    assert client.memory_usage("t7") < 600


def test_onnx_keeps_its_outputs_in_the_servers_memory(make_server, server_binary):
    server = make_server(server_binary, config={"hz": 100})
    client = server.client()
    blob = model([node("Add", "x x", "y")], [value("x", dims=None)], [value("y", dims=None)])
    client.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", blob)
    put(client, "x", np.ones(4, np.float32))
    assert execute(client, ["x"], ["y"]) == b"OK"
    before = used(server)
    put(client, "x", np.ones(SIZE // 4, np.float32))
    for _ in range(3):
        assert execute(client, ["x"], ["y"]) == b"OK"
        holds(server, before, 2 * SIZE)
    assert get(client, "y")[-1] == 2
    client.delete("x", "y")
    holds(server, before, 0)
