"""A server with every kind of tensor, model and script in it, and what must be there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from onnx_models import execute, get, model, node, put, store, value
from persistence import redisai_1_2
from redisai_rs import servers
from redisai_rs.testing import Server

WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)
TENSORS: dict[str, Any] = {
    "floats": np.array([[1.5, -2], [3e38, np.inf]], np.float32),
    "doubles": np.array([0.1]),
    "half": np.array([1, 65504], np.float16),
    "bytes": np.arange(256, dtype=np.uint8).view(np.int8),
    "large": np.array([2**64 - 1, 0], np.uint64),
    "bool": np.array([[True], [False]]),
    "scalar": np.array(-7, np.int64),
    "strings": np.array([b"one", b"", b"a\0b\xff"], object),
    "big": np.arange(1 << 18, dtype=np.float32),
}
MADE = {
    # Only a model can make it.
    "empty": np.zeros((2, 0), np.float32),
}


def linear() -> bytes:
    """y = x·W."""
    weights = {"w": WEIGHTS}
    return model([node("MatMul", "x w", "y")], [value("x")], [value("y", dims=("n", 4))], weights)


def load_scripts(client: redis.Redis) -> None:
    """The scripts of RedisAI's data set: a client cannot store one without Torch, a payload can."""
    server = client.info("server")
    product = "Valkey" if "valkey_version" in server else "Redis"
    version = tuple(map(int, server["redis_version"].split(".")))
    binary = servers.ServerBinary(Path(), product, version)
    for key in redisai_1_2.SCRIPTS:
        client.restore(key, 0, redisai_1_2.payload_for(binary, key), replace=True)


def fill(client: redis.Redis) -> None:
    """Stores all of it."""
    load_scripts(client)
    for key, array in TENSORS.items():
        put(client, key, array)
    store(client, linear(), "plain")
    options = ["TAG", "v\xe9", "BATCHSIZE", 4, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 10]
    command = ["AI.MODELSTORE", "options", "ONNX", "cpu:1", *options, "BLOB", linear()]
    assert client.execute_command(*command) == b"OK"
    nothing = {"i": np.zeros(0, np.int64)}
    outputs = [value("y", dims=None)]
    empty = model([node("Gather", "x i", "y", axis=1)], [value("x", dims=None)], outputs, nothing)
    store(client, empty, "gather")
    assert execute(client, ["floats"], ["empty"], "gather") == b"OK"
    client.delete("gather")
    client.expire("doubles", 100_000)


def look(client: redis.Redis, *, names: bool = True) -> None:
    """Everything is there; the names of inputs and outputs too, where a session could be built."""
    for key, array in (TENSORS | MADE).items():
        found = get(client, key)
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        np.testing.assert_array_equal(found, array)
    assert client.ttl("doubles") > 1000
    for key in redisai_1_2.SCRIPTS:
        redisai_1_2.look_at(client, key)
    scripts = client.execute_command("AI._SCRIPTSCAN")
    assert [name.decode() for name, _ in scripts] == sorted(redisai_1_2.SCRIPTS)
    assert client.execute_command("AI._MODELSCAN") == [
        [b"options", "v\xe9".encode()],
        [b"plain", b""],
    ]
    for key, device, batch in (("plain", b"CPU", [0, 0, 0]), ("options", b"cpu:1", [4, 2, 10])):
        meta = client.execute_command("AI.MODELGET", key, "META")[1::2]
        assert meta[:2] == [b"ONNX", device]
        assert [meta[3], meta[4], meta[7]] == batch
        assert meta[5:7] == ([[b"x"], [b"y"]] if names else [[], []])
        assert client.execute_command("AI.MODELGET", key, "BLOB") == linear()


def work(client: redis.Redis) -> None:
    """The models run; only where the server may write."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    put(client, "x", x)
    for key in ("plain", "options"):
        assert execute(client, ["x"], ["y"], key) == b"OK"
        np.testing.assert_allclose(get(client, "y"), x @ WEIGHTS)
    client.delete("x", "y")


def listed(server: Server, count: int) -> int:
    """How many names the index has of so many models: none where no module may listen."""
    product, version = server.binary.product, server.binary.version
    return 0 if product == "Valkey" and version < (9, 1) else count


@pytest.fixture
def start(
    make_server: Callable[..., Server], server_binary: servers.ServerBinary
) -> Callable[..., Server]:
    """`make_server` with the server of the matrix."""
    return lambda **options: make_server(server_binary, **options)
