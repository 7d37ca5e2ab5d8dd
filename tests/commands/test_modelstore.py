"""`AI.MODELSTORE`: every option and every error in the contract's order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands.models import ADD, ONE, TWO, info, store
from commands.wire import OK, WRONGTYPE, Status, Wire, arity, failure
from redisai_rs.testing import Server

MakeServer = Callable[..., Server]
ARITY = arity("AI.MODELSTORE")
BACKEND = failure("ERR unsupported backend")
DEVICE = failure("ERR Invalid DEVICE")
NO_BLOB = failure("ERR Insufficient arguments, missing model BLOB")
EXPECTED_BLOB = failure("ERR Invalid argument, expected BLOB")
NO_INPUTS = failure("ERR INPUTS not specified for TF")
NO_OUTPUTS = failure("ERR OUTPUTS not specified for TF")
INPUT_COUNT = failure("ERR Invalid argument for input_count")
OUTPUT_COUNT = failure("ERR Invalid argument for output_count")
INPUT_NAMES = failure("ERR number of model inputs does not match the number of given arguments")
OUTPUT_NAMES = failure("ERR number of model outputs does not match the number of given arguments")
NOT_FOR_THIS = failure("ERR INPUTS argument should not be specified for this backend")
NO_BATCH = failure("ERR MINBATCHSIZE specified without BATCHSIZE")
NO_MIN_BATCH = failure("ERR MINBATCHTIMEOUT specified without MINBATCHSIZE")


def bad(option: str) -> object:
    return failure(f"ERR Invalid argument for {option}")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", ARITY),
        ("k", ARITY),
        ("k ONNX CPU BLOB", ARITY),
        ("k CAFFE DISK x y", BACKEND),
        ("k ON CPU BLOB b", BACKEND),
        ("k ONNX DISK TAG t BLOB b", DEVICE),
        ("k ONNX CPU1 BLOB b", DEVICE),
        ("k ONNX CPU:x BLOB b", DEVICE),
        ("k ONNX CPU:-1 BLOB b", DEVICE),
        ("k ONNX :1 BLOB b", DEVICE),
        ("k ONNX CPU:1:2 BLOB b", DEVICE),
        ("k ONNX CPU:000001 BLOB b", DEVICE),
        ("k ONNX TAG t BLOB b", DEVICE),
        ("k ONNX CPU BATCHSIZE x MINBATCHTIMEOUT", bad("BATCHSIZE")),
        ("k ONNX CPU TAG BATCHSIZE", NO_BLOB),
        ("k ONNX CPU BATCHSIZE -1 BLOB b", bad("BATCHSIZE")),
        ("k ONNX CPU TAG t BATCHSIZE", bad("BATCHSIZE")),
        ("k ONNX CPU BATCHSIZE 1 MINBATCHSIZE", bad("MINBATCHSIZE")),
        ("k ONNX CPU BATCHSIZE 1 MINBATCHSIZE -2 BLOB b", bad("MINBATCHSIZE")),
        ("k ONNX CPU BATCHSIZE 1 MINBATCHSIZE 1 MINBATCHTIMEOUT x", bad("MINBATCHTIMEOUT")),
        ("k ONNX CPU BATCHSIZE 1 MINBATCHSIZE 1 MINBATCHTIMEOUT", bad("MINBATCHTIMEOUT")),
        ("k ONNX CPU MINBATCHSIZE x BLOB b", NO_BATCH),
        ("k ONNX CPU MINBATCHTIMEOUT x BLOB b", NO_MIN_BATCH),
        ("k ONNX CPU BATCHSIZE 1 MINBATCHTIMEOUT x", NO_MIN_BATCH),
        ("k ONNX CPU TAG t", NO_BLOB),
        ("k ONNX CPU TAG t BLOB", NO_BLOB),
        ("k ONNX CPU BATCHSIZE 4", NO_BLOB),
        ("k TF CPU TAG t", NO_BLOB),
        ("k ONNX CPU BLOBS b", EXPECTED_BLOB),
        ("k ONNX CPU OUTPUTS 1 o BLOB b", EXPECTED_BLOB),
        ("k ONNX CPU BATCHSIZE 1 TAG t BLOB b", EXPECTED_BLOB),
        ("k ONNX CPU MINBATCH 1 BLOB b", EXPECTED_BLOB),
        ("k ONNX CPU INPUTS 1 a OUTPUTS 1 b BLOB b", NOT_FOR_THIS),
        ("k TORCH CPU inputs x", NOT_FOR_THIS),
        ("k TFLITE CPU INPUTS 0 OUTPUTS 0 BLOB b", NOT_FOR_THIS),
        ("k TF CPU BLOB b", NO_INPUTS),
        ("k TF CPU OUTPUTS 1 b INPUTS 1 a BLOB b", NO_INPUTS),
        ("k TF CPU INPUTS x a OUTPUTS y b BLOB b", INPUT_COUNT),
        ("k TF CPU TAG t INPUTS", INPUT_COUNT),
        ("k TF CPU INPUTS -1 a OUTPUTS 1 b BLOB b", INPUT_COUNT),
        ("k TF CPU INPUTS 9 a OUTPUTS 1 b BLOB b", INPUT_NAMES),
        ("k TF CPU INPUTS 9223372036854775807 a OUTPUTS 1 b BLOB b", INPUT_NAMES),
        ("k TF CPU INPUTS 1 a BLOB b", NO_OUTPUTS),
        ("k TF CPU INPUTS 2 a OUTPUTS 1 b BLOB b", NO_OUTPUTS),
        ("k TF CPU INPUTS 1 a OUTPUTS x b BLOB b", OUTPUT_COUNT),
        ("k TF CPU INPUTS 1 a OUTPUTS", OUTPUT_COUNT),
        ("k TF CPU INPUTS 1 a OUTPUTS 4 b BLOB b", OUTPUT_NAMES),
        ("k TF CPU INPUTS 1 a OUTPUTS 1 b", NO_BLOB),
        ("k TF CPU INPUTS 1 a OUTPUTS 1 b BLOB", NO_BLOB),
        ("k TF CPU INPUTS 1 a OUTPUTS 1 b c BLOB b", EXPECTED_BLOB),
    ],
)
def test_errors_in_order(mocks: Wire, line: str, reply: object) -> None:
    assert mocks.line(f"AI.MODELSTORE {line}") == reply
    assert mocks("EXISTS", "k") == 0


@pytest.mark.parametrize("device", ["CPU", "cpu", "CPU:", "CPU:0", "Cpu:12345", "GPU:0", "gpu"])
def test_a_device_is_kept_as_it_was_given(mocks: Wire, device: str) -> None:
    assert mocks("AI.MODELSTORE", "k", "onnx", device, "blob", ONE) == OK
    assert mocks("AI.MODELGET", "k", "META")[:4] == [
        b"backend",
        b"ONNX",
        b"device",
        device.encode(),
    ]


@pytest.mark.parametrize("backend", ["TF", "TFLITE", "TORCH", "ONNX"])
def test_all_options(mocks_both: Wire, backend: str) -> None:
    names = ["INPUTS", 1, "in", "OUTPUTS", 1, "out"] if backend == "TF" else []
    options = ["TAG", "v1", "BATCHSIZE", 8, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 30]
    stored = mocks_both("AI.MODELSTORE", "k", backend, "CPU", *options, *names, "BLOB", ONE)
    assert stored == OK
    assert mocks_both("AI.MODELGET", "k") == [
        b"backend", backend.encode(), b"device", b"CPU", b"tag", b"v1",
        b"batchsize", 8, b"minbatchsize", 2, b"inputs", [b"in"], b"outputs", [b"out"],
        b"minbatchtimeout", 30, b"blob", ONE,
    ]  # fmt: skip


def test_zeros_and_empty_texts_are_options_too(mocks: Wire) -> None:
    """What RedisAI writes into its append-only file for a model without options."""
    options = ["TAG", "", "BATCHSIZE", 0, "MINBATCHSIZE", 0, "MINBATCHTIMEOUT", 0]
    assert mocks("AI.MODELSTORE", "k", "ONNX", "CPU", *options, "BLOB", ONE) == OK
    # A minimum above the maximum is not refused.
    assert mocks(
        "AI.MODELSTORE", "k", "ONNX", "CPU", "BATCHSIZE", 1, "MINBATCHSIZE", 9, "BLOB", ONE
    )
    assert mocks("AI.MODELGET", "k", "META")[8:10] == [b"minbatchsize", 9]


def test_keywords_as_names(mocks: Wire) -> None:
    blob = b"identity\ninput OUTPUTS\noutput BLOB"
    words = ["TAG", "BATCHSIZE", "INPUTS", 1, "OUTPUTS", "OUTPUTS", 1, "BLOB", "BLOB", blob]
    assert mocks("AI.MODELSTORE", "BLOB", "TF", "CPU", *words) == OK
    shown = mocks("AI.MODELGET", "BLOB", "META")
    assert shown[4:6] == [b"tag", b"BATCHSIZE"]
    assert shown[10:14] == [b"inputs", [b"OUTPUTS"], b"outputs", [b"BLOB"]]


def test_chunks_are_joined(mocks: Wire) -> None:
    chunks = [ONE[:3], b"", ONE[3:10], ONE[10:]]
    assert mocks("AI.MODELSTORE", "k", "ONNX", "CPU", "BLOB", *chunks) == OK
    assert mocks("AI.MODELGET", "k", "BLOB") == ONE
    assert mocks("AI.MODELGET", "k", "META")[11] == [b"in"]


def test_a_backends_own_text_goes_out_as_one_line(mocks: Wire) -> None:
    store(mocks)
    for text, shown in ((b"bare text", b"bare text"), (b"ERR with prefix", b"ERR with prefix")):
        reply = mocks("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", b"fail-load " + text)
        assert reply == failure(shown.decode())
    # What was there is still there, and still runs.
    assert mocks("AI.MODELGET", "m", "BLOB") == ONE
    mocks("AI.TENSORSET", "x", "FLOAT", 1)
    assert mocks("AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y") == OK


def test_a_key_of_another_type_is_not_harmed(mocks: Wire) -> None:
    mocks("SET", "text", "v")
    mocks("AI.TENSORSET", "tensor", "FLOAT", 1, "VALUES", 7)
    for key in ("text", "tensor"):
        assert mocks("AI.MODELSTORE", key, "ONNX", "CPU", "BLOB", ONE) == WRONGTYPE
        # A wrong argument comes first: it is seen before the key is opened.
        assert mocks("AI.MODELSTORE", key, "CAFFE", "CPU", "BLOB", ONE) == BACKEND
    assert mocks("GET", "text") == b"v"
    assert float(mocks("AI.TENSORGET", "tensor", "VALUES")[0]) == 7


def test_a_store_replaces_the_model_its_counters_and_its_time_to_live(mocks: Wire) -> None:
    store(mocks)
    mocks("AI.TENSORSET", "x", "FLOAT", 2)
    assert mocks("AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y") == OK
    assert info(mocks)[b"calls"] == 1
    mocks("EXPIRE", "m", 1000)
    store(mocks, "m", ADD)
    assert mocks("TTL", "m") == -1
    assert info(mocks)[b"calls"] == 0
    assert mocks("AI.MODELGET", "m", "META")[11] == [b"a", b"b"]


def test_the_type_has_its_name(mocks: Wire) -> None:
    store(mocks)
    mocks("AI.TENSORSET", "t", "FLOAT", 1)
    assert mocks("TYPE", "m") == Status(b"AI__MODEL")
    assert mocks("TYPE", "t") == Status(b"AI_TENSOR")


def test_modeldel(mocks: Wire) -> None:
    store(mocks, "m", TWO)
    mocks("SET", "text", "v")
    assert mocks("AI.MODELDEL", "m") == OK
    assert mocks("EXISTS", "m") == 0
    assert mocks("AI.MODELDEL", "m") == failure("ERR model key is empty")
    assert mocks("AI.MODELDEL", "text") == WRONGTYPE
    assert mocks("AI.MODELDEL") == mocks("AI.MODELDEL", "m", "x") == arity("AI.MODELDEL")
    assert mocks("GET", "text") == b"v"
    store(mocks)
    assert mocks("DEL", "m") == 1
    assert mocks("AI.INFO", "m") == failure("ERR cannot find run info for key")


def test_a_backend_that_is_not_there(make_server: MakeServer, tmp_path: Path) -> None:
    server = make_server(module_args=["BACKENDSPATH", tmp_path])
    wire = Wire((server.host, server.port))
    for backend in ("ONNX", "TORCH"):
        stored = wire("AI.MODELSTORE", "k", backend, "CPU", "BLOB", "x")
        assert stored == failure("ERR Could not load backend")
    stored = wire("AI.MODELSET", "k", "ONNX", "CPU", "BLOB", "x")
    assert stored == failure("ERR Could not load backend")
    assert wire("EXISTS", "k") == 0
    # A library that is none: a text file.
    library = tmp_path / "redisai_onnxruntime" / "redisai_onnxruntime.so"
    library.parent.mkdir()
    library.write_text("not a library")
    stored = wire("AI.MODELSTORE", "k", "ONNX", "CPU", "BLOB", "x")
    assert stored == failure("ERR Could not load backend")
    wire.close()


def test_there_are_at_most_so_many_queues(make_server: MakeServer, mock_path: Path) -> None:
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "MAX_QUEUES", 3]
    server = make_server(module_args=arguments)
    wire = Wire((server.host, server.port))
    for device in ("CPU:1", "CPU:2", "cpu:2", "CPU"):
        assert wire("AI.MODELSTORE", "k", "ONNX", device, "BLOB", ONE) == OK
    for device in ("CPU:3", "GPU:0"):
        assert wire("AI.MODELSTORE", "k", "ONNX", device, "BLOB", ONE) == failure(
            "ERR Could not initialize queue on requested device"
        )
    assert wire("AI.MODELGET", "k", "META")[3] == b"CPU"
    wire.close()
