"""Real servers for tests: start, stop, kill, restart, replicate, with logs and crash detection.

from redisai_rs.testing import Server

with Server() as server:
    server.execute("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 2)
"""

from __future__ import annotations

from redisai_rs.testing.cluster import Cluster
from redisai_rs.testing.ports import free_port
from redisai_rs.testing.process import running
from redisai_rs.testing.server import Server
from redisai_rs.testing.waiting import DEADLINE, wait_until

__all__ = ["DEADLINE", "Cluster", "Server", "free_port", "running", "wait_until"]
