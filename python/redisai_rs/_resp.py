"""A small RESP2 client, so that starting a server needs no client library."""

from __future__ import annotations

import socket
from typing import BinaryIO

from redisai_rs.exceptions import ReplyError

Reply = bytes | int | None | list["Reply"] | ReplyError
Argument = bytes | str | int | float


class Connection:
    """One connection. Errors that a server replies are raised as `ReplyError`."""

    def __init__(self, address: tuple[str, int] | str, timeout: float = 60) -> None:
        """Connects to (host, port) or to the path of a Unix socket."""
        if isinstance(address, str):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.settimeout(timeout)
            self._socket.connect(address)
        else:
            self._socket = socket.create_connection(address, timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream: BinaryIO = self._socket.makefile("rb")

    def execute(self, *arguments: Argument) -> Reply:
        """Sends a command and gives its reply."""
        self._socket.sendall(encode(arguments))
        reply = self._read()
        if isinstance(reply, ReplyError):
            raise reply
        return reply

    def close(self) -> None:
        """Closes the connection."""
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> Reply:
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return ReplyError(rest.decode(errors="replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self._read_exactly(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self._read() for _ in range(int(rest))]
        raise ConnectionError(f"not a RESP2 reply: {line[:40]!r}")

    def _read_exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise ConnectionResetError("the server closed the connection")
        return data


def encode(arguments: tuple[Argument, ...]) -> bytes:
    """Gives the bytes of a command."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        data = argument if isinstance(argument, bytes) else str(argument).encode()
        parts += (b"$%d\r\n" % len(data), data, b"\r\n")
    return b"".join(parts)
