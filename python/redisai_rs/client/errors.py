"""Error replies as exceptions of this package.

A reply has no class, only its text: the table says which texts of the engine and of the frameworks
mean what. The texts are those of the server, and so those of `redisai_rs.Engine`.
"""

from __future__ import annotations

import re

import redis

from redisai_rs.exceptions import (
    BackendMissingError,
    Error,
    InputError,
    InvalidModelError,
    OutOfMemoryError,
    QueueFullError,
    ReplyError,
    RunError,
    UnsupportedError,
)

_TEXTS: list[tuple[type[Error], str]] = [
    (BackendMissingError, r"ERR Could not load backend|ERR error loading backend"),
    (QueueFullError, r"ERR Queue of device .* is full"),
    (OutOfMemoryError, r"OOM |.*\b(?:out of memory|allocation was refused|memory limit)\b"),
    (
        UnsupportedError,
        r"ERR unsupported backend|ERR Invalid DEVICE|ERR unsupported device"
        r"|ERR Could not initialize queue|.*\bdevice .* is not there",
    ),
    (
        InputError,
        r"ERR Expected \d+ (?:inputs|outputs) but got|(?:ERR )?Number of keys given as "
        r"|ERR (?:the model's|an input|input) |ERR data length |ERR invalid "
        r"|ERR BOOL tensor|ERR Number of string|ERR C-string"
        r"|Unexpected input data type|Got invalid dimensions for input|Invalid rank for input"
        r"|Invalid Feed Input Name|Missing Input|Function does not exist",
    ),
    (ReplyError, r"[A-Z]+ "),
]
_TABLE = [(kind, re.compile(pattern)) for kind, pattern in _TEXTS]
# Texts of a framework have no code in front. A store fails by its model, a run by itself.
_STORES = ("AI.MODELSTORE", "AI.MODELSET", "AI.SCRIPTSTORE", "AI.SCRIPTSET")


def of(error: Exception, command: str = "") -> Exception:
    """The exception of this package for one of redis-py.

    Only error replies that say nothing else: connections, rights, clusters and read-only replicas
    are redis-py's own business, and stay its exceptions.
    """
    if type(error) not in {redis.ResponseError, redis.exceptions.OutOfMemoryError}:
        return error
    text = wire_text(error)
    for kind, pattern in _TABLE:
        if pattern.match(text):
            return kind(text)
    return (InvalidModelError if command in _STORES else RunError)(text)


def wire_text(error: Exception) -> str:
    """The text of an error reply as the server has sent it: redis-py takes the code away."""
    code = getattr(error, "status_code", None)  # from redis-py 7 on
    return f"{code} {error}" if code else str(error)
