"""Clients of this package, in both protocols."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redisai_rs import Client
from redisai_rs.testing import Server


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client of `server`, whose data it finds empty, in each protocol."""
    with Client(server.url, protocol=request.param) as client:
        client.redis.flushall()
        yield client
    server.assert_alive()
