"""`redisai-rs backend build torch`: the shim, its name, and why it cannot be built."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from redisai_rs import backends, torch_shim

VERSION_HEADER = "#define TORCH_VERSION_MAJOR 2\n#define TORCH_VERSION_MINOR 99\n"


@pytest.fixture
def shim(tmp_path):
    """A shim of a few bytes, for a torch of which only the version is there."""
    sources, torch = tmp_path / "shim", tmp_path / "torch"
    (torch / "include" / "torch" / "headeronly").mkdir(parents=True)
    (torch / "include" / "torch" / "headeronly" / "version.h").write_text(VERSION_HEADER)
    sources.mkdir()
    (sources / "flags.txt").write_text("-shared\n-fPIC\n")
    (sources / "shim.cpp").write_text("int nothing;\n")
    return torch_shim.Shim(sources, torch)


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    """A compiler that writes down its command line and copies the source."""
    path = tmp_path / "mycxx"
    script = 'echo run >> "$0.log"\nwhile [ "$1" != -o ]; do shift; done\necho built > "$2"\n'
    path.write_text(f"#!/bin/sh\n{script}")
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))
    return path


def test_a_shim_is_built_once_and_only_its_owner_may_write_it(shim, compiler, tmp_path):
    said = []
    built = torch_shim.build(shim, tmp_path / "cache", said.append)
    assert built.read_text() == "built\n"
    assert built.name.startswith("redisai_torch_shim-2.99-")
    for path in (built, built.parent):
        assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0
    assert any("torch 2.99" in line for line in said)
    assert torch_shim.build(shim, tmp_path / "cache") == built
    assert Path(f"{compiler}.log").read_text() == "run\n"


def test_another_source_is_another_file(shim):
    before = shim.name()
    (shim.sources / "flags.txt").write_text("-shared\n")
    assert shim.name() != before


def test_no_compiler_is_one_line_with_what_to_type(shim, tmp_path, monkeypatch):
    monkeypatch.setenv("CXX", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(torch_shim.ShimError) as caught:
        torch_shim.build(shim, tmp_path / "cache")
    text = str(caught.value)
    assert "\n" not in text
    assert "apt-get install g++" in text
    assert "redisai-rs backend build torch" in text


def test_a_compiler_that_fails_leaves_nothing_behind(shim, tmp_path):
    (shim.sources / "shim.cpp").write_text("no C++\n")
    with pytest.raises(torch_shim.ShimError, match=r"could not build .*error"):
        torch_shim.build(shim, tmp_path / "cache")
    assert list((tmp_path / "cache").glob("*.so*")) == []


def test_headers_of_an_old_torch_are_told(shim, tmp_path):
    (shim.torch / "include" / "torch" / "headeronly" / "version.h").unlink()
    with pytest.raises(torch_shim.ShimError, match="torch 2.13 or newer"):
        torch_shim.build(shim, tmp_path / "cache")


def test_the_real_one_is_there_after_the_build(cli):
    """`make develop` has built it; the command says where."""
    done = cli("backend", "build", "torch")
    assert done.returncode == 0, done.stderr
    assert "is there already" in done.stdout


def test_without_it_doctor_names_the_command_and_fix_runs_it(cli, tmp_path, compiler):
    done = cli("doctor", XDG_CACHE_HOME=str(tmp_path))
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("NO  backend TORCH")]
    assert "redisai-rs backend build torch" in line
    # The compiler of this test writes no library, which the backend then says.
    done = cli("doctor", "--fix", XDG_CACHE_HOME=str(tmp_path))
    assert "building the shim" in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("NO  backend TORCH")]
    assert "backend build" not in line


def test_the_builder_is_a_script_of_its_own():
    """The Rust tests run it without the package."""
    done = subprocess.run(
        [sys.executable, "-I", torch_shim.__file__, "/none", "/none", "/none"],
        env=dict(os.environ, PYTHONPATH=""),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "version.h is missing" in done.stderr


def test_what_is_not_installed_is_told():
    missing = backends.Backend("TORCH", "/none", "", "", [], "torch was not found in /x")
    with pytest.raises(backends.NotInstalledError, match="not found in /x"):
        backends.build_shim(missing, lambda _: None)
