"""pytest fixtures: a server with the module, and a client of it.

Installed with the package: `def test_mine(redisai_client): ...` needs no import. A project with a
module of its own gives the fixture `redisai_module` anew.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import pytest

from redisai_rs.paths import module_path

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from redisai_rs.testing import Server

_LOG_LINES = 100


@pytest.fixture(scope="session")
def redisai_module() -> Path:
    """Path of the module that servers load: this package's."""
    return module_path()


@pytest.fixture(scope="session")
def redisai_server(redisai_module: Path) -> Iterator[Server]:
    """A server with `redisai_module`, one for the whole run."""
    from redisai_rs.testing import Server  # noqa: PLC0415 (plugins should cost nothing until used)

    with Server(module=redisai_module) as server:
        yield server


@pytest.fixture
def redisai_client(redisai_server: Server) -> Iterator[redis.Redis]:
    """A redis-py client of `redisai_server`, whose data it finds empty."""
    client = redisai_server.client()
    client.flushall()
    yield client
    client.close()
    redisai_server.assert_alive()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the end of each running server's log to the report of a failed test."""
    report = yield
    if report.failed and call.when in {"setup", "call"}:
        from redisai_rs.testing import running  # noqa: PLC0415

        for server in running():
            lines = server.log_text().splitlines()[-_LOG_LINES:]
            title = f"log of {server.binary} on port {server.port}"
            report.sections.append((title, "\n".join(lines)))
    return report
