"""The command line in this process, speaking to a server."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from redisai_rs.cli import main


@dataclass
class Done:
    """What came of a command line."""

    status: int
    output: bytes
    errors: str

    @property
    def lines(self) -> list[str]:
        return self.output.decode().splitlines()

    @property
    def json(self) -> Any:
        return json.loads(self.output)

    def failed(self) -> str:
        """The one line of an error."""
        assert self.status == 1
        assert self.errors.startswith("redisai-rs: ")
        assert self.errors.count("\n") == 1
        return self.errors[len("redisai-rs: ") : -1]


Run = Callable[..., Done]


def runner(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, url: str
) -> Run:
    """Runs a command line against this server; `stdin` is what it reads."""
    monkeypatch.setenv("REDISAI_URL", url)

    def run(*words: Any, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main([str(word) for word in words])
        output, errors = capsysbinary.readouterr()
        return Done(status, output, errors.decode())

    return run
