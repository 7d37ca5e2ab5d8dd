"""`redisAI.model_execute`: models of any backend, run by a script on its own worker."""

from __future__ import annotations

import io
import warnings
import zipfile

import numpy as np
import pytest
import redis
from holding import info
from onnx import TensorProto
from onnx_models import model as onnx_model
from onnx_models import node, value
from scripts.conftest import Torch

with warnings.catch_warnings():
    # TorchScript is deprecated, which is no news here.
    warnings.simplefilter("ignore")
    import torch as pytorch

SOURCE = """
def f:
    return redisAI.model_execute(keys[0], tensors, int(args[0]))
def any_case:
    return REDISAI.model_execute(keys[0], tensors, 1) + RedisAI.model_execute(keys[0], tensors, 1)
def writes:
    out = redisAI.model_execute(keys[0], tensors, 1)[0]
    out.add_(100)
    return out
def chain:
    x = tensors
    for key in keys:
        x = redisAI.model_execute(key, x, 1)
    return x
"""


class Adds(pytorch.nn.Module):
    def forward(self, x: pytorch.Tensor) -> pytorch.Tensor:
        return x + 10


class Counts(pytorch.nn.Module):
    """Changes an attribute of its own: it runs once at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", pytorch.zeros(1))

    def forward(self, x: pytorch.Tensor) -> pytorch.Tensor:
        self.count += 1
        return x + self.count


class Endless(pytorch.nn.Module):
    def forward(self, x: pytorch.Tensor) -> pytorch.Tensor:
        while bool(x.sum() > 0):
            x = x + 1
        return x


def saved(module: pytorch.nn.Module) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytorch.jit.save(pytorch.jit.script(module.eval()), buffer)
    return buffer.getvalue()


def doubles() -> bytes:
    nodes = [node("Add", "x x", "y")]
    return onnx_model(nodes, [value("x")], [value("y")])


@pytest.fixture
def models(torch: Torch) -> Torch:
    torch.store(SOURCE)
    say = torch.client.execute_command
    say("AI.MODELSTORE", "o", "ONNX", "CPU", "BLOB", doubles())
    say("AI.MODELSTORE", "p", "TORCH", "CPU", "BLOB", saved(Adds()))
    say("AI.TENSORSET", "x", "FLOAT", 1, 3, "VALUES", 1, 2, 3)
    return torch


def floats(torch: Torch, key: str = "out") -> list[float]:
    blob = torch.client.execute_command("AI.TENSORGET", key, "BLOB")
    return np.frombuffer(blob, np.float32).tolist()


@pytest.mark.parametrize(("key", "expected"), [("o", [2, 4, 6]), ("p", [11, 12, 13])])
def test_a_model_of_each_backend(models: Torch, key: str, expected: list[float]) -> None:
    assert models.run("f", 1, keys=[key], inputs=["x"]) == b"OK"
    assert floats(models) == expected
    # Its own figures count it, besides the script's.
    figures = info(models.client, key)
    assert (figures["calls"], figures["errors"], figures["samples"]) == (1, 0, 1)
    assert info(models.client, "t")["calls"] == 1
    assert models.run("any_case", keys=[key], inputs=["x"], outputs=["a", "b"]) == b"OK"
    assert floats(models, "b") == expected
    assert info(models.client, key)["calls"] == 3


def test_models_one_after_the_other(models: Torch) -> None:
    assert models.run("chain", keys=["o", "p", "o"], inputs=["x"]) == b"OK"
    assert floats(models) == [24, 28, 32]


def test_a_model_ends_with_its_scripts_time(models: Torch) -> None:
    models.client.execute_command("AI.MODELSTORE", "e", "TORCH", "CPU", "BLOB", saved(Endless()))
    for _ in range(2):
        assert models.run("f", 1, keys=["e"], inputs=["x"], options=["TIMEOUT", 100]) == b"TIMEDOUT"
        # The worker is free again.
        assert models.run("f", 1, keys=["p"], inputs=["x"], options=["TIMEOUT", 10_000]) == b"OK"


def test_an_output_that_torch_has_no_type_for_leaves_nothing_behind(models: Torch) -> None:
    nodes = [node("Add", "x x", "y"), node("Slice", "x a b", "z"), node("Cast", "z", "s", to=8)]
    bounds = [value("a", TensorProto.INT64, (2,)), value("b", TensorProto.INT64, (2,))]
    outputs = [value("y"), value("s", TensorProto.STRING)]
    blob = onnx_model(nodes, [value("x"), *bounds], outputs)
    say = models.client.execute_command
    say("AI.MODELSTORE", "s", "ONNX", "CPU", "BLOB", blob)
    say("AI.TENSORSET", "large", "FLOAT", 1_000_000, 3)
    for key, number in (("a", 0), ("b", 1)):
        say("AI.TENSORSET", key, "INT64", 2, "VALUES", number, number)
    before = models.server.rss()
    for _ in range(40):
        with pytest.raises(redis.ResponseError, match="Unsupported code"):
            models.run("f", 2, keys=["s"], inputs=["large", "a", "b"])
    # Each run's first output has 12 MB.
    assert models.server.rss() - before < 150_000_000


def test_what_a_model_gives_is_the_scripts_own(models: Torch) -> None:
    # One that gives its input back: writing to it must not reach the key.
    nodes = [node("Identity", "x", "y")]
    blob = onnx_model(nodes, [value("x")], [value("y")])
    models.client.execute_command("AI.MODELSTORE", "same", "ONNX", "CPU", "BLOB", blob)
    for _ in range(2):
        assert models.run("writes", keys=["same"], inputs=["x"]) == b"OK"
        assert floats(models) == [101, 102, 103]
    assert floats(models, "x") == [1, 2, 3]


def test_errors_are_the_models_own(models: Torch) -> None:
    cases = [
        ("none", 1, "model key is empty"),
        ("x", 1, "WRONGTYPE|wrong kind of value"),
        ("o", 2, "does not match model definition"),
        ("o", -1, "num_outputs is out of range"),
        ("o", 2**40, "num_outputs is out of range"),
    ]
    for key, count, text in cases:
        with pytest.raises(redis.ResponseError, match=text):
            models.run("f", count, keys=[key], inputs=["x"])
    with pytest.raises(redis.ResponseError, match="does not match model definition"):
        models.run("f", 1, keys=["o"], inputs=["x", "x"])
    models.client.execute_command("AI.TENSORSET", "i", "INT64", 1, 3, "VALUES", 1, 2, 3)
    with pytest.raises(redis.ResponseError, match="INVALID_ARGUMENT|Unexpected input data type"):
        models.run("f", 1, keys=["o"], inputs=["i"])
    assert info(models.client, "o")["errors"] == 1


def test_the_users_right_to_the_model(models: Torch) -> None:
    if models.server.binary.version < (7,):
        pytest.skip("6.2 cannot be asked for a user's rights")
    rules = ["on", ">p", "~t", "~x", "~out", "~o", "+@all"]
    models.client.execute_command("ACL", "SETUSER", "u", "reset", *rules)
    user = models.server.client(username="u", password="p")
    assert models.run("chain", keys=["o"], inputs=["x"], client=user) == b"OK"
    # The key is told in the source only, so that the command itself may run.
    models.store('def g:\n    return redisAI.model_execute("p", tensors, 1)\n')
    with pytest.raises(redis.ResponseError, match="no permissions"):
        models.run("g", inputs=["x"], client=user)
    assert info(models.client, "p")["calls"] == 0
    models.client.execute_command("ACL", "DELUSER", "u")


def test_from_a_dag_and_from_another_device(models: Torch) -> None:
    models.store(SOURCE, "t1", "CPU:1")
    run = models.words("f", 1, keys=["o"], inputs=["x"], key="t1", outputs=["y"])
    words = ["AI.DAGEXECUTE", "LOAD", 1, "x", "PERSIST", 1, "z", "|>", *run]
    words += ["|>", "AI.MODELEXECUTE", "p", "INPUTS", 1, "y", "OUTPUTS", 1, "z"]
    assert models.client.execute_command(*words) == [b"OK", b"OK"]
    assert floats(models, "z") == [12, 14, 16]
    assert info(models.client, "o")["calls"] == info(models.client, "p")["calls"] == 1


def test_a_model_with_batches_does_not_wait_for_one(models: Torch) -> None:
    options = ["BATCHSIZE", 8, "MINBATCHSIZE", 8, "MINBATCHTIMEOUT", 3_600_000]
    words = ["AI.MODELSTORE", "b", "ONNX", "CPU", *options, "BLOB", doubles()]
    models.client.execute_command(*words)
    assert models.run("f", 1, keys=["b"], inputs=["x"]) == b"OK"
    assert floats(models) == [2, 4, 6]


def test_a_model_that_runs_once_at_a_time_waits_for_its_turn(make_server, server_binary) -> None:
    server = make_server(server_binary, module_args=["THREADS_PER_QUEUE", 4])
    torch = Torch(server)
    torch.store("""
