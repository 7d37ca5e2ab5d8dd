"""Models of the mock backend, and what a test does with them again and again."""

from __future__ import annotations

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
