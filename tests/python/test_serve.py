"""`redisai-rs serve` and `redisai-rs demo`."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from redisai_rs._resp import Connection
from redisai_rs.testing import free_port, wait_until

COMMAND = [sys.executable, "-m", "redisai_rs.cli"]


@pytest.fixture
def serve(tmp_path, server_binary):
    """Starts `redisai-rs serve` in a directory of its own."""
    started = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [*COMMAND, "serve", "--server", str(server_binary.path), *arguments]
        log = (tmp_path / "log").open("w")
        with log:
            process = subprocess.Popen(
                command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=log, text=True
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_ready_line_and_commands(serve, server_binary):
    port = free_port()
    process = serve("--port", str(port))
    line = process.stdout.readline()
    assert re.match(rf"redisai-rs \S+ ready on {server_binary} at redis://127.0.0.1:{port} ", line)
    assert f"(pid {process.pid})" in line
    assert re.search(r"backends: .*\bONNX \(\d+\.\d+\.\d+\)", line)
    with Connection(("127.0.0.1", port)) as connection:
        assert connection.execute("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 2) == b"OK"
        modules = connection.execute("MODULE", "LIST")
        assert any(b"ai" in module for module in modules)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    # Nothing but the one line came on stdout: the server's log goes to stderr.
    assert process.stdout.read() == ""


def test_ctrl_c_ends_it(serve):
    process = serve("--port", str(free_port()))
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0


def test_arguments_go_to_the_server_as_they_are(serve, tmp_path):
    port = free_port()
    process = serve("--", "--port", str(port), "--appendonly", "yes", "--maxmemory", "100mb")
    assert f":{port} " in process.stdout.readline()
    with Connection(("127.0.0.1", port)) as connection:
        assert connection.execute("CONFIG", "GET", "appendonly") == [b"appendonly", b"yes"]
        assert connection.execute("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"104857600"]
    assert list(tmp_path.glob("append*"))


def test_a_configuration_file_may_come_first(serve, tmp_path):
    port = free_port()
    file = tmp_path / "redis.conf"
    file.write_text(f"# a comment\nport {port}\nmaxmemory 50mb\nsave ''\n")
    process = serve("--", str(file), "--maxclients", "77")
    assert f":{port} " in process.stdout.readline()
    with Connection(("127.0.0.1", port)) as connection:
        assert connection.execute("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"52428800"]
        assert connection.execute("CONFIG", "GET", "maxclients") == [b"maxclients", b"77"]


def test_a_password_does_not_hide_that_it_is_ready(serve):
    process = serve("--port", str(free_port()), "--", "--requirepass", "secret")
    assert "ready on" in process.stdout.readline()


def test_a_taken_port_is_told(serve, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = serve("--port", str(taken.getsockname()[1]))
        assert process.wait(60) != 0
        told = "redisai-rs: the server ended before it was ready"
        wait_until(lambda: told in (tmp_path / "log").read_text(), "the error line")
    assert process.stdout.read() == ""


def test_a_server_that_is_none_is_one_line(cli):
    done = cli("serve", "--server", "/nonexistent/redis-server")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("redisai-rs: no server at /nonexistent/redis-server")


@pytest.mark.parametrize("backend", ["onnx", "torch", "tf", "tflite"])
def test_demo_classifies_real_digits_and_leaves_nothing(cli, tmp_path, backend):
    done = cli("demo", "--backend", backend, TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    # All four frameworks get 438 of them right with this model in Python.
    assert "438 of 450 unseen images right (97.3%)" in done.stdout
    assert re.search(r"predicted 0\s+predicted \d", done.stdout)
    assert re.search(r"written 0\s+written \d", done.stdout)
    assert re.search(r": \d+ µs \(median of \d+\)", done.stdout)
    assert list(tmp_path.iterdir()) == []
    port = int(re.search(r"on port (\d+)", done.stdout).group(1))
    with pytest.raises(ConnectionRefusedError):
        Connection(("127.0.0.1", port))


def processes_in(folder):
    """Processes that work in a folder, or did before it was removed."""
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if os.readlink(link).startswith(str(folder)):
                found.append(link.parent.name)
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("when", ["*", "*/server.conf", "*/server.log"])
def test_an_interrupted_demo_leaves_nothing(tmp_path, how, when):
    env = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen([*COMMAND, "demo"], env=env, stdout=subprocess.PIPE)
    wait_until(lambda: list(tmp_path.glob(when)), "the server's start")
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode in {0, 130}
    assert list(tmp_path.iterdir()) == []
    assert processes_in(tmp_path) == []


def test_a_killed_demo_leaves_no_server(tmp_path):
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not installed")
    env = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen([*COMMAND, "demo"], env=env, stdout=subprocess.DEVNULL)
    wait_until(lambda: list(tmp_path.glob("*/server.log")), "the server's start")
    process.kill()
    process.wait()
    wait_until(lambda: not processes_in(tmp_path), "the end of the server")
