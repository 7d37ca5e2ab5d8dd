"""The arguments of `loadmodule`: what is refused, and what the log says then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands.wire import OK, Status, Wire
from redisai_rs.exceptions import ServerError
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server

MakeServer = Callable[..., Server]
ODD = "Even number of arguments provided to module. Please provide arguments as KEY VAL pairs"


def refusal(make_server: MakeServer, *arguments: object) -> str:
    """The log of a server that cannot load the module with these arguments."""
    server = make_server(module_args=list(arguments), start=False)
    with pytest.raises(ServerError):
        server.start()
    return server.log_text()


@pytest.mark.parametrize("arguments", [["ONNX"], ["THREADS_PER_QUEUE", 1, "TF"], [""]])
def test_an_option_without_a_value(make_server: MakeServer, arguments: list[object]) -> None:
    assert ODD in refusal(make_server, *arguments)


@pytest.mark.parametrize(
    "line",
    [
        "NOTHING x",
        "THREADS 4",
        "THREADS_PER_QUEUE 0",
        "THREADS_PER_QUEUE -1",
        "THREADS_PER_QUEUE 1.0",
        "THREADS_PER_QUEUE many",
        "THREADS_PER_QUEUE 1025",
        "INTRA_OP_PARALLELISM 1025",
        "INTRA_OP_PARALLELISM 0",
        "INTER_OP_PARALLELISM 0",
        "MODEL_CHUNK_SIZE 0",
        "MODEL_EXECUTION_TIMEOUT 999",
        "MODEL_EXECUTION_TIMEOUT 0",
        "BACKEND_MEMORY_LIMIT 0",
        "MAX_TENSOR_BYTES 0",
        "QUEUE_LIMIT 0",
        "MAX_QUEUES 0",
        "LOADER_THREADS 0",
        "BUILD_SESSIONS sometimes",
        "INLINE_RUNS 1",
        "BATCH_WAIT yes",
        "ALLOW_NATIVE_MODELS 1",
        "LOADBACKEND everywhere",
        "TEST_BACKENDS 1",
    ],
)
def test_a_bad_option_is_named(make_server: MakeServer, line: str) -> None:
    log = refusal(make_server, "THREADS_PER_QUEUE", 1, *line.split())
    assert f"ERR error processing argument: {line}" in log


def test_the_first_bad_option_is_named(make_server: MakeServer) -> None:
    log = refusal(make_server, "ONE", 1, "TWO", 2)
    assert "ERR error processing argument: ONE 1" in log
    assert "TWO" not in log.split("processing argument")[1]


def test_an_option_with_format_characters_is_text(make_server: MakeServer) -> None:
    log = refusal(make_server, "%s%n%x", "%s%n%d")
    assert "ERR error processing argument: %s%n%x %s%n%d" in log


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "none.so"), (b"not a library", "text file"), (b"\x7fELF\x02\x01\x01", "bad.so")],
    ids=["missing", "text", "cut off"],
)
def test_a_backend_that_cannot_be_loaded(
    make_server: MakeServer, tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / ("none.so" if content is None else "bad.so")
    if content is not None:
        path.write_bytes(content)
    log = refusal(make_server, "ONNX", path)
    assert str(path) in log
    assert says in log


def test_a_mock_is_no_backend_unless_it_may_be(make_server: MakeServer, mock_path: Path) -> None:
    assert "MOCK" in refusal(make_server, "ONNX", mock_path)
    assert "MOCK" in refusal(make_server, "TEST_BACKENDS", "no", "ONNX", mock_path)


def test_a_backend_is_loaded_once(make_server: MakeServer, mock_path: Path) -> None:
    log = refusal(make_server, "TEST_BACKENDS", "yes", "ONNX", mock_path, "ONNX", mock_path)
    assert "already loaded" in log


def test_names_and_words_in_any_case(make_server: MakeServer, mock_path: Path) -> None:
    arguments = ["test_backends", "YES", "Onnx", mock_path, "threads_per_queue", 2]
    server = make_server(module_args=[*arguments, "Build_Sessions", "LAZY", "LoadBackend", "NO"])
    wire = Wire((server.host, server.port))
    assert wire("AI.CONFIG", "GET", "THREADS_PER_QUEUE") == 2
    assert wire("AI.CONFIG", "GET", "BUILD_SESSIONS") == b"lazy"
    assert wire("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity") == OK
    workers = [k for k in server.info("modules") if k.startswith("ai_queue_CPU_bthread_n")]
    assert workers == [
        "ai_queue_CPU_bthread_n0_used_cpu_total",
        "ai_queue_CPU_bthread_n1_used_cpu_total",
    ]
    wire.close()


def test_paths_below_backendspath(make_server: MakeServer, mock_path: Path, tmp_path: Path) -> None:
    """Relative paths begin there, wherever the option stands."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mock.so").symlink_to(mock_path)
    pairs = ["ONNX", "deep/mock.so", "TEST_BACKENDS", "yes", "BACKENDSPATH", tmp_path]
    server = make_server(module_args=pairs)
    assert server.execute("AI.CONFIG", "GET", "BACKENDSPATH") == str(tmp_path).encode()
    assert server.execute("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity") == b"OK"


def test_the_same_at_run_time(
    make_server: MakeServer, server_binary: ServerBinary, redisai_module: Path, mock_path: Path
) -> None:
    """`MODULE LOAD` refuses bad arguments and the server lives; good ones load afterwards."""
    config = {"enable-module-command": "yes"} if server_binary.version >= (7, 0) else {}
    server = make_server(server_binary, module=False, config=config)
    wire = Wire((server.host, server.port))
    for arguments in (["ONNX"], ["THREADS_PER_QUEUE", "0"], ["ONNX", "/none.so"]):
        reply = wire("MODULE", "LOAD", str(redisai_module), *arguments)
        assert reply.startswith(b"ERR Error loading the extension"), arguments
        assert wire("PING") == Status(b"PONG")
    # Also after one that came as far as loading a backend.
    test = ["TEST_BACKENDS", "yes", "ONNX", str(mock_path)]
    reply = wire("MODULE", "LOAD", str(redisai_module), *test, "TORCH", "/none.so")
    assert reply.startswith(b"ERR Error loading the extension")
    assert wire("AI.TENSORSET", "k", "FLOAT", 1).startswith(b"ERR unknown command")
    assert b"# ai_" not in wire("INFO", "everything")
    assert wire("MODULE", "LOAD", str(redisai_module), *test, "MAX_QUEUES", "2") == OK
    assert wire("AI.TENSORSET", "k", "FLOAT", 1) == OK
    assert wire("AI.CONFIG", "GET", "MAX_QUEUES") == 2
    assert wire("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity") == OK
    assert wire("AI.MODELEXECUTE", "m", "INPUTS", 1, "k", "OUTPUTS", 1, "y") == OK
    # The types keep it in memory.
    reply = wire("MODULE", "UNLOAD", "ai")
    assert reply.startswith(b"ERR Error unloading module")
    assert wire("EXISTS", "k") == 1
    wire.close()
