"""Fixtures of the tests of the package itself."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

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
