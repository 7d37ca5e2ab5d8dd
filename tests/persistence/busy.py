"""What keeps the workers of each backend busy while a server saves: y = x·W in its own form."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import redis
from onnx_models import get
from persistence.conftest import WEIGHTS, linear


@dataclass(frozen=True)
class Kind:
    """A model or script of a backend."""

    name: str
    blob: bytes
    weights: np.ndarray = field(default_factory=lambda: WEIGHTS)

    def store(self, key: str, tag: object) -> list[Any]:
        """The command that stores it."""
        if self.name == "script":
            words = ["ENTRY_POINTS", 1, "linear", "SOURCE", self.blob]
            return ["AI.SCRIPTSTORE", key, "CPU", "TAG", tag, *words]
        names = ["INPUTS", 1, "x", "OUTPUTS", 1, "y"] if self.name == "TF" else []
        return ["AI.MODELSTORE", key, self.name, "CPU", "TAG", tag, *names, "BLOB", self.blob]

    def run(self, key: str, x: str, y: str) -> list[Any]:
        """The command that runs it; good in a DAG too."""
        words = ["INPUTS", 1, x, "OUTPUTS", 1, y]
        if self.name == "script":
            return ["AI.SCRIPTEXECUTE", key, "linear", *words]
        return ["AI.MODELEXECUTE", key, *words]

    def check(self, client: redis.Redis, y: str, z: str) -> None:
        """Both outputs are of one run, and whole."""
        one, two = get(client, y), get(client, z)
        np.testing.assert_array_equal(one, two)
        # All elements of an input are the same: so is what one run made of it.
        expected = np.full((1, 3), one[0, 0] / self.weights[:, 0].sum()) @ self.weights
        np.testing.assert_allclose(one, expected, rtol=1e-5)


def traced() -> bytes:
    """An archive of TorchScript."""
    with warnings.catch_warnings():
        # TorchScript is deprecated, which is no news here.
        warnings.simplefilter("ignore")
        import torch  # noqa: PLC0415 (its import takes seconds)

        weights = torch.from_numpy(WEIGHTS)
        made = torch.jit.trace(lambda x: x @ weights, torch.ones(1, 3))
        file = io.BytesIO()
        torch.jit.save(made, file)
    return file.getvalue()


def graph() -> bytes:
    """A GraphDef."""
    import tensorflow as tf  # noqa: PLC0415 (its import takes seconds)

    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, [None, 3], name="x")
        tf.matmul(x, tf.constant(WEIGHTS), name="y")
    return made.as_graph_def().SerializeToString()


TFLITE = Path(__file__).resolve().parents[2] / "crates" / "backend-tflite" / "tests" / "data"
SOURCE = b"""
def linear(tensors: List[Tensor], keys: List[str], args: List[str]):
    weights = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    return tensors[0] @ weights
"""
KINDS = {
    "onnx": lambda: Kind("ONNX", linear()),
    "torch": lambda: Kind("TORCH", traced()),
    "tf": lambda: Kind("TF", graph()),
    "tflite": lambda: Kind(
        "TFLITE", (TFLITE / "identity_float.tflite").read_bytes(), np.eye(3, dtype=np.float32)
    ),
    "script": lambda: Kind("script", SOURCE),
}
