"""Makes digits.tflite and digits.pb of digits.onnx; needs numpy, onnx and tensorflow.

    python make_forms.py [FOLDER]

The weights are those of the ONNX model, so that every form of it says the same. `pixels` FLOAT
[n, 64] goes in; `digit` INT64 [n] and `probabilities` FLOAT [n, 10] come out.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import onnx
import tensorflow as tf
from onnx import numpy_helper
from tensorflow.python.framework.convert_to_constants import (
    convert_variables_to_constants_v2 as freeze,
)

HERE = Path(__file__).parent


def main(folder: Path) -> None:
    """Writes both files."""
    network = function()
    (folder / "digits.tflite").write_bytes(to_tflite(network))
    (folder / "digits.pb").write_bytes(to_graph(network))


def function() -> tf.types.experimental.ConcreteFunction:
    """The network as a function of TensorFlow."""
    graph = onnx.load(HERE / "digits.onnx").graph
    constants = {
        each.name: tf.constant(np.array(numpy_helper.to_array(each))) for each in graph.initializer
    }

    @tf.function(input_signature=[tf.TensorSpec([None, 64], tf.float32, name="pixels")])
    def network(pixels: tf.Tensor) -> dict[str, tf.Tensor]:
        layer = pixels / constants["brightest"]
        layer = tf.nn.relu(layer @ constants["weights0"] + constants["bias0"])
        scores = layer @ constants["weights1"] + constants["bias1"]
        digit = tf.argmax(scores, axis=1)
        probabilities = tf.nn.softmax(scores)
        return {
            "digit": tf.identity(digit, name="digit"),
            "probabilities": tf.identity(probabilities, name="probabilities"),
        }

    return network.get_concrete_function()


def to_tflite(network: tf.types.experimental.ConcreteFunction) -> bytes:
    """What TensorFlow's converter makes of it."""
    model: bytes = tf.lite.TFLiteConverter.from_concrete_functions([network]).convert()
    return model


def to_graph(network: tf.types.experimental.ConcreteFunction) -> bytes:
    """A frozen GraphDef."""
    graph: bytes = freeze(network).graph.as_graph_def().SerializeToString(deterministic=True)
    return graph


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
