"""A server whose models run on the machine's first CUDA device."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
import redis
from onnx_models import execute, get, put
from redisai_rs.testing import Server, wait_until

# A GPU may compute with TF32, whose products have 10 bits.
TF32 = {"rtol": 5e-3, "atol": 5e-3}


@pytest.fixture
def gpu(make_server: Callable[..., Server]) -> Server:
    return make_server()


@pytest.fixture
def client(gpu: Server) -> redis.Redis:
    return gpu.client()


def many_clients(gpu: Server, inputs: list[np.ndarray], outputs: list[np.ndarray]) -> None:
    """A client for each input runs the model `m` on it again and again; all outputs are right."""
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            own = gpu.client()
            put(own, f"x{number}", inputs[number])
            for _ in range(50):
                assert execute(own, [f"x{number}"], [f"y{number}"]) == b"OK"
                np.testing.assert_allclose(get(own, f"y{number}"), outputs[number], **TF32)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def save_and_restart(gpu: Server) -> redis.Redis:
    """The child of a process with a CUDA context saves; then the server starts anew from that."""
    gpu.client().bgsave()
    wait_until(lambda: gpu.info("persistence")["rdb_bgsave_in_progress"] == "0", "the save")
    assert gpu.info("persistence")["rdb_last_bgsave_status"] == "ok"
    return gpu.restart().client()
