"""Makes the models in this directory and `cases.json`, the runs that the tests repeat.

    python crates/backend-onnx/tests/data/make.py

needs `onnx`, `onnxruntime`, `numpy`. Expected outputs are computed by ONNX Runtime's own Python API
(and, where that cannot say them, by NumPy or by the operator's definition; each place says so).
"""

import json
import pathlib
from itertools import pairwise

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h

HERE = pathlib.Path(__file__).parent
OPSET = [h.make_opsetid("", 20), h.make_opsetid("ai.onnx.ml", 3)]
NAMES = {
    "FLOAT": (T.FLOAT, np.float32),
    "DOUBLE": (T.DOUBLE, np.float64),
    "FLOAT16": (T.FLOAT16, np.float16),
    "BFLOAT16": (T.BFLOAT16, np.uint16),
    "INT8": (T.INT8, np.int8),
    "INT16": (T.INT16, np.int16),
    "INT32": (T.INT32, np.int32),
    "INT64": (T.INT64, np.int64),
    "UINT8": (T.UINT8, np.uint8),
    "UINT16": (T.UINT16, np.uint16),
    "UINT32": (T.UINT32, np.uint32),
    "UINT64": (T.UINT64, np.uint64),
    "BOOL": (T.BOOL, np.bool_),
}
BY_NUMPY = {np.dtype(kind): name for name, (_, kind) in NAMES.items() if name != "BFLOAT16"}
CASES = []


def info(name, kind, dims):
    return h.make_tensor_value_info(name, kind, dims)


def save(name, nodes, inputs, outputs, initializers=(), opset=None, **kwargs):
    graph = h.make_graph(nodes, name, inputs, outputs, list(initializers), **kwargs)
    model = h.make_model(
        graph, opset_imports=opset or OPSET, ir_version=9, producer_name="redisai-rs"
    )
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())
    return model


def tensor(array, dtype=None):
    array = np.asarray(array)
    dims = list(array.shape)
    if array.dtype.kind in "OUS":
        strings = [v if isinstance(v, bytes) else str(v).encode() for v in array.flatten().tolist()]
        return {"dtype": "STRING", "dims": dims, "strings": [s.hex() for s in strings]}
    return {"dtype": dtype or BY_NUMPY[array.dtype], "dims": dims, "hex": array.tobytes().hex()}


def case(name, model, inputs, outputs):
    """Outputs that are None are those that are no tensors."""
    CASES.append(
        {
            "name": name,
            "model": f"{model}.onnx",
            "inputs": [i if isinstance(i, dict) else tensor(i) for i in inputs],
            "outputs": [o if isinstance(o, dict) or o is None else tensor(o) for o in outputs],
        }
    )


