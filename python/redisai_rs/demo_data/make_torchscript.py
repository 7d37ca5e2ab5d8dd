"""Makes digits.pt of digits.onnx; needs numpy, onnx and torch.

    python make_torchscript.py [FOLDER]

The weights are those of the ONNX model, so that both say the same. `pixels` FLOAT [n, 64] goes in;
`digit` INT64 [n] and `probabilities` FLOAT [n, 10] come out.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

HERE = Path(__file__).parent


class Digits(torch.nn.Module):
    """The network of digits.onnx."""

    def __init__(self) -> None:
        super().__init__()
        for each in onnx.load(HERE / "digits.onnx").graph.initializer:
            values = torch.from_numpy(np.array(numpy_helper.to_array(each)))
            self.register_buffer(each.name, values)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gives digits and probabilities."""
        layer = pixels / self.brightest
        layer = torch.relu(layer @ self.weights0 + self.bias0)
        scores = layer @ self.weights1 + self.bias1
        return scores.argmax(1), scores.softmax(1)


def main(folder: Path) -> None:
    """Writes the file."""
    torch.jit.script(Digits().eval()).save(str(folder / "digits.pt"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
