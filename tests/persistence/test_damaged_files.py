"""A file that is damaged: the server says so and ends, as with its own types; it does not crash."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import put, store
from persistence.conftest import linear
from redisai_rs.exceptions import ServerError


@pytest.fixture
def server(start):
    server = start(config={"rdbcompression": "no"})
    client = server.client()
    put(client, "tensor", np.arange(100, dtype=np.int32))
    store(client, linear(), "model")
    client.save()
    server.stop()
    return server


def spoil(server, old, new):
    """Changes the file, whose checksum is switched off."""
    path = server.directory / "dump.rdb"
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new)[:-8] + bytes(8))


def test_a_file_whose_checksum_is_off_loads(server):
    spoil(server, b"tensor", b"Tensor")
    server.start()
    assert sorted(server.client().keys()) == [b"Tensor", b"model"]


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        # The blob's length is the elements' no more: its last byte has become another field.
        ("tensor", b"\x02\x40\x64", b"\x02\x40\x65"),
        # The name of a device that is there in a backend of which there is none.
        ("model", b"\x05\x04CPU\0", b"\x02\x04CPU\0"),
    ],
)
def test_a_damaged_value(server, kind, old, new):
    path = server.directory / "dump.rdb"
    if path.read_bytes().count(old) != 1:
        pytest.fail(f"the bytes are not where they were expected: {path.read_bytes()!r}")
    spoil(server, old, new)
    # It looks at the file once more, and ends with 0 if the form of the file is right.
    with pytest.raises(ServerError, match="ended with status [01] at its start"):
        server.start()
    assert f"a saved {kind} was refused" in server.log_text()
