"""Free TCP ports."""

from __future__ import annotations

import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
# A cluster's bus listens at the port + 10000, which must stay below the range from which the kernel
# gives ports to outgoing connections: one of those could hold a port while a server restarts.
_LOWEST = 10_000
_BUS = 10_000
_random = random.SystemRandom()


def free_port() -> int:
    """Gives a port that was free a moment ago; its cluster bus port too.

    Another process can take it before a server binds it: who starts a server tries again.
    """
    highest = min(_ephemeral_start(), 32_768) - _BUS
    for _ in range(1000):
        port = _random.randrange(_LOWEST, max(highest, _LOWEST + 1000))
        if _is_free(port) and _is_free(port + _BUS):
            return port
    raise OSError("no free TCP port found")


def _ephemeral_start() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do; without it a port in TIME_WAIT would look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
