"""Models of the mock backend, and what a test does with them again and again."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from commands.wire import OK, Wire

# One input, one output, and two of each: the names are the model's own.
ONE = b"identity\ninput in\noutput out"
TWO = b"identity\ninput a\ninput b\noutput c\noutput d"
ADD = b"add\ninput a\ninput b\noutput sum"


def store(wire: Wire, key: str = "m", blob: bytes = ONE, *options: str | int) -> None:
    """Stores a model of the mock as an ONNX model."""
    assert wire("AI.MODELSTORE", key, "ONNX", "CPU", *options, "BLOB", blob) == OK


def info(wire: Wire, key: str = "m") -> dict[bytes, object]:
    """The reply of `AI.INFO`, label -> value."""
    reply = wire("AI.INFO", key)
    return dict(zip(reply[::2], reply[1::2], strict=True))


@contextmanager
def gate(directory: Path) -> Iterator[tuple[bytes, threading.Thread]]:
    """A model whose run waits until the block ends; the thread ends when a run has come."""
    path = directory / "gate"
    os.mkfifo(path)
    opened: list[int] = []
    waiter = threading.Thread(target=lambda: opened.append(os.open(path, os.O_WRONLY)), daemon=True)
    waiter.start()
    try:
        yield b"gate " + os.fsencode(path), waiter
    finally:
        # Whoever waits is let go: a reader that never came, or a run at the gate.
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if waiter.is_alive() else None
        waiter.join(30)
        for descriptor in [*opened, *([reader] if reader is not None else [])]:
            os.close(descriptor)
        path.unlink()
