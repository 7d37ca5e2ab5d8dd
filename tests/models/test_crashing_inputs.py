"""Inputs with which ONNX Runtime would end the process: refused, and the server lives."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import redis
from onnx import TensorProto, helper, numpy_helper
from onnx_models import execute, get, model, node, put, reference, reference_error, store, value

INTEGERS = [np.int32, np.int64]
KINDS = {np.int32: TensorProto.INT32, np.int64: TensorProto.INT64}
OVERFLOW = "integer division of the smallest value by -1"


def refused(client, blob, **inputs):
    """The text with which a run is refused."""
    store(client, blob)
    for name, array in inputs.items():
        put(client, name, array)
    with pytest.raises(redis.ResponseError) as raised:
        execute(client, list(inputs), ["y"])
    assert client.ping()
    return str(raised.value)


def served(client, blob, **inputs):
    """A run that goes through gives what onnxruntime gives."""
    store(client, blob)
    for name, array in inputs.items():
        put(client, name, array)
    assert execute(client, list(inputs), ["y"]) == b"OK"
    np.testing.assert_array_equal(get(client, "y"), reference(blob, **inputs)[0])


# Divisions by and of a constant -------------------------------------------------------------------


def initializer(array):
    return [], [numpy_helper.from_array(array, "c")]


def listed(array):
    """In the fields of the element type, not as raw bytes."""
    kind = KINDS[array.dtype.type]
    return [], [helper.make_tensor("c", kind, array.shape, array.ravel().tolist())]


def of_a_node(array):
    return [
        node("Constant", "", "k", value=numpy_helper.from_array(array)),
        node("Identity", "k", "c"),
    ], []


CONSTANTS = [initializer, listed, of_a_node]


def division(operator, inputs, array, form):
    nodes, constants = form(array)
    kind = KINDS[array.dtype.type]
    graph = helper.make_graph(
        [*nodes, node(operator, inputs, "y")],
        "g",
        [value("x", kind, None)],
        [value("y", kind, None)],
        constants,
    )
    opsets = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()


@pytest.mark.parametrize("form", CONSTANTS)
@pytest.mark.parametrize("integer", INTEGERS)
@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_the_smallest_value_by_a_constant(client, operator, integer, form):
    blob = division(operator, "x c", integer([3, -1]), form)
    smallest = np.iinfo(integer).min
    assert refused(client, blob, x=integer([[7, smallest]])) == OVERFLOW
    # Where the shapes are the same, only what meets counts.
    assert refused(client, blob, x=integer([7, smallest])) == OVERFLOW
    served(client, blob, x=integer([smallest, 7]))
    served(client, blob, x=integer([[7, smallest + 1]]))


@pytest.mark.parametrize("form", CONSTANTS)
@pytest.mark.parametrize("integer", INTEGERS)
@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_a_constant_smallest_value(client, operator, integer, form):
    blob = division(operator, "c x", integer([np.iinfo(integer).min]), form)
    assert refused(client, blob, x=integer([2, -1])) == OVERFLOW
    served(client, blob, x=integer([2, 3]))


@pytest.mark.parametrize(("number", "fits"), [(-(2**31), False), (6, True)])
def test_a_constant_by_a_constant(client, number, fits):
    """It would be divided when the model is loaded."""
    blob = model(
        [node("Div", "a b", "c"), node("Add", "x c", "y")],
        [value("x", TensorProto.INT32, None)],
        [value("y", TensorProto.INT32, None)],
        {"a": np.int32([5, number]), "b": np.int32([-1])},
    )
    if fits:
        served(client, blob, x=np.int32([1, 2]))
    else:
        with pytest.raises(redis.ResponseError, match=OVERFLOW):
            store(client, blob)


@pytest.mark.parametrize("integer", INTEGERS)
@pytest.mark.parametrize("operator", ["Div", "Mod"])
def test_by_a_constant_of_zero(client, operator, integer):
    """Before 1.26 nothing but we can refuse it; since then it is onnxruntime's matter."""
    blob = division(operator, "x c", integer([3, 0]), initializer)
    if tuple(map(int, onnxruntime.__version__.split(".")[:2])) >= (1, 26):
        text = reference_error(blob)
    else:
        text = "integer division by zero"
    with pytest.raises(redis.ResponseError) as raised:
        store(client, blob)
    assert str(raised.value) == text
    assert client.ping()


# Frame lengths and dimensions ---------------------------------------------------------------------


@functools.cache
def all_operators_tests():
    """ONNX's own tests of its operators, by name; they can be collected once in a process."""
    from onnx.backend.test.case.node import collect_testcases  # noqa: PLC0415 (it takes seconds)

    with warnings.catch_warnings(action="ignore"):
        return {case.name: case for case in collect_testcases(None)}


def operators_test(name):
    """A model of ONNX's own operator tests, without the shapes of its inputs, and its inputs."""
    case = all_operators_tests()[name]
    made = onnx.ModelProto()
    made.CopyFrom(case.model)
    for one in [*made.graph.input, *made.graph.output]:
        one.type.tensor_type.ClearField("shape")
    names = [one.name for one in made.graph.input]
    arrays = [np.asarray(array) for array in case.data_sets[0][0]]
    blob = made.SerializeToString()
    try:
        onnxruntime.InferenceSession(blob)
    except Exception:  # its classes are not public
        pytest.skip(f"onnxruntime {onnxruntime.__version__} does not load it")
    return blob, dict(zip(names, arrays, strict=True))


def test_a_frame_length_of_zero(client):
    blob, inputs = operators_test("test_stft")
    zero = inputs | {"frame_length": np.zeros_like(inputs["frame_length"])}
    assert refused(client, blob, **zero) == "the model's STFT cannot take a frame_length of 0"
    served(client, blob, **inputs)
    # A signal of real numbers needs no dimension of their parts.
    served(client, blob, **(inputs | {"signal": inputs["signal"][:, :, 0]}))


@pytest.mark.parametrize(
    ("name", "operand", "least"),
    [
        ("test_dft_opset19", "x", 1),
        ("test_stft", "signal", 1),
        ("test_reversesequence_batch", "x", 2),
        ("test_attention_4d_with_past_and_present", "past_key", 4),
        ("test_attention_4d_with_past_and_present", "past_value", 4),
        ("test_attention_3d_with_past_and_present", "past_key", 4),
    ],
)
def test_too_few_dimensions(client, name, operand, least):
    blob, inputs = operators_test(name)
    operator = onnx.load_from_string(blob).graph.node[0].op_type
    count = len(onnx.load_from_string(blob).graph.output)
    outputs = ["y", *(f"y{n}" for n in range(1, count))]
    store(client, blob)
    for key, array in inputs.items():
        put(client, key, array)
    assert execute(client, list(inputs), outputs) == b"OK"
    for rank in range(least):
        put(client, operand, np.ones((4,) * rank, inputs[operand].dtype))
        with pytest.raises(redis.ResponseError) as raised:
            execute(client, list(inputs), outputs)
        text = f"the model's {operator} takes an input of at least {least} dimensions, not {rank}"
        assert str(raised.value) == text
