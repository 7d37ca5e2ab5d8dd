"""Makes the models of this directory and cases.json; needs ai-edge-litert and tensorflow.

    python make.py

Small models are put together from the classes of the file format, the others are written by
TensorFlow's converter. What runs must give (cases.json) comes from LiteRT's own interpreter.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import flatbuffers
import ml_dtypes
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

HERE = Path(__file__).parent
Type = schema.TensorType
Op = schema.BuiltinOperator
Options = schema.BuiltinOptions

# Our dtype: the format's element type, numpy's type.
DTYPES = {
    "FLOAT": (Type.FLOAT32, np.float32),
    "DOUBLE": (Type.FLOAT64, np.float64),
    "FLOAT16": (Type.FLOAT16, np.float16),
    "BFLOAT16": (Type.BFLOAT16, np.uint16),
    "INT8": (Type.INT8, np.int8),
    "INT16": (Type.INT16, np.int16),
    "INT32": (Type.INT32, np.int32),
    "INT64": (Type.INT64, np.int64),
    "UINT8": (Type.UINT8, np.uint8),
    "UINT16": (Type.UINT16, np.uint16),
    "UINT32": (Type.UINT32, np.uint32),
    "UINT64": (Type.UINT64, np.uint64),
    "BOOL": (Type.BOOL, np.bool_),
}


def new(kind: str, **fields: object) -> object:
    """Gives an object of the file format."""
    made = getattr(schema, f"{kind}T")()
    for name, value in fields.items():
        setattr(made, name, value)
    return made


class Model:
    """A model in the making."""

    def __init__(self) -> None:
        self.model = new("Model", version=3, description="test", buffers=[new("Buffer")])
        self.model.operatorCodes, self.model.subgraphs, self.model.signatureDefs = [], [], []

    def operator(self, code: int, version: int = 1, custom: str | None = None) -> int:
        fields = {"builtinCode": code, "deprecatedBuiltinCode": min(code, 127), "version": version}
        self.model.operatorCodes.append(new("OperatorCode", customCode=custom, **fields))
        return len(self.model.operatorCodes) - 1

    def tensor(self, name: str, kind: int, dims: tuple[int, ...], data: bytes | None = None):
        fixed = [abs(dim) for dim in dims]
        tensor = new("Tensor", name=name, type=kind, shape=fixed, hasRank=True, buffer=0)
        if -1 in dims:
            tensor.shapeSignature = list(dims)
        if data is not None:
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(new("Buffer", data=list(data)))
        return tensor

    def node(self, operator: int, inputs: list, outputs: list, options: str = "", **fields):
        kind = getattr(Options, options) if options else 0
        made = new(options, **fields) if options else None
        return new(
            "Operator",
            opcodeIndex=operator,
            inputs=inputs,
            outputs=outputs,
            builtinOptionsType=kind,
            builtinOptions=made,
        )

    def graph(self, tensors: list, inputs: list, outputs: list, nodes: list, key: str | None):
        """Adds a graph, and a signature of it, where there is a key."""
        graph = new("SubGraph", name="g", tensors=tensors, operators=nodes)
        graph.inputs, graph.outputs = inputs, outputs
        self.model.subgraphs.append(graph)
        if key is not None:
            index = len(self.model.subgraphs) - 1
            signature = new("SignatureDef", signatureKey=key, subgraphIndex=index)
            # The signature's names differ from the tensors'.
            signature.inputs = [
                new("TensorMap", name=f"in{i}", tensorIndex=t) for i, t in enumerate(inputs)
            ]
            signature.outputs = [
                new("TensorMap", name=f"out{i}", tensorIndex=t) for i, t in enumerate(outputs)
            ]
            self.model.signatureDefs.append(signature)
        return self

    def pack(self) -> bytes:
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


# CAST has no such type, or makes another NaN of one.
UNCAST = {"UINT64", "FLOAT16", "BFLOAT16"}


def identity(dtype: str, count: int, key: str | None = "serving_default", cast=None) -> bytes:
    """Inputs that come back: by CAST to the same type, or as they are."""
    kind = DTYPES[dtype][0]
    model = Model()
    inputs = [model.tensor(f"x{i}", kind, (-1,)) for i in range(count)]
    if dtype in UNCAST and not cast:
        return model.graph(inputs, list(range(count)), list(range(count)), [], key).pack()
    outputs = [model.tensor(f"y{i}", kind, (-1,)) for i in range(count)]
    operator = model.operator(Op.CAST, 5)
    nodes = [
        model.node(operator, [i], [count + i], "CastOptions", inDataType=kind, outDataType=kind)
        for i in range(count)
    ]
    places = list(range(count)), list(range(count, 2 * count))
    return model.graph(inputs + outputs, *places, nodes, key).pack()


def binary(code: int, options: str, dtype: str, dims: tuple[int, ...], key="serving_default"):
    """Two inputs, one operator, one output."""
    model = Model()
    operator = model.operator(code, 2 if code == Op.DIV else 1)
    kind = DTYPES[dtype][0]
    result = Type.BOOL if code == Op.LESS else kind
    tensors = [model.tensor(name, kind, dims) for name in ("a", "b")]
    tensors.append(model.tensor("y", result, dims))
    nodes = [model.node(operator, [0, 1], [2], options)]
    return model.graph(tensors, [0, 1], [2], nodes, key).pack()


def unary(code: int, version: int = 1, custom: str | None = None, kind=Type.FLOAT32) -> bytes:
    """One input of two elements, one operator without options, one output."""
    model = Model()
    operator = model.operator(code, version, custom)
    tensors = [model.tensor(name, kind, (2,)) for name in ("x", "y")]
    return model.graph(
        tensors, [0], [1], [model.node(operator, [0], [1])], "serving_default"
    ).pack()


def gather() -> bytes:
    """FLOAT [2] to INT32, as places in one constant: any other than 0 fails."""
    model = Model()
    cast, gathers = model.operator(Op.CAST), model.operator(Op.GATHER)
    tensors = [
        model.tensor("x", Type.FLOAT32, (2,)),
        model.tensor("places", Type.INT32, (2,)),
        model.tensor("constant", Type.FLOAT32, (1,), np.float32([5]).tobytes()),
        model.tensor("y", Type.FLOAT32, (2,)),
    ]
    types = {"inDataType": Type.FLOAT32, "outDataType": Type.INT32}
    nodes = [
        model.node(cast, [0], [1], "CastOptions", **types),
        model.node(gathers, [2, 1], [3], "GatherOptions", axis=0),
    ]
    return model.graph(tensors, [0], [3], nodes, "serving_default").pack()


def without_input() -> bytes:
    """A product with one factor left out."""
    model = Model()
    mul = model.operator(Op.MUL)
    tensors = [model.tensor(name, Type.FLOAT32, (2,)) for name in ("x", "y")]
    nodes = [model.node(mul, [0, -1], [1], "MulOptions")]
    return model.graph(tensors, [0], [1], nodes, "serving_default").pack()


def endless() -> bytes:
    """WHILE true: x + 1."""
    model = Model()
    loop, add = model.operator(Op.WHILE), model.operator(Op.ADD)
    x, y = (model.tensor(name, Type.FLOAT32, (1,)) for name in ("x", "y"))
    options = {"condSubgraphIndex": 1, "bodySubgraphIndex": 2}
    nodes = [model.node(loop, [0], [1], "WhileOptions", **options)]
    model.graph([x, y], [0], [1], nodes, "serving_default")
    true = model.tensor("true", Type.BOOL, (1,), b"\1")
    model.graph([model.tensor("x", Type.FLOAT32, (1,)), true], [0], [1], [], None)
    one = model.tensor("one", Type.FLOAT32, (1,), np.float32([1]).tobytes())
    tensors = [model.tensor("x", Type.FLOAT32, (1,)), one, model.tensor("y", Type.FLOAT32, (1,))]
    nodes = [model.node(add, [0, 1], [2], "AddOptions")]
    return model.graph(tensors, [0], [2], nodes, None).pack()


def where() -> bytes:
    """An output as long as there are true elements."""
    model = Model()
    operator = model.operator(Op.WHERE)
    tensors = [model.tensor("c", Type.BOOL, (-1,)), model.tensor("y", Type.INT64, (-1, 1))]
    nodes = [model.node(operator, [0], [1], "WhereOptions")]
    return model.graph(tensors, [0], [1], nodes, "serving_default").pack()


def shape_of_where() -> bytes:
    """The shape of such a thing: LiteRT's first run does not write it."""
    model = Model()
    operator, shape = model.operator(Op.WHERE), model.operator(Op.SHAPE)
    tensors = [
        model.tensor("c", Type.BOOL, (-1,)),
        model.tensor("i", Type.INT64, (-1, 1)),
        model.tensor("y", Type.INT32, (2,)),
    ]
    nodes = [
        model.node(operator, [0], [1], "WhereOptions"),
        model.node(shape, [1], [2], "ShapeOptions", outType=Type.INT32),
    ]
    return model.graph(tensors, [0], [2], nodes, "serving_default").pack()


