"""`AI.INFO` of real models: statistics, and with FULL what a model says of itself."""

from __future__ import annotations

import time

import numpy as np
import pytest
import redis
from onnx import TensorProto, helper
from onnx_models import execute, info, model, node, put, store, value


def describe(values):
    """The array replies of FULL as dictionaries."""
    return [dict(zip(one[::2], one[1::2], strict=True)) for one in values]


@pytest.fixture
def simple(client):
    weights = {"w": np.ones((3, 4), np.float32)}
    blob = model([node("MatMul", "x w", "y")], [value("x")], [value("y", dims=("n", 4))], weights)
    command = ("AI.MODELSTORE", "m", "ONNX", "CPU", "TAG", "v1", "BLOB", blob)
    assert client.execute_command(*command) == b"OK"
    return blob


def test_statistics(client, simple):
    empty = info(client)
    assert [empty[name] for name in ("duration", "samples", "calls", "errors")] == [0] * 4
    assert [empty[name] for name in ("key", "type", "backend", "device", "tag")] == [
        b"m",
        b"MODEL",
        b"ONNX",
        b"CPU",
        b"v1",
    ]
    rows = [1, 5, 2]
    began = time.monotonic()
    for count in rows:
        put(client, "x", np.ones((count, 3), np.float32))
        assert execute(client, ["x"], ["y"]) == b"OK"
    took = (time.monotonic() - began) * 1e6
    after = info(client)
    # Samples are the rows of the first output.
    assert (after["samples"], after["calls"], after["errors"]) == (sum(rows), 3, 0)
    assert 0 < after["duration"] < took
    put(client, "x", np.ones((2, 5), np.float32))
    with pytest.raises(redis.ResponseError):
        execute(client, ["x"], ["y"])
    failed = info(client)
    assert (failed["samples"], failed["calls"], failed["errors"]) == (sum(rows), 4, 1)
    assert failed["duration"] == after["duration"]
    assert client.execute_command("AI.INFO", "m", "RESETSTAT") == b"OK"
    assert info(client) == empty


def test_runs_that_never_began_count_for_nothing(client, simple):
    empty = info(client)
    put(client, "x", np.ones((1, 3), np.float32))
    for inputs, outputs in ((["nothing"], ["y"]), (["x", "x"], ["y"]), (["x"], ["y", "z"])):
        with pytest.raises(redis.ResponseError):
            execute(client, inputs, outputs)
    client.set("text", "x")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        execute(client, ["x"], ["text"])
    assert info(client) == empty


def test_a_scalar_output_is_no_sample_more_than_one(client):
    blob = model([node("ReduceSum", "x", "y", keepdims=0)], [value("x")], [value("y", dims=())])
    store(client, blob)
    put(client, "x", np.ones((5, 3), np.float32))
    assert execute(client, ["x"], ["y"]) == b"OK"
    assert info(client)["samples"] in {0, 1}


def test_statistics_belong_to_the_object(client, simple):
    put(client, "x", np.ones((2, 3), np.float32))
    assert execute(client, ["x"], ["y"]) == b"OK"
    client.rename("m", "n")
    assert info(client, "n")["calls"] == 1
    assert info(client, "n")["key"] == b"n"
    client.copy("n", "c")
    assert info(client, "c")["calls"] == 0
    client.restore("r", 0, client.dump("n"))
    assert info(client, "r")["calls"] == 0
    store(client, simple, "n")
    assert info(client, "n")["calls"] == 0


