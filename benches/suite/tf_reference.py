"""What the measurements of TensorFlow and LiteRT need in processes of their own.

python tf_reference.py make MODEL.onnx FOLDER           the same weights as a graph and for LiteRT
python tf_reference.py engine MODEL SECONDS             one run, through the backend's library
python tf_reference.py framework MODEL SECONDS BATCH    the framework alone, one thread

The last two print what `Loaded` has. Each imports only what it needs: a second copy is refused.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from timing import measure

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def make(source: Path, folder: Path) -> None:
    """A perceptron of ONNX as a frozen graph and as a model of LiteRT: `x` in, `y` out."""
    import onnx  # noqa: PLC0415 (as said above)
    import tensorflow as tf  # noqa: PLC0415 (as said above)
    from onnx import numpy_helper  # noqa: PLC0415 (as said above)
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415
        convert_variables_to_constants_v2 as freeze,
    )

    graph = onnx.load(source).graph
    weights = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    layers = [[weights[name] for name in node.input[1:]] for node in graph.node if node.input[1:]]

    @tf.function(input_signature=[tf.TensorSpec([None, layers[0][0].shape[1]], name="x")])
    def network(x: tf.Tensor) -> dict[str, tf.Tensor]:
        for weight, bias in layers:
            x = tf.nn.bias_add(tf.matmul(x, weight.T.copy()), bias)
            if bias is not layers[-1][1]:
                x = tf.nn.relu(x)
        return {"y": tf.identity(x, name="y")}

    concrete = network.get_concrete_function()
    converted = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    (folder / f"{source.stem}.tflite").write_bytes(converted)
    frozen = freeze(concrete).graph.as_graph_def().SerializeToString()
    (folder / f"{source.stem}.pb").write_bytes(frozen)


def engine(path: Path, seconds: float) -> dict[str, float]:
    """One row, through the same backend library as in the server."""
    import redisai_rs  # noqa: PLC0415 (as said above)

    names = {"inputs": ["x"], "outputs": ["y"]} if path.suffix == ".pb" else {}
    with redisai_rs.Engine(intra_op_threads=1) as made:
        model = made.load(path, **names)
        row = np.random.default_rng(7).standard_normal((1, 256), dtype=np.float32)
        return measure(lambda: model.run(row), 1, seconds)


def framework(path: Path, seconds: float, batch: int) -> dict[str, float]:
    """A batch, again and again."""
    run = _tensorflow(path, batch) if path.suffix == ".pb" else _litert(path, batch)
    return measure(run, batch, seconds)


def _tensorflow(path: Path, batch: int) -> Callable[[], object]:
    import tensorflow as tf  # noqa: PLC0415 (as said above)

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
    network = wrapped.prune("x:0", "y:0")
    rows = tf.random.normal([batch, network.inputs[0].shape[1]])
    return lambda: network(rows)


def _litert(path: Path, batch: int) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 (as said above)

    interpreter = Interpreter(str(path), num_threads=1)
    (entry,) = interpreter.get_input_details()
    shape = (batch, entry["shape"][1])
    interpreter.resize_tensor_input(entry["index"], shape)
    interpreter.allocate_tensors()
    rows = np.random.default_rng(7).standard_normal(shape, dtype=np.float32)
    interpreter.set_tensor(entry["index"], rows)
    return interpreter.invoke


if __name__ == "__main__":
    what, first, second = sys.argv[1:4]
    if what == "make":
        make(Path(first), Path(second))
    elif what == "engine":
        print(json.dumps(engine(Path(first), float(second))))
    else:
        print(json.dumps(framework(Path(first), float(second), int(sys.argv[4]))))
