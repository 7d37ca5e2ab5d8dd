"""A server whose scripts and models are the mock's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from holding import NO_LIMIT
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server

SOURCE = """\
def run call
def model run-model
def slow sleep 60000
"""


class Scripts:
    """A server with the script `s`, and the commands that its runs give."""

    def __init__(self, server: Server, client: redis.Redis) -> None:
        self.server = server
        self.client = client

    def words(self, *command: Any, options: tuple[Any, ...] = ()) -> list[Any]:
        """The arguments of a run that has the script execute this command."""
        args = ["ARGS", len(command), *command]
        return ["AI.SCRIPTEXECUTE", "s", "run", "KEYS", 0, *args, "OUTPUTS", 1, "reply", *options]

    def execute(self, *command: Any, client: redis.Redis | None = None) -> bytes:
        """What `redis.execute` gives: RESP2."""
        client = client or self.client
        assert client.execute_command(*self.words(*command)) == b"OK"
        (reply,) = self.client.execute_command("AI.TENSORGET", "reply", "VALUES")
        return reply


def prepare(client: redis.Redis, source: str = SOURCE) -> None:
    names = [line.split()[1] for line in source.splitlines()]
    entry = ["ENTRY_POINTS", len(names), *names]
    assert client.execute_command("AI.SCRIPTSTORE", "s", "CPU", *entry, "SOURCE", source) == b"OK"


@pytest.fixture
def mocks(mock_path: Path) -> list[Any]:
    """The module's arguments."""
    return ["TEST_BACKENDS", "yes", "ONNX", mock_path, "TORCH", mock_path, *NO_LIMIT]


@pytest.fixture
def scripts(
    server_binary: ServerBinary, make_server: Callable[..., Server], mocks: list[Any]
) -> Iterator[Scripts]:
    server = make_server(server_binary, module_args=mocks)
    with server.client() as client:
        prepare(client)
        yield Scripts(server, client)
