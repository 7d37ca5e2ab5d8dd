"""`redisai-rs serve`: a server with the module, in the foreground."""

from __future__ import annotations

import argparse
import os
import select
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

import redisai_rs
from redisai_rs import servers
from redisai_rs._resp import Connection
from redisai_rs.backends import Backend, discover, ensure_shims
from redisai_rs.exceptions import Error, ReplyError, ServerError
from redisai_rs.testing.waiting import wait_until

if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]

HOST, PORT = "127.0.0.1", 6379
# Loading a big data set takes as long as it takes; the user sees the server's log and can end it.
_READY_TIMEOUT = 24 * 3600.0


def add(verbs: Verbs) -> None:
    """Adds the verb."""
    parser = verbs.add_parser(
        "serve",
        help="run a server with the module",
        usage="redisai-rs serve [-h] [--server PATH] [--port PORT] [-- SERVER_ARGUMENT ...]",
        description=f"Runs a Redis or Valkey server with the module, on {HOST}:{PORT} unless told"
        " otherwise, until it is ended by Ctrl-C, SIGTERM or SHUTDOWN. Once it answers, one line on"
        " stdout tells its address, its version and the backends; its log goes to stderr.",
        epilog="What follows `--` goes to the server as it is: a configuration file, then options,"
        " as in `redisai-rs serve -- --appendonly yes`. A server keeps its data where it was"
        " started, unless `--dir` says otherwise.",
    )
    parser.add_argument(
        "--server",
        metavar="PATH",
        help="the server's binary; by default redis-server or valkey-server on PATH, else the"
        f" embedded one ({servers.EMBEDDED})",
    )
    parser.add_argument("--port", type=_port, help=f"TCP port (default: {PORT})")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> NoReturn:
    """Becomes the server, so that signals, process number and exit status are the server's own."""
    binary = servers.find(options.server)
    command, port = command_line(binary, options.port, options.rest)
    _build_shims()
    _tell_when_ready(binary, port)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.execv(command[0], command)


def _build_shims() -> None:
    """What the backends need is built before the server starts, which never does it itself."""
    try:
        ensure_shims(lambda line: print(f"redisai-rs: {line}", file=sys.stderr, flush=True))
    except Error as error:
        # Everything else works.
        print(f"redisai-rs: {error}", file=sys.stderr, flush=True)


def command_line(
    binary: servers.ServerBinary, port: int | None, rest: list[str]
) -> tuple[list[str], int]:
    """Gives the server's command line and the port that it will listen on.

    A configuration file has to come first, and what the user says last, since the last one wins.
    """
    file, options = ([], rest) if not rest or rest[0].startswith("--") else (rest[:1], rest[1:])
    ours = ["--loadmodule", str(redisai_rs.module_path())]
    if not file:
        ours += ["--bind", HOST]
    if port is not None or not file:
        ours += ["--port", str(port or PORT)]
    effective = port or PORT
    if file and port is None:
        effective = _port_of_file(file[0])
    for name, value in pairwise(options):
        if name == "--port":
            effective = int(value) if value.isdigit() else effective
    return [str(binary.path), *file, *ours, *options], effective


def ready_line(binary: servers.ServerBinary, port: int, pid: int) -> str:
    """What is printed once the server answers."""
    backends = ", ".join(map(_describe, discover())) or "none"
    return (
        f"redisai-rs {redisai_rs.__version__} ready on {binary} at redis://{HOST}:{port}"
        f" (pid {pid}); backends: {backends}"
    )


def _describe(backend: Backend) -> str:
    framework = f" ({backend.framework_version})" if backend.framework_version else ""
    return f"{backend.name}{framework}" if backend.usable else f"{backend.name} (not usable)"


def _tell_when_ready(binary: servers.ServerBinary, port: int) -> None:
    """Leaves a process behind that prints the ready line once this one, as a server, answers.

    It is no child of the server, which would wonder about it. It holds the reading end of a pipe
    and the server the other, so that it notices when the server ends.
    """
    server = os.getpid()
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(reader)
        os.set_inheritable(writer, True)
        os.waitpid(child, 0)
        return
    if os.fork():
        os._exit(0)
    try:
        os.close(writer)
        wait_until(lambda: _answers(server, port, reader), "the server", timeout=_READY_TIMEOUT)
        print(ready_line(binary, port, server), flush=True)
    except Error as error:
        print(f"redisai-rs: {error}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        pass  # Ctrl-C reaches the server too, and that is what it is for
    finally:
        os._exit(0)


def _answers(server: int, port: int, alive: int) -> bool:
    if select.select([alive], [], [], 0)[0]:
        raise ServerError("the server ended before it was ready: its messages say why")
    try:
        with Connection((HOST, port), timeout=1) as connection:
            connection.execute("PING")
            info = connection.execute("INFO", "server")
    except ReplyError as error:
        return str(error).startswith("NOAUTH")
    except OSError:
        return False
    # Another server may have the port; ours is about to end then.
    return isinstance(info, bytes) and f"process_id:{server}\r\n".encode() in info


def _port_of_file(path: str) -> int:
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            words = [line.split() for line in lines]
    except OSError as error:
        raise ServerError(f"cannot read {path}: {error.strerror}") from error
    ports = [line[1] for line in words if len(line) > 1 and line[0].lower() == "port"]
    return int(ports[-1]) if ports and ports[-1].isdigit() else PORT


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no TCP port")
    return int(text)
