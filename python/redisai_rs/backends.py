"""The backends: their libraries beside the module, and the frameworks that they need."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

from redisai_rs.paths import LIB


@dataclass(frozen=True)
class Backend:
    """What was found of a backend."""

    name: str
    """As commands name it: `ONNX`."""
    library: str
    """Path of our library."""
    framework: str
    """Path of the framework, empty where it was not found."""
    framework_version: str
    """Version of the framework, empty where it was not found."""
    problem: str
    """Why it cannot run and what to do, in one line; empty where it can."""

    @property
    def usable(self) -> bool:
        """Whether it can run."""
        return not self.problem


def discover() -> list[Backend]:
    """Looks for every backend of this package."""
    library = LIB / "backends/redisai_onnxruntime/redisai_onnxruntime.so"
    try:
        version = importlib.metadata.version("onnxruntime")
    except importlib.metadata.PackageNotFoundError:
        return [Backend("ONNX", str(library), "", "", "pip install onnxruntime")]
    return [Backend("ONNX", str(library), "", version, "")]
