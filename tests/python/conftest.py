"""Fixtures of the tests of the package itself."""

import gc
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator

import pytest
import redis
from python.cli_on_servers import Run, runner
from redisai_rs.testing import Server

Cli = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "redisai_rs.cli"]


@pytest.fixture
def cli() -> Cli:
    """Runs `redisai-rs` with these arguments and gives what came of it."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env=os.environ | env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def ai_server(embedded_binary, redisai_module) -> Iterator[Server]:
    """A server, one for a test file."""
    with Server(embedded_binary, module=redisai_module) as started:
        yield started


@pytest.fixture
def ai(ai_server, capsysbinary, monkeypatch) -> Run:
    """Runs `redisai-rs` in this process, against `ai_server`, which is empty."""
    ai_server.execute("FLUSHALL")
    return runner(capsysbinary, monkeypatch, ai_server.url)


@pytest.fixture
def raw(ai_server) -> Iterator[redis.Redis]:
    """A RESP2 client of `ai_server`."""
    with ai_server.client() as client:
        yield client


@pytest.fixture
def leaking_redis_py():
    """For tests whose TLS handshake fails: redis-py leaves its socket to the garbage collector."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def at(capsysbinary, monkeypatch) -> Run:
    """Runs `redisai-rs` against the server of a URL."""
    return lambda url, *words: runner(capsysbinary, monkeypatch, url)(*words)