def run(model, *arrays):
    session = ort.InferenceSession(str(HERE / f"{model}.onnx"), providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    return session.run(None, dict(zip(names, map(np.asarray, arrays), strict=True)))


def judged(model, *arrays, name=None):
    """A case whose outputs ONNX Runtime says."""
    case(name or model, model, arrays, run(model, *arrays))


def constant(name, array):
    return onnx.numpy_helper.from_array(np.asarray(array), name)


def plain():
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal(s).astype(np.float32) for s in [(4, 8), (8,), (8, 3), (3,)]]
    save(
        "mlp",
        [
            h.make_node("Gemm", ["x", "w1", "b1"], ["h"]),
            h.make_node("Relu", ["h"], ["r"]),
            h.make_node("Gemm", ["r", "w2", "b2"], ["l"]),
            h.make_node("Softmax", ["l"], ["y"], axis=1),
        ],
        [info("x", T.FLOAT, ["batch", 4])],
        [info("y", T.FLOAT, ["batch", 3])],
        [constant(n, w) for n, w in zip(["w1", "b1", "w2", "b2"], weights, strict=True)],
    )
    for rows in (1, 5, 0):
        judged("mlp", rng.standard_normal((rows, 4)).astype(np.float32), name=f"mlp_{rows}")

    save(
        "no_inputs",
        [h.make_node("Constant", [], ["y"], value_floats=[1.5, -2.0])],
        [],
        [info("y", T.FLOAT, [2])],
    )
    judged("no_inputs")
    save(
        "many_outputs",
        [
            h.make_node("Split", ["x"], [f"y{i}" for i in range(6)], axis=0, num_outputs=6),
            h.make_node("Shape", ["x"], ["shape"]),
        ],
        [info("x", T.INT32, [6, 2])],
        [info(f"y{i}", T.INT32, [1, 2]) for i in range(6)] + [info("shape", T.INT64, [2])],
    )
    judged("many_outputs", np.arange(12, dtype=np.int32).reshape(6, 2))
    save(
        "scalar",
        [
            h.make_node("Add", ["x", "y"], ["sum"]),
            h.make_node("ReduceProd", ["z"], ["product"], keepdims=0),
        ],
        [info("x", T.DOUBLE, []), info("y", T.DOUBLE, []), info("z", T.INT64, [3])],
        [info("sum", T.DOUBLE, []), info("product", T.INT64, [])],
    )
    judged("scalar", np.float64(2.5), np.float64(-1.0), np.array([2, 3, 7], np.int64))
    save(
        "unknown_rank",
        [h.make_node("Neg", ["x"], ["y"])],
        [info("x", T.FLOAT, None)],
        [info("y", T.FLOAT, None)],
    )
    for dims in ([], [3], [2, 1, 2, 1, 2, 1]):
        judged(
            "unknown_rank",
            rng.standard_normal(dims).astype(np.float32),
            name=f"unknown_rank_{len(dims)}",
        )
    save(
        "half",
        [h.make_node("MatMul", ["x", "w"], ["y"])],
        [info("x", T.FLOAT16, [2, 3])],
        [info("y", T.FLOAT16, [2, 2])],
        [constant("w", np.array([[1, 0.5], [-2, 3], [0, 1]], np.float16))],
    )
    judged("half", np.array([[1, 2, 3], [0.25, -1, 8]], np.float16))
    save(
        "branch",
        [
            h.make_node(
                "If",
                ["c"],
                ["y"],
                then_branch=h.make_graph(
                    [h.make_node("Neg", ["x"], ["t"])], "then", [], [info("t", T.FLOAT, [2])]
                ),
                else_branch=h.make_graph(
                    [h.make_node("Identity", ["x"], ["e"])], "else", [], [info("e", T.FLOAT, [2])]
                ),
            )
        ],
        [info("c", T.BOOL, []), info("x", T.FLOAT, [2])],
        [info("y", T.FLOAT, [2])],
    )
    for condition in (True, False):
        judged(
            "branch", np.bool_(condition), np.array([1, -2], np.float32), name=f"branch_{condition}"
        )


def tiny():
    """The small model of the performance targets: 256-64-32-2, one row."""
    sizes = [256, 64, 32, 2]
    nodes, weights, last = [], [], "x"
    for place, (rows, columns) in enumerate(pairwise(sizes)):
        w = ((np.arange(rows * columns) % 13 - 6) / 64).astype(np.float32).reshape(rows, columns)
        weights += [
            constant(f"w{place}", w),
            constant(f"b{place}", np.full(columns, 0.125, np.float32)),
        ]
        nodes += [
            h.make_node("Gemm", [last, f"w{place}", f"b{place}"], [f"g{place}"]),
            h.make_node("Relu", [f"g{place}"], [f"r{place}"]),
        ]
        last = f"r{place}"
    nodes[-1] = h.make_node("Softmax", ["g2"], ["y"], axis=1)
    save("tiny", nodes, [info("x", T.FLOAT, [1, 256])], [info("y", T.FLOAT, [1, 2])], weights)
    judged("tiny", (np.arange(256) % 7 / 7).astype(np.float32).reshape(1, 256))


