"""Stores and runs that a framework or a device refuses: whose text goes out, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from onnx import TensorProto, helper
from onnx_models import (
    execute,
    get,
    model,
    node,
    put,
    reference_error,
    store,
    value,
)

WEIGHTS = {"w": np.ones((3, 4), np.float32)}


def linear(**options):
    return model(
        [node("MatMul", "x w", "y")], [value("x")], [value("y", dims=("n", 4))], WEIGHTS, **options
    )


def text_of(client, *command):
    """The text of an error reply, as redis-py gives it: without a leading "ERR "."""
    with pytest.raises(redis.ResponseError) as raised:
        client.execute_command(*command)
    return str(raised.value)


def refused(client, blob, device="CPU"):
    """Stores a model in vain over a good one, which stays."""
    store(client, linear())
    text = text_of(client, "AI.MODELSTORE", "m", "ONNX", device, "BLOB", blob)
    assert client.execute_command("AI.MODELGET", "m", "BLOB") == linear()
    assert client.execute_command("AI._MODELSCAN") == [[b"m", b""]]
    put(client, "x", np.ones((1, 3), np.float32))
    assert execute(client, ["x"], ["y"]) == b"OK"
    return text


# Runs ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "array",
    [
        np.ones((2, 5), np.float32),
        np.ones(3, np.float32),
        np.ones((1, 2, 3), np.float32),
        np.ones((2, 3), np.float64),
        np.ones((2, 3), np.int32),
        np.array(1, np.float32),
    ],
    ids=lambda array: f"{array.dtype}{list(array.shape)}",
)
def test_a_wrong_input_is_the_frameworks_matter(client, array):
    blob = linear()
    store(client, blob)
    put(client, "x", array)
    text = text_of(client, "AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y")
    assert not client.exists("y")
    # The words are onnxruntime's own. Its Python API checks the dtype itself, in other words.
    if array.dtype == np.float32:
        assert text == reference_error(blob, x=array)
    else:
        assert "Unexpected input data type" in text
        assert "float" in text


def test_an_operator_that_fails(client):
    blob = model(
        [node("Reshape", "x s", "y")],
        [value("x", dims=None), value("s", TensorProto.INT64, None)],
        [value("y", dims=None)],
    )
    store(client, blob)
    x, s = np.ones(6, np.float32), np.array([4, 4])
    put(client, "x", x)
    put(client, "s", s)
    text = text_of(client, "AI.MODELEXECUTE", "m", "INPUTS", 2, "x", "s", "OUTPUTS", 1, "y")
    assert "Reshape" in text
    assert text == reference_error(blob, x=x, s=s)


def test_more_dimensions_than_a_model_takes(client):
    blob = model([node("Identity", "x", "y")], [value("x", dims=None)], [value("y", dims=None)])
    store(client, blob)
    run = ("AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y")
    text = "an input has 1025 dimensions, models take at most 1024: set it with fewer"
    client.execute_command("AI.TENSORSET", "x", "FLOAT", *[1] * 1025, "VALUES", 5)
    assert text_of(client, *run) == text
    client.execute_command("AI.TENSORSET", "x", "FLOAT", *[1] * 64, "VALUES", 5)
    assert client.execute_command(*run) == b"OK"
    assert get(client, "y").shape == (1,) * 64


# Stores ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("blob", [b"x", b"\0" * 100, bytes(range(256)) * 10, b"ORTM" + b"x" * 60])
def test_garbage(client, blob):
    assert refused(client, blob)


def test_truncated_at_every_length(client):
    whole = linear()
    seen = set()
    for length in range(1, len(whole)):
        seen.add(refused_or_whole(client, whole[:length]))
    assert len(seen - {None}) >= 1
    # A protobuf cut at a field's end can be a model; most are none.
    store(client, whole)
    assert client.ping()


def refused_or_whole(client, blob):
    """The error of a store, or None where the model is taken."""
    try:
        client.execute_command("AI.MODELSTORE", "cut", "ONNX", "CPU", "BLOB", blob)
    except redis.ResponseError as error:
        return str(error)
    return None


def test_a_custom_domain(client):
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my.domain", 1)]
    graph = helper.make_graph(
        [helper.make_node("Mine", ["x"], ["y"], domain="my.domain")],
        "g",
        [value("x")],
        [value("y")],
    )
    blob = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    assert refused(client, blob) == reference_error(blob)


@pytest.mark.parametrize("opset", [999, 0, -1])
def test_a_wrong_opset(client, opset):
    blob = linear(opset=opset)
    try:
        expected = reference_error(blob)
    except AssertionError:
        pytest.skip("onnxruntime accepts it")
    assert refused(client, blob) == expected


def test_an_operator_that_is_not_there(client):
    blob = model([node("NoSuchOperator", "x", "y")], [value("x")], [value("y")])
    assert refused(client, blob) == reference_error(blob)


def test_a_cycle_and_types_that_do_not_fit(client):
    for nodes in (
        [node("Neg", "b", "a"), node("Neg", "a", "b"), node("Neg", "x", "y")],
        [node("MatMul", "x x", "y"), node("Neg", "nothing", "z")],
        [node("Not", "x", "y")],
    ):
        blob = model(nodes, [value("x")], [value("y")])
        assert refused(client, blob) == reference_error(blob)


# Devices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", ["GPU", "GPU:0", "gpu", "GPU:1"])
def test_a_gpu_without_cuda(client, device):
    import onnxruntime  # noqa: PLC0415 (what it was built with decides)

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    text = refused(client, linear(), device)
    assert text == "GPU requested but ONNX couldn't find CUDA"


@pytest.mark.parametrize("device", ["CPU:1", "cpu", "CPU:"])
def test_other_cpus(client, device):
    store(client, linear(), device=device)
    put(client, "x", np.ones((1, 3), np.float32))
    assert execute(client, ["x"], ["y"]) == b"OK"
    assert client.execute_command("AI.MODELGET", "m", "META")[3] == device.encode()