def f:
    x = tensors[0]
    for i in range(50):
        x = redisAI.model_execute("c", [tensors[0]], 1)[0]
    return x
""")
    torch.client.execute_command("AI.MODELSTORE", "c", "TORCH", "CPU", "BLOB", saved(Counts()))
    torch.client.execute_command("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 0)
    connections = []
    for number in range(8):
        connection = server.client().connection_pool.get_connection()
        connection.send_command(*torch.words("f", inputs=["x"], outputs=[f"o{number}"]))
        connections.append(connection)
    assert [one.read_response() for one in connections] == [b"OK"] * 8
    # No turn was lost, and none was taken twice.
    last = max(floats(torch, f"o{number}")[0] for number in range(8))
    assert last == 400
    assert info(torch.client, "c")["calls"] == 400


def test_a_model_asks_the_server_nothing(models: Torch) -> None:
    """An archive may name our operators; only a script's run has a client to speak for."""
    buffer = io.BytesIO()
    code = """class M(Module):
  __parameters__ = []
  __buffers__ = []
  def forward(self: __torch__.M, x: Tensor) -> Tensor:
    _0 = ops.redis.execute("SET", ["written", "1"])
    return x
"""
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02c__torch__\nM\n)\x81}b.")
        archive.writestr("m/code/__torch__.py", code)
        archive.writestr("m/constants.pkl", b"\x80\x02).")
        archive.writestr("m/version", "3\n")
    say = models.client.execute_command
    say("AI.MODELSTORE", "asks", "TORCH", "CPU", "BLOB", buffer.getvalue())
    with pytest.raises(redis.ResponseError, match="only a script may ask the server"):
        say("AI.MODELEXECUTE", "asks", "INPUTS", 1, "x", "OUTPUTS", 1, "y")
    # Nor within a script.
    with pytest.raises(redis.ResponseError, match="only a script may ask the server"):
        models.run("f", 1, keys=["asks"], inputs=["x"])
    assert not models.client.exists("written")
