"""The deprecated `AI.MODELSET`: its own errors, and the forms from before 1.0."""

from __future__ import annotations

import pytest
from commands.models import ONE
from commands.wire import OK, WRONGTYPE, Wire, arity, failure
from redisai_rs.testing import Server

ARITY = arity("AI.MODELSET")
BACKEND = failure("ERR unsupported backend")
DEVICE = failure("ERR Invalid DEVICE")
NO_BLOB = failure("ERR Insufficient arguments, missing model BLOB")
NO_NAMES = failure("ERR Insufficient arguments, INPUTS and OUTPUTS not specified")
NO_INPUTS = failure("ERR INPUTS not specified")
NO_OUTPUTS = failure("ERR OUTPUTS not specified")
NO_BATCH = failure("ERR MINBATCHSIZE specified without BATCHSIZE")
NO_BATCH_TIME = failure("ERR MINBATCHTIMEOUT specified without BATCHSIZE")
NO_TFLITE = failure("ERR Auto-batching not supported by the TFLITE backend")


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", ARITY),
        ("k ONNX", ARITY),
        ("k CAFFE CPU", BACKEND),
        ("k ONNX CPU", NO_BLOB),
        ("k ONNX BLOB", DEVICE),
        ("k ONNX TAG t BLOB b", DEVICE),
        ("k ONNX inputs a OUTPUTS b BLOB c", DEVICE),
        ("k ONNX 01234567890 BLOB b", DEVICE),
        ("k TFLITE CPU BATCHSIZE x", NO_TFLITE),
        ("k ONNX CPU BATCHSIZE x BLOB b", failure("ERR Invalid argument for BATCHSIZE")),
        ("k ONNX CPU BATCHSIZE", failure("ERR Invalid argument for BATCHSIZE")),
        ("k ONNX CPU MINBATCHSIZE x BLOB b", NO_BATCH),
        (
            "k ONNX CPU BATCHSIZE 1 MINBATCHSIZE -1 BLOB b",
            failure("ERR Invalid argument for MINBATCHSIZE"),
        ),
        ("k ONNX CPU MINBATCHTIMEOUT x BLOB b", NO_BATCH_TIME),
        (
            "k ONNX CPU BATCHSIZE 1 MINBATCHTIMEOUT x BLOB b",
            failure("ERR Invalid argument for MINBATCHTIMEOUT"),
        ),
        ("k ONNX CPU TAG t", NO_BLOB),
        ("k ONNX CPU TAG t BLOB", NO_BLOB),
        ("k ONNX CPU what ever", NO_BLOB),
        ("k ONNX CPU what ever BLOB", NO_BLOB),
        ("k TF CPU", NO_BLOB),
        ("k TF CPU BLOB b", NO_NAMES),
        ("k TF CPU OUTPUTS b BLOB c", NO_INPUTS),
        ("k TF CPU a OUTPUTS b BLOB c", NO_INPUTS),
        ("k TF CPU INPUTS a BLOB c", NO_OUTPUTS),
        ("k TF CPU INPUTS a OUTPUTS b", NO_BLOB),
        ("k TF CPU INPUTS a OUTPUTS b BLOB", NO_BLOB),
    ],
)
def test_errors_in_order(mocks: Wire, line: str, reply: object) -> None:
    assert mocks.line(f"AI.MODELSET {line}") == reply
    assert mocks("EXISTS", "k") == 0


@pytest.mark.parametrize("backend", ["TF", "TORCH", "ONNX"])
def test_all_options(mocks: Wire, backend: str) -> None:
    names = ["INPUTS", "in", "OUTPUTS", "out"] if backend == "TF" else []
    words = ["TAG", "v", "BATCHSIZE", 4, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 9, *names]
    assert mocks("AI.MODELSET", "k", backend, "CPU", *words, "BLOB", ONE[:9], ONE[9:]) == OK
    assert mocks("AI.MODELGET", "k") == [
        b"backend", backend.encode(), b"device", b"CPU", b"tag", b"v",
        b"batchsize", 4, b"minbatchsize", 2, b"inputs", [b"in"], b"outputs", [b"out"],
        b"minbatchtimeout", 9, b"blob", ONE,
    ]  # fmt: skip


def test_what_modelstore_refuses_and_modelset_does_not(mocks: Wire) -> None:
    # A timeout without a minimum; words in front of BLOB that are no options.
    words = ["BATCHSIZE", 4, "MINBATCHTIMEOUT", 9, "FOO", "bar"]
    assert mocks("AI.MODELSET", "k", "ONNX", "CPU", *words, "BLOB", ONE) == OK
    shown = mocks("AI.MODELGET", "k", "META")
    assert shown[6:10] == [b"batchsize", 4, b"minbatchsize", 0]
    assert shown[14:] == [b"minbatchtimeout", 9]


def test_a_key_of_another_type_is_not_harmed(mocks: Wire) -> None:
    mocks("SET", "k", "v")
    assert mocks("AI.MODELSET", "k", "ONNX", "CPU", "BLOB", ONE) == WRONGTYPE
    assert mocks("AI.MODELSET", "k", "ONNX", "CPU", ONE) == WRONGTYPE
    assert mocks("GET", "k") == b"v"


@pytest.mark.parametrize("backend", ["TORCH", "ONNX", "TFLITE"])
def test_the_form_from_before_1_0(mocks: Wire, backend: str) -> None:
    assert mocks("AI.MODELSET", "k", backend, "CPU", ONE) == OK
    assert mocks("AI.MODELGET", "k", "BLOB") == ONE
    # One argument only, and none that is a keyword: everything else has 1.2's meaning.
    assert mocks("AI.MODELSET", "k", backend, "CPU", ONE, ONE) == NO_BLOB
    assert mocks("AI.MODELSET", "k", backend, "CPU", "BLOB") == NO_BLOB
    assert mocks("AI.MODELSET", "k", backend, "CPU", "TAG", ONE) == NO_BLOB


def test_the_form_of_tf_from_before_1_0(mocks: Wire) -> None:
    blob = b"identity\ninput a\ninput b\noutput c"
    assert mocks("AI.MODELSET", "k", "TF", "CPU", "INPUTS", "a", "b", "OUTPUTS", "c", blob) == OK
    shown = mocks("AI.MODELGET", "k")
    assert shown[10:14] == [b"inputs", [b"a", b"b"], b"outputs", [b"c"]]
    assert shown[17] == blob
    words = ["TAG", "t", "INPUTS", "a", "b", "OUTPUTS", "c", blob]
    assert mocks("AI.MODELSET", "k", "TF", "CPU", *words) == NO_BLOB


def test_old_forms_reach_a_replica_in_the_form_of_1_2(mocks_server: Server, mocks: Wire) -> None:
    feed = Wire((mocks_server.host, mocks_server.port))
    assert feed("MONITOR") == OK
    with mocks_server.replica() as replica:
        replica.wait_for_sync()
        assert mocks("AI.MODELSET", "k", "ONNX", "CPU", ONE) == OK
        replica.wait_for_offset(mocks_server)
        assert replica.execute("AI.MODELGET", "k", "BLOB") == ONE
        calls = replica.info("commandstats")
        assert "cmdstat_ai.modelset" not in {name.lower() for name in calls}
        assert "calls=1," in calls.get(
            "cmdstat_ai.modelstore", calls.get("cmdstat_AI.MODELSTORE", "")
        )
    feed.close()
