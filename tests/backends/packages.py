"""Packages of AOTInductor, and the models in them.

python packages.py FOLDER     writes model.pt2, kept.pt2 and, not compiled, program.pt2
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch

ROWS = 64
"""The most rows that the package takes."""


class Two(torch.nn.Module):
    """Two inputs of as many rows; out come a sum, a weight for each row, an input."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(8, 4)

    def forward(
        self, x: torch.Tensor, counts: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        x.add_(1)
        bias = self.linear.bias.expand(x.shape[0], 4)
        return torch.relu(self.linear(x)) + counts.float(), bias, counts


class Kept(torch.nn.Module):
    """Gives its weight as it lies, and a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(6.0).reshape(2, 3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.weight, self.weight + x


def example(rows: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(rows)
    return torch.randn(rows, 8), torch.arange(rows * 4).reshape(rows, 4)


def two() -> torch.nn.Module:
    """The model of model.pt2, always with the same weights."""
    torch.manual_seed(7)
    return Two().eval()


def make(folder: Path) -> None:
    """Exports and compiles."""
    rows = torch.export.Dim("rows", max=ROWS)
    dims = ({0: rows}, {0: rows})
    exported = torch.export.export(two(), example(3), dynamic_shapes=dims)
    torch.export.save(exported, str(folder / "program.pt2"))
    kept = torch.export.export(Kept().eval(), (torch.ones(2, 3),))
    for name, program in (("model", exported), ("kept", kept)):
        path = str(folder / f"{name}.pt2")
        torch._inductor.aoti_compile_and_package(program, package_path=path)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