def test_full(client):
    entry = helper.make_map_type_proto(
        TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, ())
    )
    inputs = [
        value("x", TensorProto.FLOAT, ("n", 3)),
        value("any", TensorProto.INT64, None),
        value("scalar", TensorProto.STRING, ()),
        value("half", TensorProto.FLOAT16, (None, 0, 2)),
    ]
    outputs = [
        value("y"),
        helper.make_value_info("z", helper.make_sequence_type_proto(entry)),
        helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None),
    ]
    nodes = [
        node("Neg", "x", "y"),
        node("ZipMap", "x", "z", domain="ai.onnx.ml", classlabels_int64s=[3, 1, 2]),
        node("SequenceConstruct", "x", "s"),
    ]
    store(client, model(nodes, inputs, outputs))
    full = info(client, "m", "FULL")
    assert (full["state"], full["reason"]) == (b"ready", b"")
    assert describe(full["inputs"]) == [
        {b"name": b"x", b"dtype": b"FLOAT", b"shape": [-1, 3]},
        {b"name": b"any", b"dtype": b"INT64", b"shape": None},
        {b"name": b"scalar", b"dtype": b"STRING", b"shape": []},
        {b"name": b"half", b"dtype": b"FLOAT16", b"shape": [-1, 0, 2]},
    ]
    found = describe(full["outputs"])
    assert found[0] == {b"name": b"y", b"dtype": b"FLOAT", b"shape": [-1, 3]}
    assert (found[1][b"name"], found[1][b"classes"]) == (b"z", [b"3", b"1", b"2"])
    assert (found[2][b"name"], found[2][b"dtype"]) == (b"s", b"")
    # The rest is as without FULL.
    assert info(client).items() <= full.items()


def labelled(flat):
    """A flat reply of labels and values as a dictionary."""
    return {label.decode(): value for label, value in zip(flat[::2], flat[1::2], strict=True)}


def test_full_shows_the_runs_in_detail(client, simple):
    blob = client.execute_command("AI.MODELGET", "m", "BLOB")
    command = ("AI.MODELSTORE", "m", "ONNX", "CPU", "BATCHSIZE", 8, "BLOB", blob)
    assert client.execute_command(*command) == b"OK"
    nothing = info(client, "m", "FULL")
    assert [nothing[name] for name in ("late", "batches", "batch_sizes")] == [0, 0, []]
    assert set(labelled(nothing["queue_ns"]).values()) == {0}
    rows = [1, 1, 2, 5, 20]
    began = time.monotonic()
    for count in rows:
        put(client, "x", np.ones((count, 3), np.float32))
        assert execute(client, ["x"], ["y"]) == b"OK"
    took = (time.monotonic() - began) * 1e9
    full = info(client, "m", "FULL")
    # One client alone shares no run. Sizes are powers of two, rounded down.
    assert (full["late"], full["batches"]) == (0, 0)
    assert full["batch_sizes"] == [[1, 2], [2, 1], [4, 1], [16, 1]]
    for name in ("queue_ns", "run_ns"):
        times = labelled(full[name])
        assert times.pop("count") == len(rows)
        assert list(times) == ["p50", "p90", "p99", "p99.9", "max"]
        values = list(times.values())
        assert values == sorted(values)
        assert values[-1] < took
    learned = labelled(full["batching"])
    assert set(learned) == {"rows", "given_up", "row_ns", "back_ns"}
    assert 1 <= learned["rows"] <= 8
    assert learned["given_up"] == 0
    assert client.execute_command("AI.INFO", "m", "RESETSTAT") == b"OK"
    again = info(client, "m", "FULL")
    for name in ("late", "batches", "batch_sizes", "queue_ns", "run_ns"):
        assert again[name] == nothing[name], name


def test_no_batching_without_batchsize(client, simple):
    assert info(client, "m", "FULL")["batching"] is None


def test_full_of_a_model_that_cannot_be_built(make_server, redisai_module):
    server = make_server()
    client = server.client()
    weights = {"w": np.ones((3, 4), np.float32)}
    blob = model([node("MatMul", "x w", "y")], [value("x")], [value("y", dims=("n", 4))], weights)
    store(client, blob)
    payload = client.dump("m")
    nowhere = ["BACKENDSPATH", "/nonexistent"]
    with_none = make_server(module_args=nowhere).client()
    with_none.restore("m", 0, payload)
    put(with_none, "x", np.ones((1, 3), np.float32))
    with pytest.raises(redis.ResponseError, match="Could not load backend"):
        execute(with_none, ["x"], ["y"])
    full = info(with_none, "m", "FULL")
    assert full["state"] == b"failed"
    assert full["reason"] == b"ERR Could not load backend"
    # The names came with the payload; what the session would say is not known.
    assert with_none.execute_command("AI.MODELGET", "m", "META")[11] == [b"x"]
    assert with_none.execute_command("AI.MODELGET", "m", "BLOB") == blob
