"""`AI.MODELGET`: its forms, its chunks, its errors."""

from __future__ import annotations

import pytest
from commands.models import ONE, TWO, store
from commands.wire import OK, WRONGTYPE, Wire, arity, failure

NO_KEY = failure("ERR model key is empty")
META = [
    b"backend", b"ONNX", b"device", b"CPU", b"tag", b"", b"batchsize", 0, b"minbatchsize", 0,
    b"inputs", [b"a", b"b"], b"outputs", [b"c", b"d"], b"minbatchtimeout", 0,
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "reply"),
    [
        ("", [*META, b"blob", TWO]),
        ("META BLOB", [*META, b"blob", TWO]),
        ("blob Meta", [*META, b"blob", TWO]),
        ("META", META),
        ("meta META", META),
        ("BLOB", TWO),
        ("x", failure("ERR Invalid argument: x")),
        ("META x", failure("ERR Invalid argument: x")),
        ("SOURCE BLOB", failure("ERR Invalid argument: SOURCE")),
        ("META BLOB META", arity("AI.MODELGET")),
    ],
)
def test_forms(mocks_both: Wire, options: str, reply: object) -> None:
    store(mocks_both, "m", TWO)
    assert mocks_both.line(f"AI.MODELGET m {options}") == reply


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("", arity("AI.MODELGET")),
        ("none a b c", arity("AI.MODELGET")),
        ("none", NO_KEY),
        ("none x", NO_KEY),
        ("text", WRONGTYPE),
        ("text x", WRONGTYPE),
        ("tensor", WRONGTYPE),
    ],
)
def test_errors_in_order(mocks: Wire, line: str, reply: object) -> None:
    mocks("SET", "text", "v")
    mocks("AI.TENSORSET", "tensor", "FLOAT", 1)
    assert mocks.line(f"AI.MODELGET {line}") == reply


def test_an_option_is_repeated_in_its_error_as_one_line(mocks: Wire) -> None:
    store(mocks)
    reply = mocks("AI.MODELGET", "m", b"a\r\nb\0\xffc")
    assert bytes(reply) == b"ERR Invalid argument: a  b \xffc"
    assert len(mocks("AI.MODELGET", "m", "x" * (1 << 20))) < 2000


@pytest.mark.parametrize("length", [1, 99, 100, 101, 200, 250, 1000])
def test_chunks(mocks_both: Wire, length: int) -> None:
    """None is empty; a single one is no array."""
    blob = (ONE + b"\n" * length)[: max(length, len(ONE))]
    store(mocks_both, "m", blob)
    try:
        for size in (1, 30, 100, 1 << 40):
            assert mocks_both("AI.CONFIG", "MODEL_CHUNK_SIZE", size) == OK
            parts = [blob[at : at + size] for at in range(0, len(blob), size)]
            expected = parts if len(parts) > 1 else blob
            assert mocks_both("AI.MODELGET", "m", "BLOB") == expected
            assert mocks_both("AI.MODELGET", "m")[16:] == [b"blob", expected]
    finally:
        assert mocks_both("AI.CONFIG", "MODEL_CHUNK_SIZE", 535822336) == OK


def test_a_tiny_chunk_size_does_not_hold_up_the_server(mocks: Wire) -> None:
    """Each chunk is a string of its own, in replies and saves; every client may set the size."""
    blob = ONE + b"\n" * (1 << 20)
    store(mocks, "m", blob)
    dumped = mocks("DUMP", "m")
    try:
        assert mocks("AI.CONFIG", "MODEL_CHUNK_SIZE", 1) == OK
        chunks = mocks("AI.MODELGET", "m", "BLOB")
        assert b"".join(chunks) == blob
        assert len(chunks) <= 1 << 16
        assert mocks("AI.CONFIG", "GET", "MODEL_CHUNK_SIZE") == 1
        assert mocks("RESTORE", "n", 0, mocks("DUMP", "m")) == OK
    finally:
        assert mocks("AI.CONFIG", "MODEL_CHUNK_SIZE", 535822336) == OK
    assert mocks("DUMP", "n") == dumped


def test_a_large_blob_comes_back_byte_for_byte(mocks: Wire) -> None:
    blob = ONE + b"\n" * (3 << 20)
    store(mocks, "m", blob)
    assert mocks("AI.MODELGET", "m", "BLOB") == blob
    # Replies that share the model's memory do not change when it goes.
    replies = mocks.many([("AI.MODELGET", "m", "BLOB"), ("AI.MODELDEL", "m"), ("PING",)])
    assert replies[0] == blob
