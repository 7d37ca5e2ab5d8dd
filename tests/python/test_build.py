"""The build: bindgen's variables, staging, and what is said about tools that are missing."""

import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def native(monkeypatch):
    """build_backend/native.py, which is no part of the package."""
    for name in ("LIBCLANG_PATH", "BINDGEN_EXTRA_CLANG_ARGS", "REDISAI_GIT_SHA"):
        monkeypatch.delenv(name, raising=False)
    spec = importlib.util.spec_from_file_location("native", ROOT / "build_backend" / "native.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_env_is_what_bindgen_needs(native):
    env = native.build_env()
    assert list(Path(env["LIBCLANG_PATH"]).glob("libclang.so*"))
    headers = env["BINDGEN_EXTRA_CLANG_ARGS"].removeprefix("-isystem ")
    assert (Path(headers) / "stddef.h").is_file()


def test_env_keeps_what_the_user_has_set(native, monkeypatch):
    monkeypatch.setenv("LIBCLANG_PATH", "/theirs")
    monkeypatch.setenv("REDISAI_GIT_SHA", "theirs")
    assert native.build_env() == {}


def test_env_is_for_a_shell(native):
    command = f'eval "$({sys.executable} {native.__file__} env)" && echo "$LIBCLANG_PATH"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == native.build_env()["LIBCLANG_PATH"]


def test_a_library_in_use_is_replaced_not_overwritten(native, tmp_path):
    source, target = tmp_path / "built.so", tmp_path / "lib" / "redisai.so"
    source.write_text("old")
    native.place(source, target)
    with target.open() as mapped:
        source.write_text("new, and longer")
        native.place(source, target)
        assert mapped.read() == "old"
    assert target.read_text() == "new, and longer"
    assert stat.S_IMODE(target.stat().st_mode) == 0o755
    assert [path.name for path in target.parent.iterdir()] == ["redisai.so"]


@pytest.mark.parametrize(
    ("site_packages", "noted"),
    [
        ("/home/me/env/lib/python3.11/site-packages", True),
        ("/root/.cache/uv/builds-v0/.tmpAb/lib/python3.11/site-packages", False),
        ("/tmp/pip-build-env-xyz/overlay/lib/python3.11/site-packages", False),
    ],
)
def test_only_a_lasting_environment_is_written_down(
    native, tmp_path, monkeypatch, site_packages, noted
):
    monkeypatch.setattr(native, "LIB", tmp_path)
    monkeypatch.setattr(native.sysconfig, "get_path", lambda _: site_packages)
    note = tmp_path / "site-packages.txt"
    note.write_text("/an/older/one\n")
    native.note_site_packages()
    assert note.exists() == noted
    assert not noted or note.read_text() == f"{site_packages}\n"


@pytest.fixture
def tools(tmp_path):
    """A PATH with nothing but what the script itself uses, and a way to run the script on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "dirname", "sed", "sort", "head", "cut", "printf"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)

    def add(name: str, script: str = "exit 0") -> None:
        (folder / name).write_text(f"#!{shutil.which('sh')}\n{script}\n")
        (folder / name).chmod(0o755)

    def check(python: str = sys.executable) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "scripts" / "check-tools.sh", python],
            env={"PATH": str(folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    check.add = add
    return check


def test_each_missing_tool_is_one_line_with_what_to_type(tools):
    done = tools("python3")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(" is missing")[0] for line in lines] == [
        "cargo",
        "a C compiler",
        "a C++ compiler",
        "python3",
    ]
    for line in lines:
        assert re.search(r"`(apt-get install|curl) .+`", line), line


def test_too_old_is_told_with_the_minimum(tools):
    for name in ("cargo", "cc", "c++"):
        tools.add(name)
    tools.add("rustc", "echo rustc 1.9.0")
    tools.add("python3.10", 'case "$*" in --version) echo Python 3.10.1;; *) exit 1;; esac')
    done = tools("python3.10")
    assert done.returncode == 1
    rust, python = done.stderr.splitlines()
    minimum = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
    assert f"Rust 1.9.0 is too old, {minimum['rust-version']} is the minimum" in rust
    assert "Python 3.10.1 is too old, 3.11 is the minimum" in python


def test_enough_is_silent(tools):
    for name in ("cargo", "cc", "c++"):
        tools.add(name)
    tools.add("rustc", "echo rustc 1.100.0")
    done = tools()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_make_lists_its_targets():
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^  make (\S+)  ", done.stdout, re.MULTILINE)
    promised = "help demo build test test-servers soak fuzz bench lint fmt docs clean".split()
    assert set(promised) <= set(targets)
    assert len((ROOT / "Makefile").read_text().splitlines()) <= 90


def test_ci_runs_what_the_readme_says():
    readme = (ROOT / "README.md").read_text()
    start = readme.index("## Quick start")
    blocks = re.findall(r"```sh\n(.*?)```", readme[start : readme.index("## Install")], re.DOTALL)
    assert blocks == ["make demo\n", "make test\n"]
    run = ROOT / ".ci" / "run"
    assert os.access(run, os.X_OK)
    assert run.read_text().splitlines()[-1] == "exec make test"
