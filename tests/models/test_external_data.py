"""External data is refused wherever it stands: the framework would read files of the server."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from onnx import TensorProto, helper, numpy_helper
from onnx_models import OPSET, node, store, value

REFUSED = "Initializer tensors with external data is not allowed."
SHAPE = (3, 4)


@pytest.fixture
def secret(tmp_path):
    """A file that the server could read, of the size that the tensor needs."""
    path = tmp_path / "secret"
    path.write_bytes(np.arange(12, dtype=np.float32).tobytes())
    return path


def external(path, name="w", declared=True):
    """A tensor whose data is in that file."""
    tensor = TensorProto(name=name, dims=SHAPE, data_type=TensorProto.FLOAT)
    if declared:
        tensor.data_location = TensorProto.EXTERNAL
    for key, text in (("location", str(path)), ("offset", "0"), ("length", "48")):
        tensor.external_data.add(key=key, value=text)
    return tensor


def wrap(graph, functions=()):
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("mine", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=list(functions))


def graph(nodes, initializers=(), sparse=()):
    outputs = [value("y", dims=None)]
    return helper.make_graph(
        nodes, "g", [value("x", dims=None)], outputs, list(initializers), sparse_initializer=sparse
    )


def constant(path, **attributes):
    return node("Constant", "", "w", **(attributes or {"value": external(path, "")}))


MATMUL = [node("MatMul", "x w", "y")]


def branch(path, deep):
    """A graph without inputs, for a branch of If, that holds external data."""
    if deep:
        inner = branch(path, deep=False)
        condition = numpy_helper.from_array(np.array(True), "c2")
        nodes = [node("If", "c2", "r", then_branch=inner, else_branch=inner)]
        return helper.make_graph(nodes, "deep", [], [value("r", dims=None)], [condition])
    nodes = [node("Identity", "w", "r")]
    return helper.make_graph(nodes, "b", [], [value("r", dims=None)], [external(path)])


def with_branch(path, deep=False):
    inner = branch(path, deep)
    condition = numpy_helper.from_array(np.array(True), "c")
    nodes = [node("If", "c", "y", then_branch=inner, else_branch=inner)]
    return wrap(graph(nodes, [condition]))


def in_loop_body(path):
    body = helper.make_graph(
        [node("Identity", "go", "on"), node("Add", "v w", "u")],
        "body",
        [
            value("i", TensorProto.INT64, ()),
            value("go", TensorProto.BOOL, ()),
            value("v", dims=None),
        ],
        [value("on", TensorProto.BOOL, ()), value("u", dims=None)],
        [external(path)],
    )
    count = numpy_helper.from_array(np.array(1), "n")
    return wrap(graph([node("Loop", "n  x", "y", body=body)], [count]))


def in_sparse_initializer(path):
    indices = numpy_helper.from_array(np.arange(12, dtype=np.int64), "w_indices")
    values = external(path)
    values.dims[:] = [12]
    sparse = helper.make_sparse_tensor(values, indices, SHAPE)
    return wrap(graph(MATMUL, sparse=[sparse]))


def in_sparse_attribute(path):
    indices = numpy_helper.from_array(np.arange(12, dtype=np.int64), "i")
    values = external(path)
    values.dims[:] = [12]
    sparse = helper.make_sparse_tensor(values, indices, SHAPE)
    return wrap(graph([constant(path, sparse_value=sparse), *MATMUL]))


def in_function(path):
    nodes = [constant(path), node("MatMul", "a w", "b")]
    opsets = [helper.make_opsetid("", OPSET)]
    function = helper.make_function("mine", "F", ["a"], ["b"], nodes, opsets)
    call = helper.make_node("F", ["x"], ["y"], domain="mine")
    return wrap(graph([call]), [function])


PLACES = {
    "initializer": lambda path: wrap(graph(MATMUL, [external(path)])),
    "initializer that only names a file": lambda path: wrap(
        graph(MATMUL, [external(path, declared=False)])
    ),
    "constant": lambda path: wrap(graph([constant(path), *MATMUL])),
    "branch": with_branch,
    "branch in a branch": lambda path: with_branch(path, deep=True),
    "loop body": in_loop_body,
    "sparse initializer": in_sparse_initializer,
    "sparse attribute": in_sparse_attribute,
    "function": in_function,
}


def spoken(path, directory):
    """Ways to name the file."""
    return {
        "absolute": path,
        "relative": path.name,
        "upwards": f"../{directory.name}/{path.name}",
        "not there": "/nonexistent/file",
        "none": "",
    }


@pytest.mark.parametrize("place", PLACES)
def test_it_is_refused(client, secret, place):
    for location in spoken(secret, secret.parent).values():
        blob = PLACES[place](location).SerializeToString()
        with pytest.raises(redis.ResponseError) as raised:
            store(client, blob)
        assert str(raised.value) == REFUSED
    assert client.keys() == []


@pytest.mark.parametrize("place", PLACES)
def test_it_is_refused_whatever_way_it_came(make_server, secret, place):
    """From an append-only file the definition is taken, but its session is never built."""
    blob = PLACES[place](secret).SerializeToString()
    words = [b"AI.MODELSTORE", b"m", b"ONNX", b"CPU", b"BLOB", blob]
    command = b"*%d\r\n" % len(words)
    command += b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
    server = make_server(start=False, config={"appendonly": "yes"})
    folder = server.directory / "appendonlydir"
    folder.mkdir()
    (folder / "appendonly.aof.1.incr.aof").write_bytes(command)
    manifest = "file appendonly.aof.1.incr.aof seq 1 type i\n"
    (folder / "appendonly.aof.manifest").write_text(manifest)
    client = server.start().client()
    client.execute_command("AI.TENSORSET", "x", "FLOAT", 1, 3, "VALUES", 1, 2, 3)
    run = ("AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y")
    with pytest.raises(redis.ResponseError) as raised:
        client.execute_command(*run)
    assert str(raised.value) == REFUSED
    assert client.execute_command("AI.MODELGET", "m", "BLOB") == blob


def test_the_same_models_with_their_data_inside_are_taken(client):
    """So that it is not something else that is refused above."""
    for nodes, initializers in (
        (MATMUL, [numpy_helper.from_array(np.ones(SHAPE, np.float32), "w")]),
        ([constant(None, value=numpy_helper.from_array(np.ones(SHAPE, np.float32))), *MATMUL], []),
    ):
        store(client, wrap(graph(nodes, initializers)).SerializeToString())
