"""MODEL_EXECUTION_TIMEOUT and BACKEND_MEMORY_LIMIT with ONNX."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from onnx import TensorProto
from onnx_models import execute, get, info, loop, model, node, put, reference, store, value

TERMINATED = "Exiting due to terminate flag being set to true"


def runs(client, count, *options):
    put(client, "n", np.array(count))
    put(client, "x", np.zeros(2, np.float32))
    command = ("AI.MODELEXECUTE", "m", "INPUTS", 2, "n", "x", "OUTPUTS", 1, "y", *options)
    return client.execute_command(*command)


def test_a_run_above_the_execution_timeout_is_stopped(make_server):
    server = make_server(module_args=["MODEL_EXECUTION_TIMEOUT", 1000])
    client = server.client()
    store(client, loop())
    with pytest.raises(redis.ResponseError, match=TERMINATED):
        runs(client, 2**62)
    counts = info(client)
    assert (counts["calls"], counts["errors"]) == (1, 1)
    # The worker is free again, and the session whole.
    assert runs(client, 1000) == b"OK"
    np.testing.assert_array_equal(get(client, "y"), [1000, 1000])


def test_a_timeout_of_the_client_stops_the_run(make_server):
    server = make_server(module_args=["MODEL_EXECUTION_TIMEOUT", 3_600_000])
    client = server.client()
    store(client, loop())
    assert runs(client, 2**62, "TIMEOUT", 100) == b"TIMEDOUT"
    # Nobody wants it any more, so it was stopped: an hour is not over.
    assert runs(client, 5) == b"OK"
    np.testing.assert_array_equal(get(client, "y"), [5, 5])


def big(bytes_):
    """Makes an output of so many bytes out of nothing."""
    count = bytes_ // 4
    return model(
        [node("ConstantOfShape", "s", "y")],
        [value("s", TensorProto.INT64, (1,))],
        [value("y", dims=None)],
    ), np.array([count], np.int64)


def test_the_memory_limit_holds_for_runs(make_server):
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 50])
    client = server.client()
    blob, small = big(4_000_000)
    _, large = big(400_000_000)
    store(client, blob)
    for shape, fits in ((small, True), (large, False), (small, True)):
        put(client, "s", shape)
        if fits:
            assert execute(client, ["s"], ["y"]) == b"OK"
            np.testing.assert_array_equal(get(client, "y"), reference(blob, s=shape)[0])
            client.delete("y")
        else:
            text = "Onnxruntime memory limit exceeded, memory allocation failed."
            with pytest.raises(redis.ResponseError, match=text):
                execute(client, ["s"], ["y"])


def test_the_memory_limit_holds_for_sessions(make_server):
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 20])
    client = server.client()
    weights = {"w": np.ones((10_000_000,), np.float32)}
    blob = model(
        [node("Add", "x w", "y")], [value("x", dims=None)], [value("y", dims=None)], weights
    )
    with pytest.raises(redis.ResponseError) as raised:
        store(client, blob)
    assert "Onnxruntime memory limit exceeded, memory allocation failed." in str(raised.value)
    assert client.keys() == []
    small = {"w": np.ones(3, np.float32)}
    store(client, model([node("Add", "x w", "y")], [value("x")], [value("y", dims=None)], small))


def test_memory_comes_back(make_server):
    """Sessions and outputs that are gone count no more: the limit would stop this otherwise."""
    server = make_server(module_args=["BACKEND_MEMORY_LIMIT", 60])
    client = server.client()
    blob, shape = big(20_000_000)
    for _ in range(10):
        store(client, blob)
        put(client, "s", shape)
        assert execute(client, ["s"], ["y"]) == b"OK"
        # By default Valkey frees in the background: on a busy machine three outputs could be alive.
        client.execute_command("FLUSHALL", "SYNC")
