"""Commands that a test holds in flight: a gate inside the mock backend, and a reply read later."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from redisai_rs.testing import DEADLINE, Server, wait_until

# Nothing but the test ends a held run: the usual limit of 5 s could pass on a loaded machine.
NO_LIMIT = ["MODEL_EXECUTION_TIMEOUT", 3_600_000]

# What a client is told whose run cannot be applied any more.
MOVED = "ERR the server became a replica or the key's slot moved while the command ran: nothing was"


class Gate:
    """A FIFO at which a model of the mock waits, in its runs or while it is built."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self.run_text = f"gate {path}"
        self.load_text = f"gate-load {path}"
        self._writer: int | None = None

    def reached(self) -> None:
        """Waits until a run, or a build, stands at the gate."""
        assert self._writer is None
        self._writer = wait_until(self._open_writer, f"a run at {self.path.name}")

    def open(self) -> None:
        """Lets go what stands at the gate. What comes later waits again."""
        if self._writer is None:
            self.reached()
        assert self._writer is not None
        # Later runs find a FIFO of their own: a run that is let go keeps this one open for a moment
        # more, and would be taken for one that has just come.
        later = self.path.with_name(f"{self.path.name}.later")
        os.mkfifo(later)
        later.rename(self.path)
        os.close(self._writer)
        self._writer = None

    def close(self) -> None:
        """At the end of a test, whatever its state."""
        if self._writer is None:
            self._writer = self._open_writer()
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    def _open_writer(self) -> int | None:
        try:
            return os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            # Nobody reads it yet.
            if error.errno != errno.ENXIO:
                raise
            return None


@contextmanager
def gate_factory(folder: Path) -> Iterator[Callable[[], Gate]]:
    """Makes gates in a folder; what still stands at one is let go at the end."""
    made: list[Gate] = []

    def make() -> Gate:
        made.append(Gate(folder / f"gate{len(made)}"))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Pending:
    """A command on a connection of its own; its reply is read when the test wants it."""

    def __init__(self, server: Server, *command: Any, db: int = 0) -> None:
        self.connection = redis.Connection(
            host=server.host, port=server.port, db=db, protocol=2, socket_timeout=DEADLINE
        )
        self.connection.connect()
        self.connection.send_command("CLIENT", "ID")
        self.id = self.connection.read_response()
        if command:
            self.send(*command)

    def send(self, *command: Any) -> None:
        """Sends one more, without waiting for the one before."""
        self.connection.send_command(*command)

    def answered(self) -> bool:
        """Whether a reply has come."""
        return self.connection.can_read(timeout=0)

    def reply(self) -> Any:
        """The reply; one that is an error is given, not raised."""
        try:
            return self.connection.read_response()
        except redis.ResponseError as error:
            return error

    def error(self) -> str:
        """The reply's text as it was on the wire; it is an error."""
        # redis-py takes some codes off the text and makes them classes.
        codes = {"ReadOnlyError": "READONLY ", "NoPermissionError": "NOPERM "}
        reply = self.reply()
        assert isinstance(reply, redis.ResponseError), reply
        text = str(reply)
        if type(reply) is redis.ResponseError:
            # It takes "ERR " off everything else.
            known = ("WRONGTYPE ", "UNBLOCKED ", "MASTERDOWN ")
            return text if text.startswith(known) else f"ERR {text}"
        return codes.get(type(reply).__name__, "") + text

    def close(self) -> None:
        """Closes the connection without reading."""
        self.connection.disconnect()


def store(client: redis.Redis, key: str, text: str, device: str = "CPU") -> None:
    """Stores a model of the mock."""
    assert client.execute_command("AI.MODELSTORE", key, "ONNX", device, "BLOB", text) == b"OK"


def tensor(client: redis.Redis, key: str, *values: float) -> None:
    """Stores a FLOAT vector."""
    command = ("AI.TENSORSET", key, "FLOAT", len(values), "VALUES", *values)
    assert client.execute_command(*command) == b"OK"


def values(client: redis.Redis, key: str) -> list[float]:
    """The elements of a FLOAT vector."""
    return [float(value) for value in client.execute_command("AI.TENSORGET", key, "VALUES")]


def run(model: str, inputs: list[str], outputs: list[str], *options: Any) -> list[Any]:
    """The arguments of a run."""
    counted = ["INPUTS", len(inputs), *inputs, "OUTPUTS", len(outputs), *outputs]
    return ["AI.MODELEXECUTE", model, *counted, *options]


def info(client: redis.Redis, key: str, *options: str) -> dict[str, Any]:
    """`AI.INFO`, label -> value."""
    flat = client.execute_command("AI.INFO", key, *options)
    return {label.decode(): value for label, value in zip(flat[::2], flat[1::2], strict=True)}


def sessions(server: Server) -> int:
    """How many sessions the mock has built and not destroyed."""
    return int(server.info("ai").get("ai_sessions", 0))
