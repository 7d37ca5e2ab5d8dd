"""Servers whose runs and builds are held by a gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from cluster.conftest import cluster, options, tag
from holding import NO_LIMIT, Gate, Pending, gate_factory, sessions
from redisai_rs import servers
from redisai_rs.testing import Server, wait_until

__all__ = ["cluster", "options", "tag"]


@pytest.fixture(scope="session")
def held_arguments(mock_path: Path) -> list[str | int | Path]:
    """Module arguments: the mock in the place of ONNX, with no limit of a run's time."""
    return ["TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT]


@pytest.fixture(scope="module")
def held_server(
    server_binary: servers.ServerBinary,
    redisai_module: Path,
    held_arguments: list[str | int | Path],
) -> Iterator[Server]:
    """One server for a test file, for tests that leave it as it was."""
    with Server(server_binary, module=redisai_module, module_args=held_arguments) as started:
        yield started


@pytest.fixture
def held(held_server: Server) -> Iterator[redis.Redis]:
    """A client of `held_server`, which it finds empty and which must live at the end."""
    client = held_server.client()
    client.flushall()
    # Also a check: nothing of the test before may keep a session alive.
    wait_until(lambda: sessions(held_server) == 0, "the end of the sessions of earlier tests")
    yield client
    client.close()
    held_server.assert_alive()


@pytest.fixture
def gate(tmp_path: Path, held_server: Server) -> Iterator[Callable[[], Gate]]:
    """A factory of gates; what still stands at one is let go before the server is looked at."""
    with gate_factory(tmp_path) as make:
        yield make


@pytest.fixture
def pending(held_server: Server) -> Iterator[Callable[..., Pending]]:
    """A factory of commands on `held_server` whose reply is read later."""
    made: list[Pending] = []

    def send(*command: object, db: int = 0) -> Pending:
        made.append(Pending(held_server, *command, db=db))
        return made[-1]

    yield send
    for one in made:
        one.close()
