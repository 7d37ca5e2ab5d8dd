"""The tables of migrating-from-redisai-py.md: both columns are run, and say the same."""

from __future__ import annotations

import dataclasses
import pickle
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import digits
import numpy
import pytest
from redisai_rs import Client
from redisai_rs.testing import Server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "migrating-from-redisai-py.md"
# setuptools: redisai-py imports its pkg_resources. NumPy: it calls what 2.3 has taken away.
OLD_CLIENT = ["redisai==1.3.0", "setuptools<81", "numpy<2.3"]
ENTRY = """
def double(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0] * 2
"""


def rows(heading: str) -> list[tuple[str, str]]:
    """The first two pieces of code in each row of the table below a heading."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [(found[0], found[1]) for line in lines if (found := re.findall("`([^`]+)`", line))]


@pytest.fixture(scope="module")
def old_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has redisai-py, which cannot be installed beside a redis-py of today."""
    uv = Path(sys.executable).with_name("uv")
    uv = uv if uv.exists() else Path(shutil.which("uv") or pytest.skip("uv is missing"))
    folder = tmp_path_factory.mktemp("redisai-py")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    command = [uv, "pip", "install", "--quiet", "--python", python, *OLD_CLIENT]
    subprocess.run(command, check=True)
    return python


@pytest.fixture
def names() -> dict[str, Any]:
    """What the calls name."""
    images = numpy.frombuffer(digits.pixels(digits.rows()[:5]), numpy.float32)
    return {
        "array": images.reshape(5, 64),
        "blob": digits.blob("digits.onnx"),
        "graph": digits.blob("digits.pb"),
        "source": ENTRY,
        "old_source": "def double(x):\n    return x * 2\n",
    }


def by_redisai_py(
    python: Path, port: int, calls: Sequence[str], names: dict[str, Any], folder: Path
) -> list[Any]:
    asked, told = folder / "asked", folder / "told"
    asked.write_bytes(pickle.dumps((list(calls), names)))
    program = Path(__file__).with_name("redisai_py.py")
    # Our variables say where this package is: the other Python's own packages are wanted.
    command = [python, "-I", program, str(port), asked, told]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(pickle.loads(told.read_bytes()))


def dumped(server: Server) -> dict[bytes, bytes]:
    """Each key and its value as the server would save it."""
    client = server.client()
    return {key: client.dump(key) for key in client.scan_iter()}


@pytest.fixture
def fresh(make_server: Callable[..., Server]) -> Callable[[], Server]:
    """A factory of servers without data."""
    return lambda: make_server(module_args=["LOADBACKEND", "any"])


@pytest.mark.slow
def test_both_columns_say_the_same(
    old_python: Path,
    fresh: Callable[[], Server],
    names: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for form in ("digits.onnx", "digits.pb"):
        shutil.copy(digits.DATA / form, tmp_path)
    monkeypatch.chdir(tmp_path)
    old_calls, new_calls = zip(*rows("Calls"), strict=True)
    assert len(new_calls) > 35
    old, new = fresh(), fresh()
    expected = by_redisai_py(old_python, old.port, old_calls, names, tmp_path)
    with Client(new.url) as client:
        for call, wanted in zip(new_calls, expected, strict=True):
            found = eval(call, {"client": client, "numpy": numpy} | names)  # noqa: S307 (our page)
            assert plain(found) == plain(wanted), call
    assert len(dumped(old)) > 10
    assert dumped(new) == dumped(old)


FIELDS = {"type", "backend", "device", "tag", "inputs", "outputs", "blob", "source", "key"}
FIELDS |= {"dtype", "shape", "samples", "calls", "errors"}


def plain(value: Any) -> Any:
    """A result of either client in terms that can be compared."""
    if isinstance(value, numpy.ndarray):
        return str(value.dtype), value.shape, value.tolist()
    if value in ("OK", None):
        return None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(one) for name, one in found.items() if one is not None} | ran(found)
    if isinstance(value, dict):
        renamed = dict(rows("Results"))
        assert set(value) <= FIELDS | set(renamed)
        if "minbatchtimeout" in value:
            value = value | {"minbatchtimeout": value["minbatchtimeout"] / 1000}
        found = {renamed.get(name, name): one for name, one in value.items()}
        return {name: plain(one) for name, one in found.items()} | ran(found)
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value.decode() if isinstance(value, bytes) and len(value) < 100 else value


def ran(found: dict[str, Any]) -> dict[str, Any]:
    """How long a run took is no matter, but that it took some time."""
    return {"duration_us": found["duration_us"] > 0} if "duration_us" in found else {}
