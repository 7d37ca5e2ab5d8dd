"""Small ONNX models of every kind, made with `onnx.helper`, and what onnxruntime says of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import redis
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
Value = onnx.ValueInfoProto

# AI.TENSORSET's names -> NumPy's; BFLOAT16 has no NumPy type.
DTYPES = {
    "FLOAT": np.float32,
    "DOUBLE": np.float64,
    "FLOAT16": np.float16,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "BOOL": np.bool_,
}
NAMES = {np.dtype(numpy): name for name, numpy in DTYPES.items()}


def value(name: str, kind: int = TensorProto.FLOAT, dims: Any = ("n", 3)) -> Value:
    """An input or output; None for a rank that is not known."""
    return helper.make_tensor_value_info(name, kind, dims)


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[Value],
    outputs: list[Value],
    constants: dict[str, np.ndarray[Any, Any]] | None = None,
    opset: int = OPSET,
    **options: Any,
) -> bytes:
    """The bytes of a model."""
    initializers = [numpy_helper.from_array(data, name) for name, data in (constants or {}).items()]
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8, **options)
    return made.SerializeToString()


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> onnx.NodeProto:
    """One node; names are separated by one blank each, so that two blanks leave one out."""
    names = inputs.split(" ") if inputs else []
    return helper.make_node(operator, names, outputs.split(" "), **attributes)


def loop() -> bytes:
    """Adds 1 to x as many times as n says: many nodes, between which a run can be stopped."""
    body = helper.make_graph(
        [node("Identity", "go", "on"), node("Add", "v one", "u")],
        "body",
        [
            value("i", TensorProto.INT64, ()),
            value("go", TensorProto.BOOL, ()),
            value("v", dims=None),
        ],
        [value("on", TensorProto.BOOL, ()), value("u", dims=None)],
    )
    inputs = [value("n", TensorProto.INT64, ()), value("x", dims=("k",))]
    constants = {"one": np.ones(1, np.float32)}
    return model([node("Loop", "n  x", "y", body=body)], inputs, [value("y", dims=None)], constants)


def reference(blob: bytes, **inputs: Any) -> list[Any]:
    """The outputs by onnxruntime's own Python API."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def reference_error(blob: bytes, **inputs: Any) -> str:
    """The text of onnxruntime's own error, one line, without what Python puts before it."""
    try:
        reference(blob, **inputs)
    except Exception as error:  # its classes are not public
        text = str(error).rstrip().replace("\n", " ")
        # What Python puts before it: the library's name, a number, and the number's name.
        return text.split(" : ", 3)[3] if text.startswith("[ONNXRuntimeError]") else text
    raise AssertionError("onnxruntime accepts it")


def put(client: redis.Redis, key: str, array: Any) -> None:
    """Stores a NumPy array (strings and bytes as STRING) as a tensor."""
    array = np.asarray(array)
    if array.dtype == object:
        words: list[Any] = ["STRING", *array.shape, "BYTES", *array.ravel()]
    else:
        words = [NAMES[array.dtype], *array.shape, "BLOB", array.tobytes()]
    assert client.execute_command("AI.TENSORSET", key, *words) == b"OK"


def get(client: redis.Redis, key: str) -> Any:
    """A tensor as a NumPy array; STRING as an array of bytes."""
    dtype, shape = client.execute_command("AI.TENSORGET", key, "META")[1::2]
    if dtype == b"STRING":
        words = client.execute_command("AI.TENSORGET", key, "VALUES")
        return np.array(words, dtype=object).reshape(shape)
    blob = client.execute_command("AI.TENSORGET", key, "BLOB")
    return np.frombuffer(blob, DTYPES[dtype.decode()]).reshape(shape)


def store(client: redis.Redis, blob: bytes, key: str = "m", device: str = "CPU") -> None:
    """Stores a model."""
    assert client.execute_command("AI.MODELSTORE", key, "ONNX", device, "BLOB", blob) == b"OK"


def execute(client: redis.Redis, inputs: list[str], outputs: list[str], key: str = "m") -> Any:
    """Runs a model."""
    counted = ["INPUTS", len(inputs), *inputs, "OUTPUTS", len(outputs), *outputs]
    return client.execute_command("AI.MODELEXECUTE", key, *counted)


def info(client: redis.Redis, key: str = "m", *options: str) -> dict[str, Any]:
    """`AI.INFO`, label -> value."""
    flat = client.execute_command("AI.INFO", key, *options)
    return {label.decode(): value for label, value in zip(flat[::2], flat[1::2], strict=True)}
