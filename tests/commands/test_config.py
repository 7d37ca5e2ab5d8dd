"""`AI.CONFIG`: every subcommand, and from where it loads code."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands.wire import OK, Status, Wire, arity, failure
from redisai_rs.testing import Server

ARITY = arity("AI.CONFIG")
SUBCOMMAND = failure("ERR unsupported subcommand")
NOT_LOADED = failure("ERR error loading backend")
NO_SIZE = failure("ERR MODEL_CHUNK_SIZE: missing chunk size")
BAD_SIZE = failure("ERR MODEL_CHUNK_SIZE: invalid chunk size")
NO_PATH = failure("ERR BACKENDSPATH: missing path argument")
BACKEND = failure("ERR unsupported backend")

Start = Callable[..., Wire]


@pytest.fixture
def start(make_server: Callable[..., Server], mock_path: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a server whose BACKENDSPATH, `tmp_path / "inside"`, holds the mock; gives a client."""
    inside = tmp_path / "inside"
    inside.mkdir()
    shutil.copy(mock_path, inside / "mock.so")
    (inside / "text.so").write_text("not a library")
    shutil.copy(mock_path, tmp_path / "outside.so")
    wires = []

    def begin(*rule: str) -> Wire:
        arguments = ["BACKENDSPATH", str(inside), "TEST_BACKENDS", "yes", *rule]
        server = make_server(module_args=arguments)
        wires.append(Wire((server.host, server.port)))
        return wires[-1]

    yield begin
    for wire in wires:
        assert wire("PING") == Status(b"PONG")
        wire.close()


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", ARITY),
        ("x", SUBCOMMAND),
        ("SET MODEL_CHUNK_SIZE 5", SUBCOMMAND),
        ("GETS x", SUBCOMMAND),
        ("GET", ARITY),
        ("GET x", None),
        ("GET THREADS", None),
        ("GET MODEL_CHUNK_SIZE x", failure("ERR Invalid argument: x")),
        ("LOADBACKEND", ARITY),
        ("LOADBACKEND ONNX", ARITY),
        ("LOADBACKEND CAFFE path", BACKEND),
        ("LOADBACKEND ONNX path x", failure("ERR Invalid argument: x")),
        ("BACKENDSPATH", NO_PATH),
        ("BACKENDSPATH a b", failure("ERR Invalid argument: b")),
        ("MODEL_CHUNK_SIZE", NO_SIZE),
        ("MODEL_CHUNK_SIZE 0", BAD_SIZE),
        ("MODEL_CHUNK_SIZE -5", BAD_SIZE),
        ("MODEL_CHUNK_SIZE x", BAD_SIZE),
        ("MODEL_CHUNK_SIZE 1.5", BAD_SIZE),
        ("MODEL_CHUNK_SIZE 9223372036854775808", BAD_SIZE),
        ("MODEL_CHUNK_SIZE 5 6", failure("ERR Invalid argument: 6")),
        ("model_chunk_size 77", OK),
    ],
)
def test_grammar(both: Wire, line: str, reply: object) -> None:
    assert both("AI.CONFIG", "MODEL_CHUNK_SIZE", 1000) == OK
    assert both.line(f"AI.CONFIG {line}") == reply
    size = 77 if reply == OK else 1000
    assert both("AI.CONFIG", "get", "model_chunk_size") == size


def test_get_knows_every_option(both: Wire, server: Server) -> None:
    defaults = {
        "BACKENDSPATH": str(Path(server.module).parent / "backends").encode(),  # type: ignore[arg-type]
        "TF": None, "TFLITE": None, "TORCH": None, "ONNX": None,
        "THREADS_PER_QUEUE": 1, "INTRA_OP_PARALLELISM": 0, "INTER_OP_PARALLELISM": 0,
        "MODEL_EXECUTION_TIMEOUT": 5000, "BACKEND_MEMORY_LIMIT": 0,
        "MAX_TENSOR_BYTES": 4 << 30, "QUEUE_LIMIT": 65536, "MAX_QUEUES": 64,
        "LOADER_THREADS": 1, "BUILD_SESSIONS": b"eager", "LOADBACKEND": b"backendspath",
        "TEST_BACKENDS": b"no", "INLINE_RUNS": b"yes", "BATCH_WAIT": b"auto",
        "ALLOW_NATIVE_MODELS": b"no",
    }  # fmt: skip
    for name, value in defaults.items():
        assert both("AI.CONFIG", "GET", name) == value, name
        assert both("ai.config", "get", name.lower()) == value, name


def test_get_shows_what_was_given(make_server: Callable[..., Server], mock_path: Path) -> None:
    given = {
        "THREADS_PER_QUEUE": 2, "INTRA_OP_PARALLELISM": 3, "INTER_OP_PARALLELISM": 4,
        "MODEL_CHUNK_SIZE": 5, "MODEL_EXECUTION_TIMEOUT": 6000, "BACKEND_MEMORY_LIMIT": 7,
        "MAX_TENSOR_BYTES": 8, "QUEUE_LIMIT": 9, "MAX_QUEUES": 10, "LOADER_THREADS": 11,
        "BUILD_SESSIONS": b"lazy", "LOADBACKEND": b"any", "TEST_BACKENDS": b"yes",
        "PYTHON": b"/usr", "INLINE_RUNS": b"no", "BATCH_WAIT": b"no",
        "ALLOW_NATIVE_MODELS": b"yes",
        "ONNX": str(mock_path).encode(), "BACKENDSPATH": b"/tmp",
    }  # fmt: skip
    words = [word if isinstance(word, int) else word.decode() for word in given.values()]
    pairs = [item for pair in zip(given, words, strict=True) for item in pair]
    server = make_server(module_args=pairs)
    wire = Wire((server.host, server.port))
    assert {name: wire("AI.CONFIG", "GET", name) for name in given} == given
    # The cap on tensors is in force.
    assert wire("AI.TENSORSET", "k", "UINT8", 8) == OK
    reply = wire("AI.TENSORSET", "k", "UINT8", 9)
    assert reply.startswith(b"ERR tensor is larger than the limit of 8 bytes: ")
    wire.close()


