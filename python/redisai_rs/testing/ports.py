"""Free TCP ports."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

HOST = "127.0.0.1"
# A cluster's bus listens at the port + 10000, which must stay below the range from which the kernel
# gives ports to outgoing connections: one of those could hold a port while a server restarts.
_LOWEST = 10_000
_BUS = 10_000
_random = random.SystemRandom()


class Claim:
    """A port, and that of its cluster bus, which nobody who asks for a free one is given."""

    def __init__(self, port: int, *held: int) -> None:
        """Takes over the sockets that hold it, by their numbers."""
        self.port = port
        self._held = list(held)

    def release(self) -> None:
        """Leaves it to others."""
        while self._held:
            os.close(self._held.pop())


def claim_port() -> Claim:
    """Claims a free port. A server binds it all the same, again after each restart.

    Only a program that does not ask which ports are free can take it meanwhile.
    """
    highest = min(_ephemeral_start(), 32_768) - _BUS
    for _ in range(1000):
        port = _random.randrange(_LOWEST, max(highest, _LOWEST + 1000))
        held = [_hold(port), _hold(port + _BUS)]
        claim = Claim(port, *(number for number in held if number is not None))
        if None not in held:
            return claim
        claim.release()
    raise OSError("no free TCP port found")


def free_port() -> int:
    """Gives a port that was free a moment ago; its cluster bus port too.

    Examples
    --------
    >>> from redisai_rs.testing import free_port
    >>> 1024 < free_port() < 65536
    True
    """
    claim = claim_port()
    claim.release()
    return claim.port


def _ephemeral_start() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768


def _hold(port: int) -> int | None:
    """Binds a port that nothing has to do with; gives the socket's number."""
    with socket.socket() as holder:
        try:
            holder.bind((HOST, port))
        except OSError:
            return None
        # Bound alone, and from now on together with whoever says the same, as servers do.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return holder.detach()