def dtypes():
    rng = np.random.default_rng(4)
    for name, (kind, numpy) in NAMES.items():
        model = f"concat_{name.lower()}"
        io = [info("x", kind, ["n", 3])], [info("y", kind, [None, 3])]
        save(model, [h.make_node("Concat", ["x", "x"], ["y"], axis=0)], *io)
        x = rng.integers(0, 256, (2, 3 * np.dtype(numpy).itemsize), np.uint8).view(numpy)
        if name == "BOOL":
            x = rng.integers(0, 2, (2, 3)).astype(np.bool_)
        # Of BFLOAT16 Python knows nothing: by the definition of Concat.
        y = np.concatenate([x, x]) if name == "BFLOAT16" else run(model, x)[0]
        assert np.array_equal(y, np.concatenate([x, x]), equal_nan=x.dtype.kind == "f")
        case(model, model, [tensor(x, name)], [tensor(y, name)])


def strings():
    io = [info("x", T.STRING, ["n"])], [info("y", T.STRING, [None])]
    save("concat_string", [h.make_node("Concat", ["x", "x"], ["y"], axis=0)], *io)
    x = np.array(["a", "", "größe €", "x" * 300], object)
    judged("concat_string", x)
    # Bytes that are no text Python cannot pass: by the definition of Concat.
    x = np.array([b"a\0b", b"\xff\xfe", b"\0", b""], object)
    case("concat_string_bytes", "concat_string", [x], [np.concatenate([x, x])])
    case("concat_string_none", "concat_string", [np.array([], object)], [np.array([], object)])
    save(
        "upper",
        [h.make_node("StringNormalizer", ["x"], ["y"], case_change_action="UPPER", locale="C")],
        *io,
    )
    judged("upper", np.array(["ab", "c d"], object))


def aliases():
    save(
        "pass_through",
        [h.make_node("Neg", ["x"], ["n"])],
        [info("x", T.FLOAT, ["n"])],
        [info("x", T.FLOAT, ["n"]), info("n", T.FLOAT, ["n"])],
    )
    save(
        "aliases",
        [
            h.make_node("Identity", ["x"], ["i"]),
            h.make_node("Reshape", ["x", "shape"], ["r"]),
            h.make_node("Identity", ["w"], ["c"]),
        ],
        [info("x", T.FLOAT, [4])],
        [info("i", T.FLOAT, [4]), info("r", T.FLOAT, [2, 2]), info("c", T.FLOAT, [2])],
        [
            constant("shape", np.array([2, 2], np.int64)),
            constant("w", np.array([7, 8], np.float32)),
        ],
    )
    save(
        "pass_through_string",
        [h.make_node("Identity", ["x"], ["y"])],
        [info("x", T.STRING, ["n"])],
        [info("x", T.STRING, ["n"]), info("y", T.STRING, ["n"])],
    )
    x = np.array([1, 2, 3, 4], np.float32)
    judged("pass_through", x)
    judged("aliases", x)
    judged("pass_through_string", np.array(["p", "q"], object))


def others():
    """Outputs that are no tensors."""
    x = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], np.float32)
    for name, key, labels in (
        ("zipmap_int", T.INT64, {"classlabels_int64s": [30, -1, 7]}),
        ("zipmap_string", T.STRING, {"classlabels_strings": ["pear", "apple", "fig"]}),
    ):
        maps = h.make_sequence_type_proto(
            h.make_map_type_proto(key, h.make_tensor_type_proto(T.FLOAT, None))
        )
        save(
            name,
            [
                h.make_node("ZipMap", ["x"], ["p"], domain="ai.onnx.ml", **labels),
                h.make_node("Neg", ["x"], ["n"]),
            ],
            [info("x", T.FLOAT, ["n", 3])],
            [h.make_value_info("p", maps), info("n", T.FLOAT, ["n", 3])],
        )
        order = next(iter(labels.values()))
        maps, negative = run(name, x)
        table = np.array([[row[label] for label in order] for row in maps], np.float32)
        assert np.array_equal(table, x)
        case(name, name, [x], [table, negative])
        case(f"{name}_none", name, [x[:0]], [x[:0], x[:0]])
    sequence = h.make_sequence_type_proto(h.make_tensor_type_proto(T.FLOAT, None))
    save(
        "sequence",
        [h.make_node("SplitToSequence", ["x"], ["s"], axis=0), h.make_node("Neg", ["x"], ["n"])],
        [info("x", T.FLOAT, ["n", 3])],
        [h.make_value_info("s", sequence), info("n", T.FLOAT, ["n", 3])],
    )
    case("sequence", "sequence", [x], [None, run("sequence", x)[1]])
    optional = h.make_optional_type_proto(h.make_tensor_type_proto(T.FLOAT, [2, 3]))
    save(
        "optional",
        [h.make_node("Neg", ["x"], ["n"]), h.make_node("Optional", ["n"], ["o"])],
        [info("x", T.FLOAT, [2, 3])],
        [h.make_value_info("o", optional)],
    )
    case("optional", "optional", [x], [-x])
    save(
        "optional_none",
        [
            h.make_node("Optional", [], ["o"], type=h.make_tensor_type_proto(T.FLOAT, [2, 3])),
            h.make_node("Neg", ["x"], ["n"]),
        ],
        [info("x", T.FLOAT, [2, 3])],
        [h.make_value_info("o", optional), info("n", T.FLOAT, [2, 3])],
    )
    case("optional_none", "optional_none", [x], [None, -x])
    save(
        "float8",
        [h.make_node("Cast", ["x"], ["y"], to=T.FLOAT8E4M3FN)],
        [info("x", T.FLOAT, [2])],
        [info("y", T.FLOAT8E4M3FN, [2])],
    )


