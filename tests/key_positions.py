"""What the tests of key positions share."""

from __future__ import annotations

from commands.wire import Wire
from redisai_rs.servers import ServerBinary

# R reads, W overwrites, U updates, D deletes, N is no key but says where to go.
FLAGS = {
    "R": {b"RO", b"access"},
    "W": {b"OW", b"update"},
    "U": {b"RW", b"access", b"update"},
    "D": {b"RM", b"delete"},
    "N": {b"RO", b"not_key"},
}


def check_keys(wire: Wire, server: ServerBinary, line: str, keys: str, access: str) -> None:
    """The server finds these keys in a command, with a letter of `FLAGS` for each from 7.0 on."""
    names = keys.encode().split()
    assert wire("COMMAND", "GETKEYS", *line.split()) == names
    if server.version >= (7, 0):
        found = wire("COMMAND", "GETKEYSANDFLAGS", *line.split())
        expected = [[key, FLAGS[one]] for key, one in zip(names, access, strict=True)]
        assert [[key, {bytes(flag) for flag in flags}] for key, flags in found] == expected