def aliases() -> bytes:
    """Outputs: the input itself, twice the sum, a constant."""
    model = Model()
    add = model.operator(Op.ADD)
    tensors = [
        model.tensor("x", Type.FLOAT32, (-1, 3)),
        model.tensor("sum", Type.FLOAT32, (-1, 3)),
        model.tensor("constant", Type.INT32, (3,), np.int32([7, 8, 9]).tobytes()),
    ]
    nodes = [model.node(add, [0, 0], [1], "AddOptions")]
    return model.graph(tensors, [0], [1, 0, 1, 2], nodes, "serving_default").pack()


def strings(as_input: bool) -> bytes:
    """A tensor of strings that comes back, or a constant of them beside a number."""
    model = Model()
    if as_input:
        return model.graph([model.tensor("s", Type.STRING, (1,))], [0], [0], [], "s").pack()
    packed = np.int32([1, 12, 13]).tobytes()[:12] + b"a"
    tensors = [model.tensor("x", Type.FLOAT32, (1,)), model.tensor("s", Type.STRING, (1,), packed)]
    return model.graph(tensors, [0], [0, 1], [], "s").pack()


def signatures(change: str) -> bytes:
    """Two signatures, or one that is wrong in one way."""
    model = Model()
    add, mul = model.operator(Op.ADD), model.operator(Op.MUL)
    for key, operator, options in (
        ("double", add, "AddOptions"),
        ("serving_default", mul, "MulOptions"),
    ):
        tensors = [model.tensor(f"{key}_{name}", Type.FLOAT32, (-1,)) for name in ("x", "y")]
        model.graph(tensors, [0], [1], [model.node(operator, [0, 0], [1], options)], key)
    first = model.model.signatureDefs[0]
    if change == "first":
        del model.model.signatureDefs[1]
        first.signatureKey = "only"
    elif change == "no name":
        first.inputs[0].name = None
    elif change == "wrong tensor":
        first.outputs[0].tensorIndex = 0
    elif change == "no key":
        first.signatureKey = None
    elif change == "no graph":
        first.subgraphIndex = 9
    return model.pack()


