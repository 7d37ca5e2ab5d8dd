"""Models of every kind of input and output, against onnxruntime's own Python API."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import DTYPES, execute, get, info, model, node, put, reference, store, value

rng = np.random.default_rng(0)


def check(client, blob, *arrays):
    """Runs a model on arrays (its inputs in order) and compares every output."""
    store(client, blob)
    names = [name.decode() for name in client.execute_command("AI.MODELGET", "m", "META")[11]]
    for name, array in zip(names, arrays, strict=True):
        put(client, f"in {name}", array)
    expected = reference(blob, **dict(zip(names, arrays, strict=True)))
    outputs = [f"out {index}" for index in range(len(expected))]
    keys = [f"in {name}" for name in names]
    assert execute(client, keys, outputs) == b"OK"
    for key, want in zip(outputs, expected, strict=True):
        found = get(client, key)
        assert found.shape == want.shape
        if want.dtype == object:
            assert found.tolist() == np.vectorize(str.encode, otypes=[object])(want).tolist()
        else:
            assert found.dtype == want.dtype
            np.testing.assert_allclose(found, want, rtol=1e-5)


def test_matrix_with_a_dynamic_batch(client):
    weights = {"w": rng.random((3, 4), np.float32), "b": rng.random(4, np.float32)}
    nodes = [node("MatMul", "x w", "p"), node("Add", "p b", "y")]
    blob = model(nodes, [value("x")], [value("y", dims=("n", 4))], weights)
    for rows in (1, 7, 100):
        check(client, blob, rng.random((rows, 3), np.float32))


@pytest.mark.parametrize("dims", [None, ("a", "b", "c"), (), (2, 3), (None, 3)])
def test_declared_dims_do_not_matter(client, dims):
    blob = model([node("Neg", "x", "y")], [value("x", dims=dims)], [value("y", dims=dims)])
    shape = {None: (2, 1, 2), (): ()}.get(dims, (2, 3, 4)[: len(dims or ())])
    check(client, blob, np.asarray(rng.random(shape), np.float32))


@pytest.mark.parametrize("name", sorted(set(DTYPES) - {"BOOL"}))
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (2, 3, 4)])
def test_every_dtype(client, name, shape):
    numpy = np.dtype(DTYPES[name])
    kind = helper.np_dtype_to_tensor_dtype(numpy)
    blob = model([node("Identity", "x", "y")], [value("x", kind, None)], [value("y", kind, None)])
    array = np.asarray(rng.random(shape) * 200).astype(numpy)
    if 0 in shape:
        # No client can store it; a model can make it.
        indices = np.zeros((0,), np.int64)
        nodes = [node("Gather", "x i", "y", axis=1)]
        blob = model(nodes, [value("x", kind, None)], [value("y", kind, None)], {"i": indices})
        array = (rng.random((2, 5, 3)) * 200).astype(numpy)
    check(client, blob, array)


def test_bool(client):
    kind = TensorProto.BOOL
    blob = model([node("Not", "x", "y")], [value("x", kind, ("n",))], [value("y", kind, ("n",))])
    check(client, blob, np.array([True, False, True]))


def test_bfloat16(client):
    """NumPy has no such type, so the bits are compared: those of a cast from float and back."""
    nodes = [node("Cast", "x", "h", to=TensorProto.BFLOAT16)]
    into = model(nodes, [value("x", dims=("n",))], [value("h", TensorProto.BFLOAT16, ("n",))])
    nodes = [node("Cast", "h", "y", to=TensorProto.FLOAT)]
    back = model(nodes, [value("h", TensorProto.BFLOAT16, ("n",))], [value("y", dims=("n",))])
    array = np.array([1, -2.5, 3.140625, 1e30, 0], np.float32)
    store(client, into, "into")
    store(client, back, "back")
    put(client, "x", array)
    assert execute(client, ["x"], ["h"], "into") == b"OK"
    dtype, shape, _ = client.execute_command("AI.TENSORGET", "h", "META", "BLOB")[1::2]
    assert (dtype, shape) == (b"BFLOAT16", [5])
    assert execute(client, ["h"], ["y"], "back") == b"OK"
    (expected,) = reference(
        model(
            [node("Cast", "x", "h", to=TensorProto.BFLOAT16), *nodes],
            [value("x", dims=("n",))],
            [value("y", dims=("n",))],
        ),
        x=array,
    )
    np.testing.assert_array_equal(get(client, "y"), expected)
    # The upper half of a float's bits.
    bits = client.execute_command("AI.TENSORGET", "h", "BLOB")
    np.testing.assert_array_equal(np.frombuffer(bits, "<u2"), expected.view("<u4") >> 16)


def test_strings(client):
    kind = TensorProto.STRING
    words = {"keys_strings": ["one", "", "zwölf"], "values_strings": ["1", "none", "12 €"]}
    encoder = node("LabelEncoder", "x", "y", domain="ai.onnx.ml", default_string="?", **words)
    blob = model([encoder], [value("x", kind, ("n",))], [value("y", kind, ("n",))])
    array = np.array(["zwölf", "", "one", "other"], object)
    store(client, blob)
    put(client, "x", np.array([word.encode() for word in array], object))
    assert execute(client, ["x"], ["y"]) == b"OK"
    (expected,) = reference(blob, x=array)
    assert expected[0] == "12 €"
    assert [word.decode() for word in get(client, "y")] == expected.tolist()


def test_strings_of_any_bytes(client):
    kind = TensorProto.STRING
    blob = model(
        [node("Identity", "x", "y")], [value("x", kind, (2, 2))], [value("y", kind, (2, 2))]
    )
    words = np.array([[b"\0", b"a\0b"], [b"\xff\xfe", b""]], object)
    store(client, blob)
    put(client, "x", words)
    assert execute(client, ["x"], ["y"]) == b"OK"
    assert get(client, "y").tolist() == words.tolist()


def test_no_inputs(client):
    constant = np.arange(6, dtype=np.int64).reshape(2, 3)
    blob = model(
        [node("Identity", "c", "y")], [], [value("y", TensorProto.INT64, (2, 3))], {"c": constant}
    )
    store(client, blob)
    assert execute(client, [], ["y"]) == b"OK"
    np.testing.assert_array_equal(get(client, "y"), constant)


def test_many_outputs(client):
    count = 40
    outputs = [f"y{index}" for index in range(count)]
    nodes = [node("Split", "x", " ".join(outputs), axis=0, num_outputs=count)]
    values = [value(name, dims=None) for name in outputs]
    blob = model(nodes, [value("x", dims=None)], values, opset=18)
    check(client, blob, rng.random((count * 2, 3)).astype(np.float32))


def test_an_input_that_is_an_output_and_one_that_is_not_used(client):
    inputs = [value("a", dims=("n",)), value("b", dims=("n",))]
    blob = model([node("Identity", "a", "c")], inputs, [value("c", dims=("n",))])
    check(client, blob, np.array([1, 2], np.float32), np.array([3], np.float32))


def test_one_key_for_all_inputs_and_for_all_outputs(client):
    inputs = [value("a", dims=("n",)), value("b", dims=("n",))]
    outputs = [value("s", dims=("n",)), value("d", dims=("n",))]
    nodes = [node("Add", "a b", "s"), node("Sub", "a b", "d")]
    store(client, model(nodes, inputs, outputs))
    put(client, "k", np.array([1, 2], np.float32))
    assert execute(client, ["k", "k"], ["o", "o"]) == b"OK"
    # The last one wins.
    np.testing.assert_array_equal(get(client, "o"), [0, 0])
    assert execute(client, ["k", "k"], ["k", "k2"]) == b"OK"
    np.testing.assert_array_equal(get(client, "k"), [2, 4])


def test_control_flow(client):
    def branch(operator):
        nodes = [node(operator, "x", "r")]
        return helper.make_graph(nodes, operator, [], [value("r", dims=("n",))])

    nodes = [node("If", "c", "y", then_branch=branch("Neg"), else_branch=branch("Abs"))]
    inputs = [value("c", TensorProto.BOOL, ()), value("x", dims=("n",))]
    blob = model(nodes, inputs, [value("y", dims=("n",))])
    for condition in (True, False):
        check(client, blob, np.array(condition), np.array([1, -2], np.float32))
    assert info(client)["calls"] == 1


def test_an_output_that_depends_on_the_data(client):
    blob = model(
        [node("NonZero", "x", "y")],
        [value("x", dims=("n",))],
        [value("y", TensorProto.INT64, None)],
    )
    check(client, blob, np.array([0, 1, 0, 2], np.float32))
    check(client, blob, np.array([0, 0], np.float32))
