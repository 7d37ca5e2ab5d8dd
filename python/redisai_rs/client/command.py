"""One command: its arguments, and what its reply means."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from redisai_rs.exceptions import InputError, TimeoutError

Key = str | bytes
"""A key, or another word of the wire; text is sent as UTF-8."""

Argument = bytes | memoryview | str | int
Reply = Any
"""What redis-py gives: `bytes`, `int`, `float`, `None`, an error as an object, lists of them."""

Progress = Callable[[int, int], object]
"""Called with the bytes sent so far and how many there are."""

T = TypeVar("T")


class Where(enum.Enum):
    """The nodes of a cluster that a command goes to."""

    KEYS = enum.auto()
    """That of its keys."""
    ANY = enum.auto()
    """One, whichever."""
    PRIMARIES = enum.auto()
    """Each primary (replicas refuse what changes options); the reply is the list of theirs."""


@dataclass(frozen=True)
class Command(Generic[T]):
    """A command that has not been sent."""

    args: Sequence[Argument]
    """Its words, the first is the command's name."""
    parse: Callable[[Reply], T]
    """Makes the result of a reply; raises where the reply stands for an error."""
    where: Where = Where.KEYS
    blob: memoryview | None = None
    """What follows the words, in chunks of the server's `MODEL_CHUNK_SIZE`."""
    progress: Progress | None = None
    """Told how much of the blob has been sent."""
    instead: Callable[[Reply], Command[T] | None] = lambda _: None
    """The command to send after this one where its reply is not enough."""

    def words(self, chunk: int) -> list[Argument]:
        """All its words, the blob in chunks of at most so many bytes; nothing is copied."""
        blob = self.blob or memoryview(b"")
        return [*self.args, *(blob[at : at + chunk] for at in range(0, len(blob), chunk))]


# Arguments -----------------------------------------------------------------------------------


def word(value: Key) -> bytes:
    """The bytes of a key or a word; what `text` has made of bytes becomes the same bytes."""
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, bytes):
        return value
    raise InputError(f"{type(value).__name__} is no key: give str or bytes")


def counted(keyword: str, values: Sequence[Key]) -> list[Argument]:
    """A section: its keyword, how many, the words."""
    return [keyword, len(values), *many(values)]


def many(values: Sequence[Key]) -> list[bytes]:
    """The bytes of several words; a single text would be taken for its letters."""
    if isinstance(values, str | bytes):
        raise InputError(f"{values!r} is one name: give a list of names")
    return [word(value) for value in values]


def timeout_words(timeout: float | None) -> list[Argument]:
    """`TIMEOUT` in milliseconds, rounded up, of seconds."""
    return [] if timeout is None else ["TIMEOUT", milliseconds(timeout)]


def milliseconds(seconds: float) -> int:
    """Rounded up, so that a short time does not become none."""
    if not math.isfinite(seconds):
        raise InputError(f"{seconds} is no time in seconds")
    return math.ceil(seconds * 1000)


# Replies -------------------------------------------------------------------------------------


def text(value: Reply) -> str:
    """The text of a bulk string, whatever bytes it holds."""
    if isinstance(value, bytes):
        return value.decode(errors="surrogateescape")
    return str(value)


def texts(values: Iterable[Reply]) -> list[str]:
    """As `text`, of several."""
    return [text(value) for value in values]


def pairs(reply: Reply) -> dict[str, Reply]:
    """A flat array of names and values, or a map."""
    if isinstance(reply, dict):
        return {text(name): value for name, value in reply.items()}
    return {text(name): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


def done(reply: Reply) -> None:
    """`OK`, or `TIMEDOUT` in its place."""
    check(reply)


def check(reply: Reply) -> Reply:
    """Raises where a reply stands for a run that took too long."""
    if isinstance(reply, bytes | str) and reply in {b"TIMEDOUT", "TIMEDOUT"}:
        raise TimeoutError("TIMEDOUT")
    return reply