def greedy():
    """Models that ask for much memory, or never end."""
    n = [info("n", T.INT64, [1])]
    save(
        "constant_of_shape",
        [h.make_node("ConstantOfShape", ["n"], ["y"])],
        n,
        [info("y", T.FLOAT, [None])],
    )
    save(
        "expand",
        [
            h.make_node("Expand", ["x", "n"], ["e"]),
            h.make_node("ReduceSum", ["e"], ["y"], keepdims=0),
        ],
        n,
        [info("y", T.FLOAT, [])],
        [constant("x", np.ones(1, np.float32))],
    )
    save(
        "tile",
        [h.make_node("Tile", ["x", "n"], ["y"])],
        n,
        [info("y", T.FLOAT, [None])],
        [constant("x", np.ones(3, np.float32))],
    )
    scalar = [info("n", T.INT64, [])]
    consts = [constant("zero", np.int64(0)), constant("one", np.int64(1))]
    save(
        "range",
        [h.make_node("Range", ["zero", "n", "one"], ["y"])],
        scalar,
        [info("y", T.INT64, [None])],
        consts,
    )
    body = h.make_graph(
        [h.make_node("Add", ["v", "one"], ["w"]), h.make_node("Identity", ["c"], ["d"])],
        "body",
        [info("i", T.INT64, []), info("c", T.BOOL, []), info("v", T.INT64, [])],
        [info("d", T.BOOL, []), info("w", T.INT64, [])],
    )
    save(
        "loop",
        [h.make_node("Loop", ["n", "", "zero"], ["y"], body=body)],
        scalar,
        [info("y", T.INT64, [])],
        consts,
    )
    case("loop", "loop", [np.int64(5)], [np.int64(5)])
    save(
        "divide",
        [h.make_node("Div", ["x", "y"], ["z"])],
        [info("x", T.INT32, ["n"]), info("y", T.INT32, ["n"])],
        [info("z", T.INT32, ["n"])],
    )
    judged("divide", np.array([7, -8], np.int32), np.array([2, 3], np.int32))


def bad():
    """Models that ONNX Runtime refuses."""
    io = [info("x", T.FLOAT, [2])], [info("y", T.FLOAT, [2])]
    save("bad_domain", [h.make_node("Frobnicate", ["x"], ["y"], domain="com.example")], *io)
    save("bad_opset", [h.make_node("Neg", ["x"], ["y"])], *io, opset=[h.make_opsetid("", 999)])
    save("bad_type", [h.make_node("StringNormalizer", ["x"], ["y"])], *io)


