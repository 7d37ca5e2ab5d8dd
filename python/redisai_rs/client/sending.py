"""What both clients need of redis-py."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from redis.client import NEVER_DECODE

from redisai_rs.client.command import Command, Reply, Where
from redisai_rs.exceptions import InputError

# The cluster has another shape now: redis-py knows what to do.
MOVED = (redis.exceptions.MovedError, redis.exceptions.AskError)
CHUNK_SIZE = "MODEL_CHUNK_SIZE"
# Keyword argument of redis-py: the reply in bytes, whatever the client is set to.
IN_BYTES = {NEVER_DECODE: True}
# Where the server does not tell: what it takes as one argument by default.
DEFAULT_CHUNK = 511 << 20
# How much is sent between two calls of a progress callback.
PIECE = 1 << 20


def client_of(
    module: Any, server: Any, *, cluster: bool, options: dict[str, Any]
) -> tuple[Any, bool]:
    """A client of redis-py, and whether it is one of a cluster.

    module: `redis` or `redis.asyncio`; server: a URL, or a client of that module.
    """
    if isinstance(server, str):
        if not cluster:
            # A connection that the server has closed meanwhile: without this it would be an
            # error, since redis-py's own default does not hold for a URL.
            options.setdefault("retry", module.retry.Retry(redis.backoff.NoBackoff(), 1))
        kind = module.RedisCluster if cluster else module.Redis
        server = kind.from_url(server, **options)
    elif options or cluster:
        raise InputError("options are for a URL: the client of redis-py has its own")
    _check_client(server, awaited=module is not redis)
    return server, isinstance(server, module.RedisCluster)


def _check_client(client: Any, *, awaited: bool) -> None:
    """Raises where a client of redis-py is none, or of the other kind."""
    execute = getattr(client, "execute_command", None)
    if execute is None:
        raise InputError(f"{type(client).__name__} is no client of redis-py, and no URL")
    if inspect.iscoroutinefunction(execute) != awaited:
        what = "that waits: use redisai_rs" if awaited else "for asyncio: use redisai_rs.aio"
        raise InputError(f"{type(client).__name__} is a client {what}.Client")


def options_of(command: Command[Any], cluster: Any) -> dict[str, Any]:
    """Keyword arguments of redis-py's `execute_command`; `cluster`: its client, if it is one of."""
    options: dict[str, Any] = dict(IN_BYTES)
    if cluster is not None and command.where is not Where.KEYS:
        # The nodes themselves: redis-py looks for keys in a command that has a flag for them.
        one = command.where is Where.ANY
        options["target_nodes"] = cluster.get_default_node() if one else cluster.get_primaries()
    return options


def of_nodes(command: Command[Any], reply: Reply) -> Reply:
    """The list of replies where a command goes to several nodes, of whatever server."""
    if command.where is not Where.PRIMARIES:
        return reply
    return list(reply.values()) if isinstance(reply, dict) else [reply]


def pieces(packed: Sequence[Any], command: Command[Any]) -> Iterator[memoryview]:
    """The bytes of a packed command piece by piece; tells its progress before the next."""
    views = [memoryview(item) for item in packed]
    total = len(command.blob or b"")
    # The words come first, and are none of the model's bytes; nor is the line's end behind it.
    sent = total + len(b"\r\n") - sum(map(len, views))
    for view in views:
        for at in range(0, len(view), PIECE):
            piece = view[at : at + PIECE]
            yield piece
            before, sent = sent, min(sent + len(piece), total)
            if command.progress is not None and sent > max(before, 0):
                command.progress(sent, total)
