"""ONNX models on a GPU: `onnxruntime-gpu` and the machine's first CUDA device.

Expected values come from ONNX Runtime's own Python API on the processor; a GPU may compute with
TF32, whose products have 10 bits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import redis
from gpu.conftest import TF32, many_clients, save_and_restart
from onnx import TensorProto
from onnx_models import execute, get, info, model, node, put, reference, store, value
from redisai_rs.testing import Server

# Made by NVIDIA's driver for the machine's first device.
pytestmark = pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="needs an NVIDIA GPU")

RNG = np.random.default_rng(7)


def perceptron(width: int = 256) -> bytes:
    """`y = relu(x @ w) @ v`, rows of `width`."""
    w, v = (RNG.standard_normal((width, width)).astype(np.float32) / 16 for _ in range(2))
    return model(
        [
            node("MatMul", "x w", "h"),
            node("Relu", "h", "r"),
            node("MatMul", "r v", "y"),
        ],
        [value("x", dims=("n", width))],
        [value("y", dims=("n", width))],
        {"w": w, "v": v},
    )


def convolution() -> bytes:
    """A convolution, which runs in cuDNN."""
    w = RNG.standard_normal((8, 3, 3, 3)).astype(np.float32) / 5
    return model(
        [node("Conv", "x w", "y", pads=[1, 1, 1, 1])],
        [value("x", dims=("n", 3, 32, 32))],
        [value("y", dims=("n", 8, 32, 32))],
        {"w": w},
    )


def rows(count: int, width: int = 256) -> np.ndarray:
    return RNG.standard_normal((count, width)).astype(np.float32)


@pytest.mark.parametrize("device", ["GPU", "GPU:0", "gpu:0"])
def test_a_model_runs_on_the_device(client: redis.Redis, device: str) -> None:
    for blob, x in ((perceptron(), rows(4)), (convolution(), rows(2, 3072).reshape(2, 3, 32, 32))):
        store(client, blob, device=device)
        put(client, "x", x)
        assert execute(client, ["x"], ["y"]) == b"OK"
        np.testing.assert_allclose(get(client, "y"), reference(blob, x=x)[0], **TF32)
        assert client.execute_command("AI.MODELGET", "m", "BLOB") == blob
    assert info(client)["device"] == device.encode()


def test_the_work_is_done_there(client: redis.Redis) -> None:
    """The device's memory holds the weights: 64 MiB of them."""
    nvml = pytest.importorskip("pynvml")
    nvml.nvmlInit()
    device = nvml.nvmlDeviceGetHandleByIndex(0)
    store(client, perceptron(), device="GPU")
    before = nvml.nvmlDeviceGetMemoryInfo(device).used
    store(client, perceptron(2896), "large", device="GPU")
    put(client, "x", rows(1, 2896))
    assert execute(client, ["x"], ["y"], "large") == b"OK"
    grown = nvml.nvmlDeviceGetMemoryInfo(device).used - before
    assert grown >= 2 * 4 * 2896**2


def test_a_device_that_is_not_there_is_an_error_of_the_store(client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError, match=r"(?i)device|gpu"):
        store(client, perceptron(), device="GPU:63")
    assert not client.exists("m")
    # Nothing is harmed.
    store(client, perceptron(), device="GPU")


def test_a_dag_over_processor_and_device(client: redis.Redis) -> None:
    blob = perceptron()
    store(client, blob, "on_gpu", device="GPU")
    store(client, blob, "on_cpu")
    x = rows(3)
    put(client, "x", x)
    reply = client.execute_command(
        *["AI.DAGEXECUTE", "LOAD", 1, "x", "PERSIST", 1, "z"],
        *["|>", "AI.MODELEXECUTE", "on_gpu", "INPUTS", 1, "x", "OUTPUTS", 1, "y"],
        *["|>", "AI.MODELEXECUTE", "on_cpu", "INPUTS", 1, "y", "OUTPUTS", 1, "z"],
    )
    assert reply == [b"OK", b"OK"]
    expected = reference(blob, x=reference(blob, x=x)[0])[0]
    np.testing.assert_allclose(get(client, "z"), expected, **TF32)


def test_batches_of_many_clients(gpu: Server, client: redis.Redis) -> None:
    blob = perceptron()
    batch = ("BATCHSIZE", 16, "MINBATCHSIZE", 4, "MINBATCHTIMEOUT", 20)
    command = ("AI.MODELSTORE", "m", "ONNX", "GPU", *batch, "BLOB", blob)
    assert client.execute_command(*command) == b"OK"
    inputs = [rows(1 + number % 3) for number in range(16)]
    expected = [reference(blob, x=x)[0] for x in inputs]
    many_clients(gpu, inputs, expected)
    assert info(client, "m", "FULL")["batches"] > 0


def test_sixteen_bits_and_strings(client: redis.Redis) -> None:
    half = TensorProto.FLOAT16
    blob = model(
        [node("Add", "x x", "y")],
        [value("x", half)],
        [value("y", half)],
    )
    store(client, blob, device="GPU")
    x = np.array([[1.5, -2, 0.25]], np.float16)
    put(client, "x", x)
    assert execute(client, ["x"], ["y"]) == b"OK"
    np.testing.assert_array_equal(get(client, "y"), x + x)
    # An operator that the device has not runs on the processor, inside ONNX Runtime.
    text = TensorProto.STRING
    blob = model(
        [node("StringNormalizer", "x", "y", case_change_action="UPPER", locale="C")],
        [value("x", text, [2])],
        [value("y", text, [2])],
    )
    store(client, blob, "text", device="GPU")
    client.execute_command("AI.TENSORSET", "s", "STRING", 2, "VALUES", "ab", "c")
    assert execute(client, ["s"], ["t"], "text") == b"OK"
    assert client.execute_command("AI.TENSORGET", "t", "VALUES") == [b"AB", b"C"]


def test_it_is_saved_and_built_again(gpu: Server, client: redis.Redis) -> None:
    blob, x = perceptron(), rows(2)
    store(client, blob, device="GPU")
    put(client, "x", x)
    assert execute(client, ["x"], ["y"]) == b"OK"
    client = save_and_restart(gpu)
    assert execute(client, ["x"], ["z"]) == b"OK"
    np.testing.assert_allclose(get(client, "z"), reference(blob, x=x)[0], **TF32)


def test_a_request_that_fails_on_the_device_harms_nothing(client: redis.Redis) -> None:
    store(client, perceptron(), device="GPU")
    put(client, "wide", rows(1, 99))
    with pytest.raises(redis.ResponseError):
        execute(client, ["wide"], ["y"])
    put(client, "x", rows(1))
    assert execute(client, ["x"], ["y"]) == b"OK"


def test_models_come_and_go(client: redis.Redis) -> None:
    blob = perceptron()
    put(client, "x", rows(1))
    for _ in range(30):
        store(client, blob, device="GPU")
        assert execute(client, ["x"], ["y"]) == b"OK"
        assert client.execute_command("AI.MODELDEL", "m") == b"OK"
