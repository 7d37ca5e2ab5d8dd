"""All four backends in one server, loaded in any order; a script that calls a model of each."""

from __future__ import annotations

import itertools

import digits
import numpy as np
import pytest
import redis
from models_on_servers import get, put, run

FORMS = {
    "ONNX": ("digits.onnx", ()),
    "TORCH": ("digits.pt", ()),
    "TF": ("digits.pb", ("INPUTS", 1, "pixels", "OUTPUTS", 2, "digit", "probabilities")),
    "TFLITE": ("digits.tflite", ()),
}
# In the order of the names above, and backwards; every other order is for `make test-frameworks`.
ALWAYS = (tuple(FORMS), tuple(reversed(FORMS)))
ORDERS = [
    pytest.param(
        order, id=" ".join(order), marks=() if order in ALWAYS else [pytest.mark.frameworks]
    )
    for order in itertools.permutations(FORMS)
]
SOURCE = """
def call(tensors: List[Tensor], keys: List[str], args: List[str]):
    return redisAI.model_execute(keys[0], tensors, 2)
"""


@pytest.fixture(params=ORDERS)
def client(request, make_server) -> redis.Redis:
    client = make_server(module_args=["INTRA_OP_PARALLELISM", 1]).client()
    for backend in request.param:
        client.execute_command("AI.CONFIG", "LOADBACKEND", backend, path_of(backend))
    return client


def path_of(backend: str) -> str:
    stem = {"ONNX": "onnxruntime", "TORCH": "torch", "TF": "tensorflow", "TFLITE": "tflite"}[
        backend
    ]
    return f"redisai_{stem}/redisai_{stem}.so"


def test_each_runs_beside_the_others_and_by_a_script(client: redis.Redis) -> None:
    images = digits.rows()[:20]
    x = np.frombuffer(digits.pixels(images), np.float32).reshape(len(images), digits.PIXELS)
    put(client, "x", x)
    written = [digit for _, digit in images]
    words = ("AI.SCRIPTSTORE", "s", "CPU", "ENTRY_POINTS", 1, "call", "SOURCE", SOURCE)
    assert client.execute_command(*words) == b"OK"
    probabilities = {}
    for backend, (form, names) in FORMS.items():
        blob = digits.blob(form)
        words = ("AI.MODELSTORE", backend, backend, "CPU", *names, "BLOB", blob)
        assert client.execute_command(*words) == b"OK"
        assert run(client, backend, ["x"], ["digit", "p"]) == b"OK"
        right = np.mean(get(client, "digit", np.int64) == written)
        assert right >= 0.9
        probabilities[backend] = get(client, "p")
        words = ("KEYS", 1, backend, "INPUTS", 1, "x", "OUTPUTS", 2, "d", "q")
        assert client.execute_command("AI.SCRIPTEXECUTE", "s", "call", *words) == b"OK"
        assert get(client, "d", np.int64).tolist() == get(client, "digit", np.int64).tolist()
        np.testing.assert_array_equal(get(client, "q"), probabilities[backend])
        # Its own run and the script's.
        facts = client.execute_command("AI.INFO", backend)
        assert dict(zip(facts[::2], facts[1::2], strict=True))[b"calls"] == 2
    for found in probabilities.values():
        np.testing.assert_allclose(found, probabilities["ONNX"], atol=1e-5)
    assert client.bgsave()