def external(which: str) -> bytes:
    """Data that lies elsewhere."""
    model = Model()
    add = model.operator(Op.ADD)
    tensors = [
        model.tensor("x", Type.FLOAT32, (2,)),
        model.tensor("w", Type.FLOAT32, (2,), np.float32([1, 2]).tobytes()),
        model.tensor("y", Type.FLOAT32, (2,)),
    ]
    nodes = [model.node(add, [0, 1], [2], "AddOptions")]
    model.graph(tensors, [0], [2], nodes, "serving_default")
    if which == "file":
        group = new("ExternalBufferGroup", name="/etc/passwd")
        part = new("ExternalBuffer", id=1, group=0, offset=0, length=8, packing="unpacked")
        model.model.externalBufferGroups, model.model.externalBuffers = [group], [part]
        tensors[1].externalBuffer = 1
    else:
        buffer = model.model.buffers[1]
        buffer.data, buffer.offset, buffer.size = None, 1 << 40, 8
    return model.pack()


def variable() -> bytes:
    """A counter that lives from run to run: y = (total += x)."""

    class Counter(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.total = tf.Variable([0.0])

        @tf.function(input_signature=[tf.TensorSpec([1], tf.float32)])
        def add(self, x):
            return {"y": self.total.assign_add(x)}

    counter = Counter()
    return converted([counter.add.get_concrete_function()], counter, resource=True)


def converted(functions: list, module, resource: bool = False) -> bytes:
    """What TensorFlow's converter makes of functions."""
    converter = tf.lite.TFLiteConverter.from_concrete_functions(functions, module)
    converter.experimental_enable_resource_variables = resource
    return converter.convert()


def mlp() -> bytes:
    """FLOAT [n, 4] to [n, 3] and its class."""
    random = np.random.default_rng(1)
    first = tf.constant(random.normal(size=(4, 8)), tf.float32)
    second = tf.constant(random.normal(size=(8, 3)), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def function(x):
        scores = tf.nn.softmax(tf.nn.relu(x @ first) @ second)
        return {"class": tf.argmax(scores, axis=1), "scores": scores}

    return converted([function.get_concrete_function()], None)


def quantised() -> bytes:
    """INT8 images through a convolution and a Flatten with an open batch."""
    tf.keras.utils.set_random_seed(1)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    random = np.random.default_rng(2)

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [random.normal(size=(1, 8, 8, 1)).astype(np.float32)] for _ in range(20)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return converter.convert()


def topk() -> bytes:
    """The two largest of an open number of rows: LiteRT's C API cannot return them."""

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def function(x):
        return {"y": tf.math.top_k(x, k=2).values}

    return converted([function.get_concrete_function()], None)


def large(size: int) -> bytes:
    """A product of matrices that takes a while, in one operator of XNNPACK."""
    model = Model()
    product = model.operator(Op.BATCH_MATMUL)
    tensors = [model.tensor(name, Type.FLOAT32, (size, size)) for name in ("a", "b", "y")]
    nodes = [model.node(product, [0, 1], [2], "BatchMatMulOptions")]
    return model.graph(tensors, [0, 1], [2], nodes, "serving_default").pack()


def models() -> dict[str, bytes]:
    """All files."""
    made = {f"identity_{dtype.lower()}": identity(dtype, 1) for dtype in DTYPES}
    made |= {f"identity_float_{count}": identity("FLOAT", count) for count in (2, 3, 9, 40)}
    made |= {
        "cast_float16": identity("FLOAT16", 1, cast=True),
        "cast_bfloat16": identity("BFLOAT16", 1, cast=True),
        "no_signature": identity("FLOAT", 1, None),
        "sum": binary(Op.ADD, "AddOptions", "FLOAT", (-1,)),
        "fixed": binary(Op.ADD, "AddOptions", "FLOAT", (1, 3)),
        "scalar": binary(Op.MUL, "MulOptions", "FLOAT", ()),
        "divide": binary(Op.DIV, "DivOptions", "INT32", (2,)),
        "less": binary(Op.LESS, "LessOptions", "FLOAT", (-1,)),
        "gather": gather(),
        "without_input": without_input(),
        "endless": endless(),
        "where": where(),
        "shape_of_where": shape_of_where(),
        "aliases": aliases(),
        "string_input": strings(True),
        "string_output": strings(False),
        "flex": unary(Op.CUSTOM, custom="FlexErf"),
        "custom": unary(Op.CUSTOM, custom="Mine"),
        "new_version": unary(Op.ABS, version=99),
        "new_operator": unary(250),
        "two_signatures": signatures(""),
        "first_signature": signatures("first"),
        "nameless": signatures("no name"),
        "wrong_tensor": signatures("wrong tensor"),
        "no_key": signatures("no key"),
        "no_graph": signatures("no graph"),
        "external_file": external("file"),
        "external_place": external("place"),
        "variable": variable(),
        "mlp": mlp(),
        "quantised": quantised(),
        "topk": topk(),
        "large": large(1200),
    }
    return made


def numbers(dtype: str, dims: tuple[int, ...], seed: int) -> np.ndarray:
    """Some values of a dtype."""
    random = np.random.default_rng(seed)
    kind = DTYPES[dtype][1]
    if dtype in {"FLOAT", "DOUBLE", "FLOAT16"}:
        return random.normal(size=dims).astype(kind)
    high = 2 if dtype == "BOOL" else 100
    return random.integers(0, high, dims).astype(kind)


# Model, dtype of its inputs, their dimensions.
CASES = [
    *((f"identity_{dtype.lower()}", dtype, [(2, 3)]) for dtype in DTYPES if dtype != "UINT64"),
    ("cast_float16", "FLOAT16", [(2, 3)]),
    ("cast_bfloat16", "BFLOAT16", [(2, 3)]),
    *(("sum", "FLOAT", [(n,), (n,)]) for n in (1, 7, 100)),
    ("fixed", "FLOAT", [(1, 3), (1, 3)]),
    ("fixed", "FLOAT", [(4, 3), (4, 3)]),
    ("scalar", "FLOAT", [(), ()]),
    ("divide", "INT32", [(2,), (2,)]),
    ("less", "FLOAT", [(5,), (5,)]),
    ("no_signature", "FLOAT", [(3,)]),
    *(("mlp", "FLOAT", [(n, 4)]) for n in (1, 3, 17, 1, 2)),
    *(("quantised", "INT8", [(n, 8, 8, 1)]) for n in (1, 4, 2, 1)),
    ("two_signatures", "FLOAT", [(4,)]),
    ("first_signature", "FLOAT", [(4,)]),
]
NAMES = {np.dtype(kind): name for name, (_, kind) in DTYPES.items() if name != "BFLOAT16"}


def case(name: str, dtype: str, shapes: list[tuple[int, ...]], seed: int) -> dict[str, object]:
    """What LiteRT's interpreter gives."""
    interpreter = Interpreter(str(HERE / f"{name}.tflite"))
    inputs = [numbers(dtype, dims, seed + place) for place, dims in enumerate(shapes)]
    # Of several signatures the default one's graph; the interpreter's own is the first.
    details = interpreter.get_input_details()
    if name == "two_signatures":
        runner = interpreter.get_signature_runner("serving_default")
        outputs = list(runner(in0=inputs[0]).values())
    else:
        for detail, value in zip(details, inputs, strict=True):
            if value.ndim:
                interpreter.resize_tensor_input(detail["index"], value.shape)
        interpreter.allocate_tensors()
        for detail, value in zip(details, inputs, strict=True):
            given = value.view(ml_dtypes.bfloat16) if dtype == "BFLOAT16" else value
            interpreter.set_tensor(detail["index"], given)
        interpreter.invoke()
        outputs = [interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()]
    written = [dtype if dtype == "BFLOAT16" else None] * len(outputs)
    return {
        "name": f"{name} {shapes}",
        "model": f"{name}.tflite",
        "inputs": [tensor(value, dtype) for value in inputs],
        "outputs": [tensor(v, w or NAMES[v.dtype]) for v, w in zip(outputs, written, strict=True)],
    }


def tensor(value: np.ndarray, dtype: str) -> dict[str, object]:
    return {"dtype": dtype, "dims": list(value.shape), "hex": value.tobytes().hex()}


def main() -> None:
    """Writes all files."""
    for name, blob in models().items():
        (HERE / f"{name}.tflite").write_bytes(blob)
    cases = [case(*words, seed) for seed, words in enumerate(CASES)]
    text = ",\n".join(json.dumps(case) for case in cases)
    (HERE / "cases.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
