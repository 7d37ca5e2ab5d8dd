"""TorchScript models and scripts on the machine's first CUDA device.

Expected values come from torch in this process, on the processor; a GPU may compute with TF32,
whose products have 10 bits.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import redis
from gpu.conftest import TF32, many_clients, save_and_restart
from onnx_models import execute, get, info, put
from redisai_rs.testing import Server

with warnings.catch_warnings():
    # TorchScript is deprecated, which is no news here.
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

# Made by NVIDIA's driver for the machine's first device.
pytestmark = pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="needs an NVIDIA GPU")

SCRIPT = """
def where_is(tensors: List[Tensor], keys: List[str], args: List[str]):
    return torch.tensor([int(tensors[0].is_cuda)])

def twice(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0] * 2 + torch.ones(3, device=tensors[0].device)

def for_ever(tensors: List[Tensor], keys: List[str], args: List[str]):
    x = tensors[0]
    while bool((x > -1).all()):
        x = x + 1
    return x
"""


def perceptron(width: int = 64) -> torch.nn.Module:
    torch.manual_seed(3)
    layers = [torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, 3)]
    return torch.nn.Sequential(*layers).eval()


def convolution() -> torch.nn.Module:
    torch.manual_seed(4)
    layers = [torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.BatchNorm2d(8), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers).eval()


def saved(module: torch.nn.Module) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        buffer = io.BytesIO()
        torch.jit.save(torch.jit.script(module), buffer)
    return buffer.getvalue()


def computed(module: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return module(torch.from_numpy(x)).numpy()


def rows(count: int, width: int = 64) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, width)).astype(np.float32)


def store(client: redis.Redis, blob: bytes, *options: object, device: str = "GPU") -> None:
    words = ["AI.MODELSTORE", "m", "TORCH", device, *options, "BLOB", blob]
    assert client.execute_command(*words) == b"OK"


def script(client: redis.Redis, device: str = "GPU") -> None:
    names = ["where_is", "twice", "for_ever"]
    words = ["AI.SCRIPTSTORE", "s", device, "ENTRY_POINTS", len(names), *names]
    assert client.execute_command(*words, "SOURCE", SCRIPT) == b"OK"


def call(client: redis.Redis, function: str, *options: object) -> object:
    words = ["AI.SCRIPTEXECUTE", "s", function, "INPUTS", 1, "x", "OUTPUTS", 1, "y"]
    return client.execute_command(*words, *options)


@pytest.mark.parametrize("device", ["GPU", "GPU:0"])
def test_models_run_on_the_device(client: redis.Redis, device: str) -> None:
    for module, x in (
        (perceptron(), rows(4)),
        (convolution(), rows(2, 3072).reshape(2, 3, 32, 32)),
    ):
        blob = saved(module)
        store(client, blob, device=device)
        put(client, "x", x)
        assert execute(client, ["x"], ["y"]) == b"OK"
        np.testing.assert_allclose(get(client, "y"), computed(module, x), **TF32)
        assert client.execute_command("AI.MODELGET", "m", "BLOB") == blob


def test_a_device_that_is_not_there_is_an_error_of_the_store(client: redis.Redis) -> None:
    with pytest.raises(redis.ResponseError, match="GPU:63"):
        store(client, saved(perceptron()), device="GPU:63")
    with pytest.raises(redis.ResponseError, match="GPU:63"):
        script(client, "GPU:63")
    assert not client.exists("m", "s")
    store(client, saved(perceptron()))


def test_the_inputs_of_a_script_move_to_its_device(client: redis.Redis) -> None:
    put(client, "x", np.array([1, 2, 3], np.float32))
    for device, there in (("GPU", 1), ("CPU", 0)):
        script(client, device)
        assert call(client, "where_is") == b"OK"
        assert client.execute_command("AI.TENSORGET", "y", "VALUES") == [there]
        assert call(client, "twice") == b"OK"
        np.testing.assert_array_equal(get(client, "y"), [3, 5, 7])


def test_a_loop_on_the_device_ends_at_the_deadline(client: redis.Redis) -> None:
    script(client)
    put(client, "x", np.zeros(3, np.float32))
    assert call(client, "for_ever", "TIMEOUT", 300) == b"TIMEDOUT"
    # The worker is free again.
    assert call(client, "twice") == b"OK"


def test_a_dag_over_both_devices(client: redis.Redis) -> None:
    module, x = perceptron(), rows(3)
    store(client, saved(module))
    script(client, "CPU")
    put(client, "x", x)
    reply = client.execute_command(
        *["AI.DAGEXECUTE", "LOAD", 1, "x", "PERSIST", 1, "z"],
        *["|>", "AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y"],
        *["|>", "AI.SCRIPTEXECUTE", "s", "twice", "INPUTS", 1, "y", "OUTPUTS", 1, "z"],
    )
    assert reply == [b"OK", b"OK"]
    np.testing.assert_allclose(get(client, "z"), computed(module, x) * 2 + 1, rtol=1e-2, atol=1e-2)


def test_batches_of_many_clients(gpu: Server, client: redis.Redis) -> None:
    module = perceptron()
    store(client, saved(module), "BATCHSIZE", 16, "MINBATCHSIZE", 4, "MINBATCHTIMEOUT", 20)
    inputs = [rows(1 + number % 3) for number in range(16)]
    expected = [computed(module, x) for x in inputs]
    many_clients(gpu, inputs, expected)
    assert info(client, "m", "FULL")["batches"] > 0


def test_the_devices_memory_is_used_and_its_end_is_an_error(client: redis.Redis) -> None:
    nvml = pytest.importorskip("pynvml")
    nvml.nvmlInit()
    device = nvml.nvmlDeviceGetHandleByIndex(0)
    store(client, saved(perceptron()))
    before = nvml.nvmlDeviceGetMemoryInfo(device).used
    store(client, saved(perceptron(4096)))
    assert nvml.nvmlDeviceGetMemoryInfo(device).used - before >= 4 * 4096**2
    source = (
        "def huge(tensors: List[Tensor], keys: List[str], args: List[str]):\n"
        "    return torch.zeros(1 << 42, device=tensors[0].device)[:1]\n"
    )
    words = ["AI.SCRIPTSTORE", "s", "GPU", "ENTRY_POINTS", 1, "huge", "SOURCE", source]
    assert client.execute_command(*words) == b"OK"
    put(client, "x", rows(1))
    with pytest.raises(redis.ResponseError, match="out of memory"):
        call(client, "huge")
    assert client.ping()


def test_it_is_saved_and_built_again(gpu: Server, client: redis.Redis) -> None:
    module, x = perceptron(), rows(2)
    store(client, saved(module))
    script(client)
    put(client, "x", x)
    assert execute(client, ["x"], ["y"]) == b"OK"
    client = save_and_restart(gpu)
    assert execute(client, ["x"], ["z"]) == b"OK"
    np.testing.assert_allclose(get(client, "z"), computed(module, x), **TF32)
    put(client, "x", np.array([1, 2, 3], np.float32))
    assert call(client, "twice") == b"OK"
