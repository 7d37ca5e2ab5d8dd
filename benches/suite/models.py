"""The models of the performance targets: random weights, a dynamic first dimension."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
# Of opset 17's time, so that every ONNX Runtime since 1.20 reads it.
IR_VERSION = 8


@dataclass(frozen=True)
class Model:
    """A model in a file, and one sample."""

    name: str
    path: Path
    shape: tuple[int, ...]
    """Of one sample, the first dimension (1) included."""
    output: int
    """Elements of a sample's output."""

    @property
    def blob(self) -> bytes:
        return self.path.read_bytes()

    @property
    def input(self) -> np.ndarray:
        return np.random.default_rng(7).standard_normal(self.shape, dtype=np.float32)


class Graph:
    """Nodes and weights as they are added, one after the other."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(1)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.last = "x"

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        fan_in = int(np.prod(shape[1:])) or 1
        values = self.random.standard_normal(shape) * np.sqrt(2 / fan_in)
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))
        return name

    def node(self, operator: str, *weights: str, **attributes: object) -> None:
        output = f"v{len(self.nodes)}"
        inputs = [self.last, *weights]
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        self.last = output

    def linear(self, inputs: int, outputs: int) -> None:
        self.node("Gemm", self.weight(outputs, inputs), self.weight(outputs), transB=1)

    def conv(self, inputs: int, outputs: int, kernel: int, stride: int, group: int = 1) -> None:
        weights = (self.weight(outputs, inputs // group, kernel, kernel), self.weight(outputs))
        pads = [kernel // 2] * 4
        self.node("Conv", *weights, strides=[stride, stride], pads=pads, group=group)
        self.node("Relu")

    def save(self, path: Path, sample: tuple[int, ...], output: int) -> None:
        self.node("Identity")
        self.nodes[-1].output[0] = "y"
        make = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            path.stem,
            [make("x", TensorProto.FLOAT, ["N", *sample[1:]])],
            [make("y", TensorProto.FLOAT, ["N", output])],
            self.weights,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(model.SerializeToString())


def perceptron(graph: Graph, *widths: int) -> None:
    """A multilayer perceptron."""
    for inputs, outputs in itertools.pairwise(widths):
        graph.linear(inputs, outputs)
        if outputs != widths[-1]:
            graph.node("Relu")


def mobilenet(graph: Graph) -> None:
    """MobileNetV1 at 224x224 without its normalisations: 0.57 GMAC."""
    graph.conv(3, 32, kernel=3, stride=2)
    blocks = [(32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2)]
    blocks += [(512, 512, 1)] * 5 + [(512, 1024, 2), (1024, 1024, 1)]
    for inputs, outputs, stride in blocks:
        graph.conv(inputs, inputs, kernel=3, stride=stride, group=inputs)
        graph.conv(inputs, outputs, kernel=1, stride=1)
    graph.node("GlobalAveragePool")
    graph.node("Flatten", axis=1)
    graph.linear(1024, 1000)


def large(folder: Path, size: int) -> Path:
    """Writes a model of about so many bytes and gives its path."""
    width = 3200
    layers = max(size // (4 * width * width), 1)
    graph = Graph()
    perceptron(graph, *[width] * (layers + 1))
    path = folder / "large.onnx"
    graph.save(path, (1, width), width)
    return path


def make(folder: Path) -> dict[str, Model]:
    """Writes all models into a folder, the same bytes each time."""
    plans: list[tuple[str, tuple[int, ...], int, Callable[[Graph], None]]] = [
        ("tiny", (1, 256), 2, lambda graph: perceptron(graph, 256, 64, 32, 2)),
        ("mlp", (1, 1024), 1024, lambda graph: perceptron(graph, 1024, 2048, 2048, 1024)),
        ("conv", (1, 3, 224, 224), 1000, mobilenet),
    ]
    models = {}
    for name, shape, output, build in plans:
        graph = Graph()
        build(graph)
        path = folder / f"{name}.onnx"
        graph.save(path, shape, output)
        models[name] = Model(name, path, shape, output)
    return models
