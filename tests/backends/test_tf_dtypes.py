"""TF models of every dtype compute what TensorFlow computes: integers equal, floats to 1e-5."""

from __future__ import annotations

import numpy as np
import pytest
from backends.tf_models import store
from commands import dtypes
from models_on_servers import run

NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}
NUMBERS = [number for number in dtypes.NUMBERS if number.name != "BOOL"]


def graph_of(tf, kind: str, function) -> bytes:
    """A graph with one input, and what a function makes of it by names."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(kind, [None], name="x")
        for name, value in function(x).items():
            tf.identity(value, name=name)
    return graph.as_graph_def().SerializeToString()


def check(client, tf, dtype: str, blob: bytes, count: int, function, names: list[str]) -> None:
    """Runs a function on a server and in TensorFlow."""
    kind = tf.as_dtype(NAMES.get(dtype, dtype.lower()))
    model = graph_of(tf, kind, function)
    store(client, model, "INPUTS", 1, "x", "OUTPUTS", len(names), *names)
    client.execute_command("AI.TENSORSET", "x", dtype, count, "BLOB", blob)
    assert run(client, "m", ["x"], names) == b"OK"
    expected = function(tf.constant(np.frombuffer(blob, kind.as_numpy_dtype)))
    for name in names:
        reply = client.execute_command("AI.TENSORGET", name, "META", "BLOB")
        wanted = expected[name].numpy()
        found = np.frombuffer(reply[5], wanted.dtype).reshape(reply[3])
        if wanted.dtype.kind in "iub":
            np.testing.assert_array_equal(found, wanted)
        else:
            wanted, found = (each.astype(np.float64) for each in (wanted, found))
            # TensorFlow's own threads make zeros of subnormal numbers; a worker's does not.
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=2.4e-38)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
def test_sums_and_order(client, tf, number):
    """At the edges of each dtype: sums that overflow, subnormal numbers, infinities."""

    def function(x):
        return {"sum": tf.add(x, x), "turned": tf.concat([x[1:], x[:1]], 0)}

    blob, count = number.blob, len(number.values)
    check(client, tf, number.name, blob, count, function, ["sum", "turned"])


@pytest.mark.parametrize("dtype", ["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"])
def test_functions_of_floats(client, tf, dtype):
    values = np.linspace(-3, 3, 61)
    kind = tf.as_dtype(NAMES.get(dtype, dtype.lower()))
    blob = values.astype(kind.as_numpy_dtype).tobytes()

    def function(x):
        return {"y0": tf.tanh(x), "y1": tf.exp(x), "y2": x > 1}

    check(client, tf, dtype, blob, len(values), function, ["y0", "y1", "y2"])


def test_truths(client, tf):
    def function(x):
        return {"no": tf.logical_not(x), "some": tf.reduce_any(x, keepdims=True)}

    check(client, tf, "BOOL", bytes([0, 1, 1, 0]), 4, function, ["no", "some"])


def test_strings(client, tf):
    def function(x):
        lengths = tf.strings.length(x)
        return {"twice": tf.strings.join([x, x]), "length": tf.cast(lengths, tf.int64)}

    names = ["twice", "length"]
    store(client, graph_of(tf, tf.string, function), "INPUTS", 1, "x", "OUTPUTS", 2, *names)
    texts = [b"", b"a\0b", "größe €".encode(), bytes(range(256))]
    client.execute_command("AI.TENSORSET", "x", "STRING", len(texts), "BYTES", *texts)
    assert run(client, "m", ["x"], names) == b"OK"
    expected = function(tf.constant(texts))
    assert client.execute_command("AI.TENSORGET", "twice", "VALUES") == [
        bytes(each) for each in expected["twice"].numpy()
    ]
    reply = client.execute_command("AI.TENSORGET", "length", "VALUES")
    assert reply == expected["length"].numpy().tolist()
