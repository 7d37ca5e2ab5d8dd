"""A client that shows replies as they stand on the wire, in RESP2 and RESP3.

redis-py strips `ERR ` from errors and turns simple strings, bulk strings and doubles into the same
Python types; what a command replies is a contract down to these differences.
"""

from __future__ import annotations

import socket
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from redisai_rs._resp import Argument, encode


class Kind(bytes):
    """Bytes of one reply type: equal only to the same bytes of the same type."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and bytes.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), bytes(self)))


class Status(Kind):
    """A simple string: `+…`."""


class Failure(Kind):
    """An error: `-…`, the whole line."""


OK = Status(b"OK")
PONG = Status(b"PONG")
WRONGTYPE = Failure(b"WRONGTYPE Operation against a key holding the wrong kind of value")


def failure(text: str) -> Failure:
    """The error with this line."""
    return Failure(text.encode())


def arity(name: str) -> Failure:
    """The error of a command with the wrong number of arguments."""
    return failure(f"ERR wrong number of arguments for '{name}' command")


class Wire:
    """One connection; calling it sends a command and gives the reply.

    Integers are `int`, doubles `float` (RESP3 only), bulk strings `bytes`, null `None`, arrays
    `list`, maps `dict`, sets `set` (`list` where a member is an array or a map); simple strings and
    errors are `Status` and `Failure`.
    """

    def __init__(self, address: tuple[str, int], protocol: int = 2, timeout: float = 60) -> None:
        self.protocol = protocol
        self._socket = socket.create_connection(address, timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        if protocol == 3:
            assert isinstance(self("HELLO", 3), dict)

    def __call__(self, *arguments: Argument) -> Any:
        self.send(*arguments)
        return self.read()

    def send(self, *arguments: Argument) -> None:
        """Sends a command and does not wait for its reply."""
        self._socket.sendall(encode(arguments))

    def many(self, commands: Iterable[Sequence[Argument]], batch: int = 200) -> list[Any]:
        """Sends many commands in pipelines and gives a reply for each.

        An `ECHO` behind each command shows that it had one reply, not none and not two.
        """
        commands = list(commands)
        replies = []
        for start in range(0, len(commands), batch):
            part = commands[start : start + batch]
            self._socket.sendall(
                b"".join(encode(tuple(one)) + encode(("ECHO", n)) for n, one in enumerate(part))
            )
            for number, command in enumerate(part):
                replies.append(self.read())
                marker = self.read()
                assert marker == b"%d" % number, f"{command!r} shifted the replies: {marker!r}"
        return replies

    def line(self, text: str) -> Any:
        """Sends a command given as one text of words."""
        return self(*text.split())

    def read(self) -> Any:
        """The next reply."""
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind in _LINES:
            return _LINES[kind](rest)
        count = int(rest)
        if kind in b"$=":
            return None if count < 0 else self._exactly(count + 2)[:-2]
        if kind in b"*>":
            return None if count < 0 else [self.read() for _ in range(count)]
        if kind == b"~":
            members = [self.read() for _ in range(count)]
            plain = all(isinstance(member, Hashable) for member in members)
            return set(members) if plain else members
        if kind == b"%":
            return {self.read(): self.read() for _ in range(count)}
        raise ConnectionError(f"not a reply: {line[:40]!r}")

    def close(self) -> None:
        """Closes the connection."""
        self._stream.close()
        self._socket.close()

    def _exactly(self, count: int) -> bytes:
        data = self._stream.read(count)
        if len(data) != count:
            raise ConnectionResetError("the server closed the connection")
        return data


_LINES = {
    b"+": Status,
    b"-": Failure,
    b":": int,
    b",": float,
    b"_": lambda _: None,
    b"#": lambda rest: rest == b"t",
    b"(": int,
}
