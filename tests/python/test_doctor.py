"""`redisai-rs doctor`, and what it stands on: `redisai_rs.backends`."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from redisai_rs import backends, module_path
from redisai_rs.cli import main

WHEELS = {
    "ONNX": "onnxruntime",
    "TORCH": "torch",
    "TFLITE": "ai-edge-litert",
    "TF": "tensorflow-cpu",
}
LIBRARIES = {
    "ONNX": "libonnxruntime.so",
    "TORCH": "libtorch_cpu.so",
    "TFLITE": "libLiteRt.so",
    "TF": "libtensorflow_cc.so",
}


@pytest.fixture
def lib(tmp_path):
    """A copy of what lies in the package, to be damaged."""
    shutil.copytree(module_path().parent, tmp_path / "lib")
    return tmp_path / "lib" / "redisai.so"


def onnx_library(module: Path) -> Path:
    return module.parent / "backends" / "redisai_onnxruntime" / "redisai_onnxruntime.so"


def onnx_backend(module: Path) -> backends.Backend:
    (found,) = [backend for backend in backends.discover(module) if backend.name == "ONNX"]
    return found


def test_all_is_well_in_a_complete_environment(cli):
    done = cli("doctor")
    assert done.returncode == 0, done.stdout
    assert done.stderr == ""
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["ok", "module", str(module_path())] in lines
    for backend, wheel in WHEELS.items():
        line = line_of(backend, lines)
        assert line[0] == "ok"
        assert importlib.metadata.version(wheel) in line


def line_of(backend: str, lines: list[list[str]]) -> list[str]:
    (line,) = [line for line in lines if line[1:3] == ["backend", backend]]
    return line


def test_json_says_the_same(cli):
    done = cli("doctor", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["ok"] is True
    assert report["python"]["prefix"] == sys.prefix
    assert {backend["name"] for backend in report["backends"]} == set(WHEELS)
    for backend in report["backends"]:
        wheel, library = WHEELS[backend["name"]], LIBRARIES[backend["name"]]
        assert backend["usable"] is True
        assert backend["framework_version"] == importlib.metadata.version(wheel)
        assert Path(backend["framework"]).name.startswith(library)
        assert any("site-packages" in place for place in backend["searched"])


def test_a_python_without_frameworks_is_told_and_1(cli, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "env"], check=True)
    done = cli("doctor", REDISAI_PYTHON=str(tmp_path / "env"))
    assert done.returncode == 1
    missing = [line for line in done.stdout.splitlines() if line.startswith("NO  backend")]
    for backend in WHEELS:
        (line,) = [line for line in missing if f"backend {backend} " in line]
        assert f"pip install 'redisai-rs[{backend.lower()}]'" in line
        assert str(tmp_path / "env") in line
    report = json.loads(cli("doctor", "--json", REDISAI_PYTHON=str(tmp_path / "env")).stdout)
    assert report["ok"] is False


def test_a_damaged_backend_is_told(lib):
    onnx_library(lib).write_text("not a library")
    onnx = onnx_backend(lib)
    assert not onnx.usable
    assert str(onnx_library(lib)) in onnx.problem


def test_an_older_framework_is_told(lib, tmp_path, monkeypatch):
    """A library with the right name that lacks what is needed: loading it says so."""
    site = tmp_path / "env" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (site / "onnxruntime" / "capi").mkdir(parents=True)
    source = tmp_path / "empty.c"
    source.write_text("int nothing;\n")
    library = site / "onnxruntime" / "capi" / "libonnxruntime.so.1.2.3"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    monkeypatch.setenv("REDISAI_PYTHON", str(tmp_path / "env"))
    onnx = onnx_backend(lib)
    assert onnx.usable
    probed = backends.probe(onnx, lib)
    assert not probed.usable
    assert str(library) in probed.problem
    assert "\n" not in probed.problem


def test_a_backend_that_crashes_ends_only_its_own_process(lib, tmp_path):
    source = tmp_path / "crash.c"
    source.write_text(
        "#include <signal.h>\n"
        "__attribute__((constructor)) static void start(void) { raise(SIGSEGV); }\n"
        "void redisai_backend_v1(void) {}\n"
    )
    subprocess.run(["cc", "-shared", "-fPIC", "-o", onnx_library(lib), source], check=True)
    onnx = onnx_backend(lib)
    probed = backends.probe(onnx, lib)
    assert "SIGSEGV" in probed.problem


def test_no_backend_at_all_is_told(monkeypatch, lib, capsys):
    shutil.rmtree(lib.parent / "backends")
    monkeypatch.setattr("redisai_rs.paths.LIB", lib.parent)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    (lib.parent / "site-packages.txt").unlink(missing_ok=True)
    assert main(["doctor"]) == 1
    assert "NO  backend" in capsys.readouterr().out