def external():
    """External data at every place where a tensor can stand."""
    outside = T(name="w", data_type=T.FLOAT, dims=[2], data_location=T.EXTERNAL)
    outside.external_data.add(key="location", value="weights.bin")
    inside = constant("inside", np.array([0, 1], np.int64))
    io = [info("x", T.FLOAT, [2])], [info("y", T.FLOAT, [2])]
    use = h.make_node("Add", ["x", "w"], ["y"])

    def sparse(values, indices):
        return onnx.SparseTensorProto(values=values, indices=indices, dims=[2])

    def attribute(**fields):
        made = onnx.AttributeProto(name="value")
        for field, value in fields.items():
            place = getattr(made, field)
            (place.extend([value]) if field.endswith("s") else place.CopyFrom(value))
        return made

    def node(made):
        held = h.make_node("Constant", [], ["w"])
        held.attribute.append(made)
        return held

    def graph(**kwargs):
        return h.make_graph([use], "inner", [], [info("y", T.FLOAT, [2])], **kwargs)

    named = constant("w", np.array([1, 2], np.float32))
    graph_out = graph(initializer=[outside])
    nested = h.make_graph([node(attribute(g=graph_out))], "outer", [], [])
    models = {
        "initializer": graph_out,
        "sparse_values": graph(sparse_initializer=[sparse(outside, inside)]),
        "sparse_indices": graph(sparse_initializer=[sparse(named, outside)]),
        "attribute_t": h.make_graph([node(attribute(t=outside)), use], "g", *io),
        "attribute_tensors": h.make_graph([node(attribute(tensors=outside)), use], "g", *io),
        "attribute_sparse": h.make_graph(
            [node(attribute(sparse_tensor=sparse(outside, inside))), use], "g", *io
        ),
        "attribute_sparses": h.make_graph(
            [node(attribute(sparse_tensors=sparse(named, outside))), use], "g", *io
        ),
        "subgraph": h.make_graph([node(attribute(g=graph_out))], "g", *io),
        "subgraphs": h.make_graph([node(attribute(graphs=graph_out))], "g", *io),
        "nested": h.make_graph([node(attribute(g=nested))], "g", *io),
    }
    (HERE / "external").mkdir(exist_ok=True)

    def write(name, model):
        (HERE / "external" / f"{name}.onnx").write_bytes(model.SerializeToString())

    for name, made in models.items():
        write(name, h.make_model(made, opset_imports=OPSET, ir_version=9))
    plain = h.make_graph([h.make_node("Neg", ["x"], ["y"])], "g", *io)

    def function(name, **fields):
        model = h.make_model(plain, opset_imports=OPSET, ir_version=9)
        made = onnx.FunctionProto(name="f", domain="local", input=["x"], output=["y"])
        made.opset_import.extend(OPSET)
        for field, value in fields.items():
            getattr(made, field).append(value)
        model.functions.append(made)
        write(name, model)

    function("function_node", node=node(attribute(t=outside)))
    function("function_nested", node=node(attribute(g=nested)))
    function("function_default", attribute_proto=attribute(t=outside))
    for place in ("initialization", "algorithm"):
        model = h.make_model(plain, opset_imports=OPSET, ir_version=9)
        getattr(model.training_info.add(), place).CopyFrom(graph_out)
        write(f"training_{place}", model)
    # Signs of external data that ONNX Runtime may read otherwise than our decoder: a location that
    # is no member of the enumeration after one that is, and entries without a location.
    odd = h.make_graph([use], "g", *io, initializer=[T(name="w", data_type=T.FLOAT, dims=[2])])
    model = h.make_model(odd, opset_imports=OPSET, ir_version=9)
    entries = outside.external_data
    model.graph.initializer[0].external_data.extend(entries)
    write("entries_alone", model)
    model.graph.initializer[0].ClearField("external_data")
    unlisted = T.FromString(bytes([14 << 3, 1, 14 << 3, 7]))
    model.graph.initializer[0].MergeFrom(unlisted)
    write("location_twice", model)


for make in (plain, tiny, dtypes, strings, aliases, others, greedy, bad, external):
    make()
(HERE / "cases.json").write_text(json.dumps(CASES, indent=1, sort_keys=True) + "\n")
print(f"{len(CASES)} cases, with ONNX Runtime {ort.__version__}")
