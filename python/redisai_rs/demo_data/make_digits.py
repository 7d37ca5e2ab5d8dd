"""Makes digits.onnx and digits.bin; needs numpy, onnx and scikit-learn.

    python make_digits.py [FOLDER]

A small network is trained on three quarters of scikit-learn's digits. The rest, which it has never
seen, becomes digits.bin: for each image 64 bytes of pixels (0 to 16, row by row), then one byte
with the digit that was written.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

HERE = Path(__file__).parent
BRIGHTEST = 16
# Old enough for every ONNX Runtime that the backend takes.
OPSET, IR_VERSION = 13, 8


def main(folder: Path) -> None:
    """Trains, writes both files and says how good the model is."""
    images, digits = load_digits(return_X_y=True)
    train, held_out, train_digits, held_out_digits = train_test_split(
        images, digits, test_size=0.25, random_state=1, stratify=digits
    )
    network = MLPClassifier(hidden_layer_sizes=(64,), max_iter=400, random_state=1)
    network.fit(train / BRIGHTEST, train_digits)
    onnx.save(to_onnx(network), folder / "digits.onnx")
    rows = np.column_stack([held_out, held_out_digits]).astype(np.uint8)
    (folder / "digits.bin").write_bytes(rows.tobytes())
    accuracy = network.score(held_out / BRIGHTEST, held_out_digits)
    print(f"{len(train)} images learnt, {accuracy:.1%} of {len(held_out)} others right")


def to_onnx(network: MLPClassifier) -> onnx.ModelProto:
    """Writes the network as ONNX: `pixels` in, `digit` and `probabilities` out, any batch size."""
    constants = {"brightest": np.array(BRIGHTEST, np.float32)}
    nodes = [helper.make_node("Div", ["pixels", "brightest"], ["layer0"])]
    last = len(network.coefs_) - 1
    for index, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        constants[f"weights{index}"] = weights.astype(np.float32)
        constants[f"bias{index}"] = bias.astype(np.float32)
        inputs = [f"layer{index}", f"weights{index}", f"bias{index}"]
        nodes.append(helper.make_node("Gemm", inputs, [f"sum{index}"]))
        if index < last:
            nodes.append(helper.make_node("Relu", [f"sum{index}"], [f"layer{index + 1}"]))
    scores = f"sum{last}"
    nodes += [
        helper.make_node("ArgMax", [scores], ["digit"], axis=1, keepdims=0),
        helper.make_node("Softmax", [scores], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["images", 64])],
        [
            helper.make_tensor_value_info("digit", TensorProto.INT64, ["images"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["images", 10]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
