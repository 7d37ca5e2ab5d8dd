"""A model, or a script, that a server could store and that it cannot build after a restart."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from holding import Pending, info, run
from onnx_models import reference_error
from persistence.conftest import linear
from redisai_rs.testing import Server, wait_until

NO_BACKEND = "ERR Could not load backend"
NO_BACKENDS = ["BACKENDSPATH", "/nonexistent"]
# An environment without packages: the real one is found in a variable otherwise.
NO_FRAMEWORK = ["PYTHON", "/nonexistent"]


class Kept(ABC):
    """Stored as `m`, with the input that it runs with; and what must be there afterwards.

    mock: before the restart the mock is in the place of its framework.
    after: the module's arguments after the restart.
    """

    backend: str

    def __init__(
        self, start: Callable[..., Server], mock: Path, after: list[Any], *, mocked: bool
    ) -> None:
        self.after = [str(argument) for argument in after]
        self.before = ["TEST_BACKENDS", "yes", self.backend, str(mock)] if mocked else []
        self.text = self.mocked() if mocked else self.real()
        self.reason = NO_BACKEND if after else self.refusal()
        self.server = start(module_args=self.before)
        client = self.server.client()
        # Of the shape that each of them takes.
        command = ["AI.TENSORSET", "x", "FLOAT", 1, 3, "VALUES", 1, 1, 1]
        assert client.execute_command(*command) == b"OK"
        assert client.execute_command(*self.store("m")) == b"OK"
        self.payload = client.dump("m")

    @abstractmethod
    def mocked(self) -> str:
        """Legal for the mock, nothing for the framework."""

    @abstractmethod
    def real(self) -> str | bytes:
        """Legal for the framework."""

    @abstractmethod
    def refusal(self) -> str:
        """What the framework itself says of the mock's text, through its own Python."""

    @abstractmethod
    def store(self, key: str) -> list[Any]:
        """The command that stores it."""

    @abstractmethod
    def run(self, key: str) -> list[Any]:
        """The command that runs it, from `x` to `y`; good in a DAG too."""

    @abstractmethod
    def look(self, client: redis.Redis, key: str) -> None:
        """It is there as it was stored."""

    def restart(self, arguments: list[str]) -> redis.Redis:
        """Gives a client of the server that has loaded its file with these arguments."""
        self.server.module_args = arguments
        self.server.restart()
        return self.server.client()

    def failed(self, client: redis.Redis, key: str = "m") -> None:
        """It is there, has failed, says why wherever it is asked, and is kept as it was."""
        wait_until(lambda: info(client, key, "FULL")["state"] == b"failed", "the failed build")
        reason = info(client, key, "FULL")["reason"].decode()
        assert reason == self.reason, (reason, self.reason)
        one = Pending(self.server, *self.run(key))
        assert str(one.reply()) == reason.removeprefix("ERR ")
        one.send("AI.DAGEXECUTE", "LOAD", 1, "x", "|>", *self.run(key))
        assert str(one.reply()[-1]) == reason.removeprefix("ERR ")
        one.close()
        assert not client.exists("y")
        self.look(client, key)

    def works(self, client: redis.Redis, key: str = "m") -> None:
        """It can be built, and runs."""
        one = Pending(self.server, *self.run(key))
        assert one.reply() == b"OK"
        one.close()
        client.delete("y")
        self.look(client, key)


class Model(Kept):
    """A model with every option."""

    backend = "ONNX"
    options = ("TAG", "t", "BATCHSIZE", 4, "MINBATCHSIZE", 2, "MINBATCHTIMEOUT", 5)

    def mocked(self) -> str:
        return "identity\ninput x\noutput y"

    def real(self) -> bytes:
        return linear()

    def refusal(self) -> str:
        return reference_error(self.mocked().encode())

    def store(self, key: str) -> list[Any]:
        return ["AI.MODELSTORE", key, "ONNX", "CPU", *self.options, "BLOB", self.text]

    def run(self, key: str) -> list[Any]:
        return run(key, ["x"], ["y"])

    def look(self, client: redis.Redis, key: str) -> None:
        blob = self.text if isinstance(self.text, bytes) else self.text.encode()
        assert client.execute_command("AI.MODELGET", key, "BLOB") == blob
        meta = client.execute_command("AI.MODELGET", key, "META")[1::2]
        assert meta[:5] == [b"ONNX", b"CPU", b"t", 4, 2]
        assert meta[7] == 5


class Script(Kept):
    """A script with an entry point."""

    backend = "TORCH"

    def mocked(self) -> str:
        return "def same identity"

    def real(self) -> str:
        return (
            "def same(tensors: List[Tensor], keys: List[str], args: List[str]):\n"
            "    return tensors[0]\n"
        )

    def refusal(self) -> str:
        with warnings.catch_warnings():
            # TorchScript is deprecated, which is no news here.
            warnings.simplefilter("ignore")
            import torch  # noqa: PLC0415 (its import takes seconds)

            try:
                torch.jit.CompilationUnit(self.mocked())
            except RuntimeError as error:
                return str(error).rstrip().replace("\n", " ")
        raise AssertionError("torch accepts it")

    def store(self, key: str) -> list[Any]:
        words = ["TAG", "t", "ENTRY_POINTS", 1, "same"]
        return ["AI.SCRIPTSTORE", key, "CPU", *words, "SOURCE", self.text]

    def run(self, key: str) -> list[Any]:
        return ["AI.SCRIPTEXECUTE", key, "same", "INPUTS", 1, "x", "OUTPUTS", 1, "y"]

    def look(self, client: redis.Redis, key: str) -> None:
        shown = client.execute_command("AI.SCRIPTGET", key)[1::2]
        assert isinstance(self.text, str)
        assert shown == [b"CPU", b"t", [b"same"], self.text.encode()]


KINDS = [Model, Script]
WAYS = {
    "refused by the framework": {"after": [], "mocked": True},
    "without its backend": {"after": NO_BACKENDS, "mocked": False},
    "without its framework": {"after": NO_FRAMEWORK, "mocked": False},
}
