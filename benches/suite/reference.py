"""ONNX Runtime in this process, one thread: a program, so that it can be pinned.

python reference.py MODEL BATCH SECONDS     prints what `Loaded` has: samples a second, us

"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import timing


def session(path: Path) -> onnxruntime.InferenceSession:
    """Opens a model with the options that the server's backend uses."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def measure(path: Path, batch: int, seconds: float) -> dict[str, float]:
    """Runs a model again and again."""
    runner = session(path)
    sample = [dim if isinstance(dim, int) else batch for dim in runner.get_inputs()[0].shape]
    feed = {"x": np.random.default_rng(7).standard_normal(sample, dtype=np.float32)}
    return timing.measure(lambda: runner.run(None, feed), batch, seconds)


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))))
