"""What the measurements of torch need in processes of their own.

python torch_reference.py make MODEL.onnx MODEL.pt          the same weights in TorchScript
python torch_reference.py engine MODEL SECONDS              one run, through the backend's library
python torch_reference.py libtorch MODEL.pt SECONDS BATCH   libtorch alone, one thread

The last two print what `Loaded` has. Each imports only what it needs: a second torch is refused.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from timing import measure

warnings.simplefilter("ignore")


def make(source: Path, target: Path) -> None:
    """A perceptron of ONNX as a traced module."""
    import onnx  # noqa: PLC0415 (as said above)
    import torch  # noqa: PLC0415 (as said above)
    from onnx import numpy_helper  # noqa: PLC0415 (as said above)

    graph = onnx.load(source).graph
    weights = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    layers: list[torch.nn.Module] = []
    for node in graph.node:
        if node.op_type == "Relu":
            layers.append(torch.nn.ReLU())
        elif node.op_type == "Gemm":
            weight, bias = (torch.from_numpy(weights[name].copy()) for name in node.input[1:])
            linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
            linear.load_state_dict({"weight": weight, "bias": bias})
            layers.append(linear)
    first = next(layer for layer in layers if isinstance(layer, torch.nn.Linear))
    model = torch.nn.Sequential(*layers).eval()
    torch.jit.trace(model, torch.zeros(2, first.in_features)).save(str(target))


def engine(path: Path, seconds: float) -> dict[str, float]:
    """One row, through the same backend library as in the server."""
    import redisai_rs  # noqa: PLC0415 (as said above)

    with redisai_rs.Engine(intra_op_threads=1) as made:
        model = made.load(path)
        row = np.random.default_rng(7).standard_normal((1, 256), dtype=np.float32)
        return measure(lambda: model.run(row), 1, seconds)


def libtorch(path: Path, seconds: float, batch: int) -> dict[str, float]:
    """A batch, again and again."""
    import torch  # noqa: PLC0415 (as said above)

    torch.set_num_threads(1)
    model = torch.jit.load(str(path))
    width = next(model.parameters()).shape[1]
    rows = torch.randn(batch, width)
    with torch.inference_mode():
        return measure(lambda: model(rows), batch, seconds)


if __name__ == "__main__":
    what, first, second = sys.argv[1:4]
    if what == "make":
        make(Path(first), Path(second))
    elif what == "engine":
        print(json.dumps(engine(Path(first), float(second))))
    else:
        print(json.dumps(libtorch(Path(first), float(second), int(sys.argv[4]))))
