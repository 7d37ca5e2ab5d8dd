"""The child of a server that saves, and the files that it writes."""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from redisai_rs.testing import Server, wait_until

# Microseconds for each key: so that a child lives until the test has looked at it.
# All of them are killed by their tests.
SLOW = {"rdb-key-save-delay": 2_000_000}


def child(server: Server) -> int:
    """Waits for the child that saves, and gives its number."""
    path = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    return int(wait_until(lambda: path.read_text().split(), "the child that saves")[0])


def ended(number: int) -> bool:
    """Whether that process has ended; its parent may not have asked yet."""
    try:
        return ") Z " in Path(f"/proc/{number}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextlib.contextmanager
def stopped_child(server: Server) -> Iterator[int]:
    """The child stands still; at the end it is killed, if it is still there."""
    number = child(server)
    os.kill(number, signal.SIGSTOP)
    try:
        yield number
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
        # It has the server's sockets too: the port is free when it has ended.
        wait_until(lambda: ended(number), "the child's end")


def aof_files(server: Server) -> list[Path]:
    """The files of the append-only log, the oldest first; without the manifest."""
    files = [path for path in server.directory.rglob("*.aof*") if path.is_file()]
    return sorted(path for path in files if path.suffix != ".manifest")


def commands(data: bytes) -> list[list[bytes]]:
    """The commands of an append-only file without a preamble, or of a stream of replication."""
    stream, found = io.BytesIO(data), []
    while line := stream.readline():
        if not line.startswith(b"*"):
            # Valkey and Redis 7 write notes of the time.
            assert line.startswith(b"#"), line
            continue
        words = []
        for _ in range(int(line[1:])):
            size = int(stream.readline()[1:])
            words.append(stream.read(size + 2)[:-2])
        found.append(words)
    return found


def rewrite(server: Server) -> None:
    """Rewrites the append-only file and waits for the end."""
    done = "Background AOF rewrite finished successfully"
    before = server.log_text().count(done)
    server.execute("BGREWRITEAOF")
    wait_until(lambda: server.log_text().count(done) > before, "the rewrite")
    state = server.info("persistence")
    assert state["aof_last_bgrewrite_status"] == "ok"
    assert state["aof_last_write_status"] == "ok"
