"""Servers whose scripts and models are the mock's, and servers with torch."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
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


class Torch:
    """A server with torch: scripts whose functions are entry points, and what they give."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = server.client()

    def store(self, body: str, key: str = "t", device: str = "CPU") -> None:
        """Stores a script of `def NAME:` functions, which have the parameters of entry points."""
        source = re.sub(r"^def (\w+):", rf"def \1({PARAMETERS}):", body, flags=re.MULTILINE)
        names = re.findall(rf"^def (\w+)\({re.escape(PARAMETERS)}\)", source, re.MULTILINE)
        words = ["AI.SCRIPTSTORE", key, device, "ENTRY_POINTS", len(names), *names]
        assert self.client.execute_command(*words, "SOURCE", source + HELPERS) == b"OK"

    @staticmethod
    def words(
        function: str,
        *args: Any,
        keys: Sequence[Any] = (),
        inputs: Sequence[str] = (),
        outputs: Sequence[str] = ("out",),
        key: str = "t",
        options: Sequence[Any] = (),
    ) -> list[Any]:
        """The arguments of a run."""
        words = ["AI.SCRIPTEXECUTE", key, function, "KEYS", len(keys), *keys]
        words += ["INPUTS", len(inputs), *inputs, "ARGS", len(args), *args]
        return [*words, "OUTPUTS", len(outputs), *outputs, *options]

    def run(self, function: str, *args: Any, client: redis.Redis | None = None, **more: Any) -> Any:
        """Runs a function; gives the reply."""
        return (client or self.client).execute_command(*self.words(function, *args, **more))

    def text(self, function: str, *args: Any, **more: Any) -> bytes:
        """Runs a function whose output is the bytes of a text; gives these."""
        assert self.run(function, *args, **more) == b"OK"
        return self.client.execute_command("AI.TENSORGET", "out", "BLOB")


PARAMETERS = "tensors: List[Tensor], keys: List[str], args: List[str]"
# `as_bytes` gives a text as a tensor; `show` what a reply is.
HELPERS = """
def as_bytes(text: str):
    return torch.tensor([ord(letter) for letter in text], dtype=torch.uint8)

def show(v: Any) -> str:
    if isinstance(v, NoneType):
        return "none"
    elif isinstance(v, int):
        return "int " + str(v)
    elif isinstance(v, str):
        return "str " + v
    return "list"

def show_list(v: Any) -> str:
    return ", ".join([show(one) for one in redis.asList(v)])
"""


@pytest.fixture(scope="module")
def started_torch(server: Server) -> Torch:
    return Torch(server)


@pytest.fixture
def torch(started_torch: Torch) -> Iterator[Torch]:
    """The server of the matrix, empty."""
    started_torch.client.flushall()
    yield started_torch
    started_torch.server.assert_alive()
