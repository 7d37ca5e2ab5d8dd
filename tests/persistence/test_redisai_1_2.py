"""Every payload that RedisAI 1.2 wrote is taken by `RESTORE`, and its models run."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from onnx_models import execute, get, info, put
from persistence.redisai_1_2 import MANIFEST, MODELS, ONNX, SCRIPTS, TENSORS, look_at, payload_for
from redisai_rs.testing import wait_until

NO_BACKEND = "Could not load backend"


@pytest.fixture
def restored(server, client):
    """Restores a key of the data set."""

    def restore(key):
        client.restore(key, 0, payload_for(server.binary, key))
        look_at(client, key)

    return restore


def test_the_data_set_is_there():
    assert len(TENSORS) > 20
    assert len(ONNX) == 3
    assert sorted(SCRIPTS) == ["s:entry", "s:old"]


@pytest.mark.parametrize("key", [*TENSORS, *SCRIPTS])
def test_tensors_and_scripts(client, restored, key):
    restored(key)
    if key in TENSORS:
        assert client.execute_command("AI.TENSORGET", key, "VALUES") is not None
    # Its saved form recreates it.
    client.execute_command("DEBUG", "RELOAD")
    look_at(client, key)


@pytest.mark.parametrize("key", ONNX)
def test_onnx_models_run(client, restored, key):
    restored(key)
    # y = x·W + b, says the data set's README.
    weights, bias = np.arange(12).reshape(4, 3), np.array([1, 2, 3])
    x = np.array([[1, 0, 0, 0], [0.5, -1, 2, 3]], np.float32)
    put(client, "x", x)
    assert execute(client, ["x"], ["y"], key) == b"OK"
    np.testing.assert_allclose(get(client, "y"), x @ weights + bias)


def test_what_no_backend_runs_is_kept_and_says_why(start):
    """Every model and script on a server without any backend."""
    server = start(module_args=["BACKENDSPATH", "/nonexistent"])
    client = server.client()
    put(client, "x", np.ones(2, np.float32))
    for key in MODELS + SCRIPTS:
        client.restore(key, 0, payload_for(server.binary, key))
        wait_until(lambda k=key: info(client, k, "FULL")["state"] == b"failed", "the build's end")
        assert NO_BACKEND in info(client, key, "FULL")["reason"].decode()
        run = ["AI.SCRIPTEXECUTE", key, "f", "INPUTS", 1, "x", "OUTPUTS", 1, "out"]
        if key in MODELS:
            meta = MANIFEST[key]["meta"]
            inputs, outputs = len(meta[11]), len(meta[13])
            names = [f"out {index}" for index in range(outputs)]
            run = ["AI.MODELEXECUTE", key, "INPUTS", inputs, *["x"] * inputs]
            run += ["OUTPUTS", outputs, *names]
        with pytest.raises(redis.ResponseError, match=NO_BACKEND):
            client.execute_command(*run)
        look_at(client, key)
