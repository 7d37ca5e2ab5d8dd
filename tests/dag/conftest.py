"""Fixtures of the DAG tests: raw connections, mocks in the place of all backends, held runs."""

from __future__ import annotations

from commands.conftest import both, mocks, mocks_both, mocks_server, wire
from faults.conftest import gate, held, held_arguments, held_server, pending

__all__ = [
    "both",
    "gate",
    "held",
    "held_arguments",
    "held_server",
    "mocks",
    "mocks_both",
    "mocks_server",
    "pending",
    "wire",
]
