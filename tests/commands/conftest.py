"""Fixtures of the command tests: raw connections, and a server whose four backends are mocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from commands.wire import PONG, Wire
from redisai_rs import servers
from redisai_rs.testing import Server


def connect(server: Server, protocol: int = 2) -> Iterator[Wire]:
    """A connection to a server whose data it finds empty; at the end both must be in order."""
    wire = Wire((server.host, server.port), protocol)
    wire("FLUSHALL")
    yield wire
    assert wire("PING") == PONG, "a command had more than one reply"
    wire.close()
    server.assert_alive()


@pytest.fixture
def wire(server: Server) -> Iterator[Wire]:
    """RESP2, no backend loaded."""
    yield from connect(server)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def both(server: Server, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Each protocol in turn, no backend loaded."""
    yield from connect(server, request.param)


@pytest.fixture(scope="module")
def mocks_server(
    server_binary: servers.ServerBinary, redisai_module: Path, mock_path: Path
) -> Iterator[Server]:
    """A server with the mock in the place of each of the four backends."""
    arguments = ["TEST_BACKENDS", "yes"]
    for backend in ("TF", "TFLITE", "TORCH", "ONNX"):
        arguments += [backend, str(mock_path)]
    with Server(server_binary, module=redisai_module, module_args=arguments) as started:
        yield started


@pytest.fixture
def mocks(mocks_server: Server) -> Iterator[Wire]:
    """RESP2, every backend a mock."""
    yield from connect(mocks_server)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def mocks_both(mocks_server: Server, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """Each protocol in turn, every backend a mock."""
    yield from connect(mocks_server, request.param)
