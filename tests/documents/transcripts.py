"""Reads the command blocks of a document, and shows replies as `redis-cli` does.

A block marked `redis` holds commands behind `> ` (or `name> `, a connection of its own) and, under
each, its reply. `<file>` is the content of a file. `…` stands for what is not shown: the rest of a
line, or, alone, of the reply. Words behind the mark say which servers a block is for:

    from=7.4    this version and later; `until=7.0` likewise
    only=valkey this product
    cluster     the server is a node that has every slot

A block with `file=NAME` is the content of `<NAME>`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from commands.wire import Failure, Status
from redisai_rs.servers import ServerBinary

_BLOCK = re.compile(r"^```(\w+) *([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^(\w*)> (.+)$")


@dataclass
class Block:
    """A fenced block of a document."""

    language: str
    options: dict[str, str]
    text: str
    line: int

    def is_for(self, server: ServerBinary) -> bool:
        """Whether it is for this server."""
        version = server.version[:2]
        return (
            version >= _version(self.options.get("from", "0"))
            and version <= _version(self.options.get("until", "99"))
            and server.product.lower() == self.options.get("only", server.product.lower())
        )


@dataclass
class Step:
    """A command and the reply that is shown under it."""

    connection: str
    words: list[str]
    line: int
    reply: list[str] = field(default_factory=list)

    def arguments(self, files: dict[str, Path]) -> list[str | bytes]:
        """The command's arguments, with the content of files in their places."""
        named = re.compile(r"<(.+)>$")
        found = ((word, named.match(word)) for word in self.words)
        return [files[match[1]].read_bytes() if match else word for word, match in found]

    def fits(self, reply: object) -> bool:
        """Whether a reply is the one that is shown."""
        lines = list(show(reply))
        shown = list(self.reply)
        if shown and shown[-1] == "…":
            shown.pop()
            lines = lines[: len(shown)]
        return len(lines) == len(shown) and all(map(_fits, lines, shown))


def blocks(path: Path) -> Iterator[Block]:
    """The fenced blocks of a document, in order."""
    text = path.read_text()
    for match in _BLOCK.finditer(text):
        pairs = (word.partition("=") for word in match[2].split())
        options = {name: value for name, _, value in pairs}
        yield Block(match[1], options, match[3], text.count("\n", 0, match.start()) + 1)


def files(path: Path, folder: Path) -> dict[str, Path]:
    """Writes the blocks that are files into a folder."""
    found = {}
    for block in blocks(path):
        if name := block.options.get("file"):
            found[name] = folder / name
            found[name].write_text(block.text)
    return found


def steps(block: Block) -> Iterator[Step]:
    """The commands of a `redis` block."""
    current = None
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if match := _COMMAND.match(line):
            if current:
                yield current
            current = Step(match[1], shlex.split(match[2]), number)
        else:
            assert current, f"line {number}: a reply without a command"
            current.reply.append(line)
    if current:
        yield current


def show(reply: object, indent: str = "") -> Iterator[str]:
    """The lines that `redis-cli` prints for a reply."""
    if isinstance(reply, list) and reply:
        width = len(str(len(reply)))
        for number, item in enumerate(reply, 1):
            head = f"{number:>{width}}) "
            inner = list(show(item, indent + " " * len(head)))
            yield (indent if number > 1 else "") + head + inner[0]
            yield from inner[1:]
    else:
        yield _scalar(reply)


def _scalar(reply: object) -> str:
    if isinstance(reply, Failure):
        return f"(error) {reply.decode()}"
    if isinstance(reply, Status):
        return reply.decode()
    if isinstance(reply, bytes):
        return f'"{reply.decode()}"'
    special = {None: "(nil)", (): "(empty array)"}
    key = tuple(reply) if isinstance(reply, list) else reply
    return special.get(key, f"(integer) {reply}")  # type: ignore[call-overload]


def _fits(line: str, shown: str) -> bool:
    return line.startswith(shown[:-1].rstrip()) if shown.endswith("…") else line == shown


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))
