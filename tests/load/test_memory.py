"""Memory comes back when keys go."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import execute, get, model, node, put, store, value
from redisai_rs.testing import wait_until

MODELS = 1000
# What a thousand models may leave behind: the allocator's fragments, ONNX Runtime's own caches.
# A session of these models keeps about 100 KiB, so one in ten that stayed would show.
SLACK = 8 << 20


def small(number):
    """A model of its own for each number."""
    weights = {"w": np.full((3, 256), number, np.float32)}
    return model([node("MatMul", "x w", "y")], [value("x")], [value("y", dims=None)], weights)


def cycle(client, count):
    """Stores so many models, runs each, and deletes them in several ways."""
    put(client, "x", np.ones((1, 3), np.float32))
    for number in range(count):
        store(client, small(number), f"m{number}")
        assert execute(client, ["x"], ["y"], f"m{number}") == b"OK"
    assert float(get(client, "y")[0, 0]) == 3 * (count - 1)
    assert len(client.execute_command("AI._MODELSCAN")) == count
    for number in range(0, count // 2, 2):
        client.execute_command("AI.MODELDEL", f"m{number}")
        client.delete(f"m{number + 1}")
    for number in range(count // 2, count // 2 + 50):
        client.unlink(f"m{number}")
    client.flushall()
    assert client.execute_command("AI._MODELSCAN") == []


@pytest.mark.slow
def test_a_thousand_models(make_server, server_binary):
    server = make_server(server_binary)
    client = server.client()
    # Caches fill once, and the allocator's heap gets as large as it has to be.
    cycle(client, MODELS)
    before = server.rss()
    cycle(client, MODELS)
    # Sessions are destroyed on a thread of their own: the memory comes a little later.
    wait_until(
        lambda: server.rss() < before + SLACK,
        lambda: f"memory to come back: {before >> 10} KiB before, {server.rss() >> 10} after",
    )


@pytest.mark.slow
def test_replaced_models_and_tensors(make_server, server_binary):
    server = make_server(server_binary)
    client = server.client()

    def replace(count):
        for number in range(count):
            store(client, small(number), "m")
            put(client, "big", np.full(1 << 18, number, np.float32))
            put(client, "x", np.ones((100, 3), np.float32))
            assert execute(client, ["x"], ["y"]) == b"OK"

    replace(100)
    before = server.rss()
    replace(400)
    wait_until(
        lambda: server.rss() < before + SLACK,
        lambda: f"memory to come back: {before >> 10} KiB before, {server.rss() >> 10} after",
    )
