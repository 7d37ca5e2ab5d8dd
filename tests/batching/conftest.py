"""Fixtures of held runs, for batches whose members are to come together."""

from __future__ import annotations

from commands.conftest import mocks, mocks_server
from faults.conftest import gate, held, held_arguments, held_server, pending

__all__ = ["gate", "held", "held_arguments", "held_server", "mocks", "mocks_server", "pending"]
