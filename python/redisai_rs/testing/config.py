"""Writes a server's configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from redisai_rs.testing.process import ServerProcess

Value = str | int | bytes | Sequence[str | int | bytes] | None


def render(server: ServerProcess) -> bytes:
    """Gives the configuration file of a server.

    A text in `server.config` is written after its name as it is, so `"yes"`, `"900 1"` and `'""'`
    mean what they mean in a file; a list gives one line for each of its values; None leaves out a
    default of ours.
    """
    settings = _defaults(server) | server.config
    lines: list[bytes] = []
    for name, value in settings.items():
        if value is None:
            continue
        values = [value] if isinstance(value, str | int | bytes) else value
        lines += [name.encode() + b" " + _bytes(item) for item in values]
    return b"\n".join([*lines, *_module_line(server)]) + b"\n"


def _defaults(server: ServerProcess) -> dict[str, Value]:
    defaults: dict[str, Value] = {
        "bind": server.host,
        "port": server.port,
        "dir": quote(str(server.directory)),
        "save": '""',
        "appendonly": "no",
        "repl-diskless-sync-delay": 0,
    }
    if server.unix_path is not None:
        defaults["unixsocket"] = quote(str(server.unix_path))
    if server.binary.version >= (7,):
        # DEBUG and MODULE are locked on newer servers; tests need them.
        defaults |= {"enable-debug-command": "yes", "enable-module-command": "yes"}
        # A stop shall not wait for replicas that tests have left behind.
        defaults["shutdown-timeout"] = 0
    return defaults


def _module_line(server: ServerProcess) -> Iterator[bytes]:
    if server.module is not None:
        words = [str(server.module.resolve()), *server.module_args]
        yield b"loadmodule " + b" ".join(quote(word).encode() for word in words)


def _bytes(value: str | int | bytes) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def quote(text: str) -> str:
    """Quotes a word as a server's configuration parser reads it."""
    special = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return '"' + "".join(special.get(character, character) for character in text) + '"'