def test_no_loads_nothing(start: Start, tmp_path: Path) -> None:
    wire = start("LOADBACKEND", "no")
    for path in ("mock.so", str(tmp_path / "inside" / "mock.so"), str(tmp_path / "outside.so")):
        reply = wire("AI.CONFIG", "LOADBACKEND", "ONNX", path)
        assert reply.startswith(b"ERR loading backends at run time is off: ")
    reply = wire("AI.CONFIG", "BACKENDSPATH", str(tmp_path))
    assert reply.startswith(b"ERR loading backends at run time is off: ")
    assert wire("AI.CONFIG", "GET", "BACKENDSPATH") == str(tmp_path / "inside").encode()
    assert wire("AI.CONFIG", "MODEL_CHUNK_SIZE", 5) == OK


def test_backendspath_loads_from_below_it_only(start: Start, tmp_path: Path) -> None:
    wire = start()
    (tmp_path / "inside" / "link.so").symlink_to(tmp_path / "outside.so")
    (tmp_path / "inside" / "folder").symlink_to(tmp_path)
    (tmp_path / "inside-too").mkdir()
    shutil.copy(tmp_path / "outside.so", tmp_path / "inside-too" / "mock.so")
    inside = tmp_path / "inside"
    for path in (
        tmp_path / "outside.so",
        "../outside.so",
        "./../outside.so",
        "folder/outside.so",
        "link.so",
        inside / "link.so",
        inside / ".." / "outside.so",
        inside / "folder" / "outside.so",
        tmp_path / "inside-too" / "mock.so",
        "../inside-too/mock.so",
        "/etc/passwd",
        "../none.so",
    ):
        reply = wire("AI.CONFIG", "LOADBACKEND", "ONNX", str(path))
        assert reply.startswith(b"ERR this path is outside of BACKENDSPATH: "), path
    reply = wire("AI.CONFIG", "BACKENDSPATH", str(tmp_path))
    assert reply.startswith(b"ERR BACKENDSPATH cannot be changed at run time: ")
    os.mkfifo(inside / "pipe.so")
    for path in ("none.so", "text.so", "", ".", "mock.so\0", "pipe.so"):
        reply = wire("AI.CONFIG", "LOADBACKEND", "ONNX", path)
        assert reply == NOT_LOADED or reply.startswith(b"ERR this path is outside"), path
    assert wire("AI.CONFIG", "LOADBACKEND", "ONNX", "folder/inside/mock.so") == OK
    # Once in a process; and it is there now.
    assert wire("AI.CONFIG", "LOADBACKEND", "ONNX", "mock.so") == NOT_LOADED
    assert wire("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity") == OK


def test_any_loads_from_anywhere(start: Start, tmp_path: Path) -> None:
    wire = start("LOADBACKEND", "any")
    os.mkfifo(tmp_path / "pipe.so")
    (tmp_path / "empty.so").touch()
    (tmp_path / "cut.so").write_bytes((tmp_path / "outside.so").read_bytes()[:100_000])
    for path in ("none.so", "pipe.so", "empty.so", "cut.so"):
        assert wire("AI.CONFIG", "LOADBACKEND", "ONNX", str(tmp_path / path)) == NOT_LOADED
    for path in ("/dev/null", "/dev/zero", "/proc/self/mem", "/tmp", "../" * 3000, "x" * 5000):
        assert wire("AI.CONFIG", "LOADBACKEND", "ONNX", path) == NOT_LOADED
    assert wire("AI.CONFIG", "LOADBACKEND", "ONNX", str(tmp_path / "outside.so")) == OK
    assert wire("AI.CONFIG", "LOADBACKEND", "ONNX", "mock.so") == NOT_LOADED
    assert wire("AI.CONFIG", "BACKENDSPATH", str(tmp_path)) == OK
    assert wire("AI.CONFIG", "GET", "BACKENDSPATH") == str(tmp_path).encode()
    assert wire("AI.CONFIG", "LOADBACKEND", "TORCH", "outside.so") == OK
    for backend in ("ONNX", "TORCH"):
        assert wire("AI.MODELSTORE", "m", backend, "CPU", "BLOB", "identity") == OK


def test_without_test_backends_the_mock_is_refused(
    make_server: Callable[..., Server], mock_path: Path
) -> None:
    server = make_server(module_args=["LOADBACKEND", "any"])
    wire = Wire((server.host, server.port))
    assert wire("AI.CONFIG", "LOADBACKEND", "ONNX", str(mock_path)) == NOT_LOADED
    server.wait_for_log("MOCK")
    wire.close()


def test_in_a_transaction(wire: Wire) -> None:
    assert wire("MULTI") == OK
    wire("AI.CONFIG", "MODEL_CHUNK_SIZE", 9)
    wire("AI.CONFIG", "GET", "MODEL_CHUNK_SIZE")
    assert wire("EXEC") == [OK, 9]
