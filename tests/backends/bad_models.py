"""Good models of TensorFlow and LiteRT in small files, and the same made bad."""

from __future__ import annotations

import io
import random
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

DATA = Path(__file__).resolve().parents[2] / "crates" / "backend-tflite" / "tests" / "data"


@dataclass(frozen=True)
class Sample:
    """A good model; `parts` are the files of an archive, which is `blob`."""

    backend: str
    blob: bytes
    names: tuple[object, ...]
    shape: tuple[int, ...]
    outputs: int = 1
    parts: dict[str, bytes] = field(default_factory=dict)

    def mutated(self, chance: random.Random) -> bytes:
        """A copy with a few bytes that are others, gone, or double; also within an archive."""
        if not self.parts or chance.random() < 0.25:
            return mutated(self.blob, chance)
        parts = dict(self.parts)
        name = chance.choice(sorted(parts))
        parts[name] = mutated(parts[name], chance)
        return zipped(parts) if self.blob.startswith(b"PK") else tarred(parts)


def mutated(blob: bytes, chance: random.Random) -> bytes:
    """Bytes of which some are others, gone, or come twice."""
    out = bytearray(blob)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(out))
        kind = chance.randrange(6)
        if kind < 3:
            out[place] = chance.randrange(256)
        elif kind == 3:
            out[place] ^= 1 << chance.randrange(8)
        elif kind == 4:
            del out[place : place + chance.randint(1, 8)]
        else:
            out[place:place] = out[place : place + chance.randint(1, 8)]
        if not out:
            return b"x"
    return bytes(out)


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def graph_def() -> Sample:
    """Two layers and a softmax."""
    import tensorflow as tf  # noqa: PLC0415 (its import takes seconds)

    numbers = np.random.default_rng(1)
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [None, 4], name="x")
        hidden = tf.nn.relu(x @ tf.constant(numbers.normal(size=(4, 5)), tf.float32))
        total = tf.reduce_sum(tf.reshape(tf.concat([hidden, hidden], 1), [-1, 5, 2]), axis=2)
        tf.nn.softmax(total[:, 1:4], name="y")
    names = ("INPUTS", 1, "x", "OUTPUTS", 1, "y")
    return Sample("TF", graph.as_graph_def().SerializeToString(), names, (2, 4))


def saved_model() -> dict[str, bytes]:
    """The files of a SavedModel with a variable and a function."""
    import tensorflow as tf  # noqa: PLC0415 (its import takes seconds)

    class Line(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.slope = tf.Variable([[2.0, 3.0, 4.0, 5.0]])

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
        def scaled(self, x):
            return {"y": tf.where(x > 0, x, 0.0) * self.slope}

    line = Line()
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(line, folder, {"serving_default": line.scaled})
        files = [path for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def saved_zip() -> Sample:
    parts = saved_model()
    return Sample("TF", zipped(parts), (), (2, 4), parts=parts)


def saved_tar() -> Sample:
    parts = saved_model()
    return Sample("TF", tarred(parts), (), (2, 4), parts=parts)


def tflite() -> Sample:
    return Sample("TFLITE", (DATA / "mlp.tflite").read_bytes(), (), (2, 4), 2)


SAMPLES = {"graph": graph_def, "zip": saved_zip, "tar": saved_tar, "tflite": tflite}
