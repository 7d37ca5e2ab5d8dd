"""What the package is made of: wrappers, stubs, wheel and source distribution."""

import inspect
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import redisai_rs
from redisai_rs import _core

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "redisai_rs"


def test_the_stub_is_what_core_is():
    stubtest = Path(sys.executable).with_name("stubtest")
    done = subprocess.run(
        [stubtest, "redisai_rs._core"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "no issues found in 1 module" in done.stdout


def test_everything_in_core_is_wrapped():
    text = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert len(_core.__all__) > 3
    for name in _core.__all__:
        assert f"_core.{name}" in text or f"_core import {name}" in text, name


def test_public_names_are_documented():
    for name in redisai_rs.__all__:
        thing = getattr(redisai_rs, name)
        assert isinstance(thing, str) or inspect.getdoc(thing), name


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The files that git tracks, or would track, without what has been built."""
    folder = tmp_path_factory.mktemp("clone") / "redisai-rs"
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    return folder


def build(folder, kind, out):
    """Builds with the hooks that pip calls, with the dependencies that are compiled already."""
    target = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
    code = f"import backend; print(backend.build_{kind}({str(out)!r}))"
    env = os.environ | {"CARGO_TARGET_DIR": target, "PYTHONPATH": str(folder / "build_backend")}
    path = [str(Path(sys.executable).parent), env["PATH"]]
    env["PATH"] = os.pathsep.join(path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_wheel_of_a_source_distribution_is_complete(clone, tmp_path):
    """Clone -> source distribution -> wheel: nothing is left behind on the way."""
    archive = build(clone, "sdist", tmp_path)
    with tarfile.open(archive) as files:
        files.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    names = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert {"Cargo.lock", "pyproject.toml", "build_backend/backend.py", "README.md"} <= names
    assert "crates/module/src/lib.rs" in names
    assert not [name for name in names if name.endswith(".so")]

    wheel = build(source, "wheel", tmp_path)
    assert "-cp311-abi3-linux_" in wheel.name
    with zipfile.ZipFile(wheel) as files:
        modes = {entry.filename: entry.external_attr >> 16 for entry in files.infolist()}
        metadata = next(name for name in modes if name.endswith(".dist-info/METADATA"))
        text = files.read(metadata).decode()
    lib = "redisai_rs/lib"
    backends = ("onnxruntime", "torch", "tflite", "tensorflow")
    libraries = {f"{lib}/redisai.so"} | {
        f"{lib}/backends/redisai_{name}/redisai_{name}.so" for name in backends
    }
    for library in libraries:
        assert modes[library] & 0o111 == 0o111, library
    # What else is there is the source of torch's shim.
    shim = f"{lib}/backends/redisai_torch/shim/"
    assert f"{shim}shim.cpp" in modes
    found = {name for name in modes if name.startswith(lib) and not name.startswith(shim)}
    assert found == libraries
    wanted = ["_core.abi3.so", "_core.pyi", "py.typed", "pytest_plugin.py"]
    wanted += [
        "demo_data/digits.onnx",
        "demo_data/digits.pt",
        "demo_data/digits.bin",
        "demo_data/README.md",
    ]
    assert {f"redisai_rs/{name}" for name in wanted} <= set(modes)
    assert any(name.endswith("licenses/LICENSE-MIT") for name in modes)
    assert "Requires-Python: >=3.11" in text
    assert "License-Expression: MIT OR Apache-2.0" in text
    for extra in ("onnx", "torch", "tf", "tflite", "server", "client", "all", "test"):
        assert f"Provides-Extra: {extra}\n" in text
