"""Clients of this package: that which waits in both protocols, and that of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client.waiting import Waiting
from redisai_rs import Client, aio
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Server

# What a client says and keeps does not depend on the server: files that override `server` with
# `one_server` try it on one.
KINDS = ["RESP2", "RESP3", "asyncio"]


def a_client(server: Server, kind: str, **options: Any) -> Iterator[Any]:
    """A client of a server whose data it finds empty."""
    if kind == "asyncio":
        loop = asyncio.new_event_loop()
        client = aio.Client(server.url, **options)
        yield Waiting(loop, client, server.client())
        loop.run_until_complete(client.aclose())
        loop.close()
    else:
        with Client(server.url, protocol=int(kind[-1]), **options) as plain:
            yield plain


@pytest.fixture(params=KINDS)
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Each kind of client of `server`, whose data it finds empty."""
    for client in a_client(server, request.param):
        client.redis.flushall()
        yield client
    server.assert_alive()


@pytest.fixture(scope="module")
def one_server(embedded_binary: ServerBinary, redisai_module: Path) -> Iterator[Server]:
    """The embedded server, one for a test file."""
    with Server(embedded_binary, module=redisai_module) as started:
        yield started
