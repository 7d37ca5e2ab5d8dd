"""Slots that move at once, which only Valkey can, from 9.0 on."""

from __future__ import annotations

import pytest
from redisai_rs.exceptions import ReplyError
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Cluster


def has_atomic_migration(server: ServerBinary) -> bool:
    return server.product == "Valkey" and server.version >= (9, 0)


def assert_no_atomic_migration(cluster: Cluster) -> None:
    """The server knows no such command."""
    with pytest.raises(ReplyError, match=r"(?i)unknown subcommand"):
        cluster.primaries[0].execute("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", 0, 0)
