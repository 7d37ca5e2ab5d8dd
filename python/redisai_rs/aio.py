"""The client of a server for asyncio.

`Client` has the methods of `redisai_rs.Client`, awaited.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from redisai_rs.client import errors, models, scripts, sending, server, tensors
from redisai_rs.client.command import Command, Reply
from redisai_rs.client.dags import Dags, Outputs
from redisai_rs.client.methods import like
from redisai_rs.client.queue import Queue, results

import redis.asyncio  # isort: skip (the package above says so where it is missing)

P = ParamSpec("P")
T = TypeVar("T")
Method = Callable[Concatenate["Client", P], Coroutine[Any, Any, T]]


def _method(build: Callable[P, Command[T]]) -> Method[P, T]:
    async def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._execute(build(*args, **kwargs))

    return like(build, call)


def _reading(build: Callable[P, Command[T]]) -> Method[P, T]:
    """Of a function that reads a file, which the event loop should not wait for."""

    async def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._execute(await asyncio.to_thread(build, *args, **kwargs))

    return like(build, call)


class Client(Dags[Coroutine[Any, Any, Outputs]]):
    """The `AI.*` commands of a server, over `redis.asyncio`: NumPy arrays in and out.

    Parameters
    ----------
    server
        A URL, as `redis.asyncio.Redis.from_url` takes it, or a client of redis-py:
        `redis.asyncio.Redis` or `redis.asyncio.RedisCluster`.
    cluster
        Whether the URL is that of a node of a cluster.
    **options
        What redis-py's own client takes, for a URL, as for `redisai_rs.Client`.

    Arguments, results and errors of the methods are those of `redisai_rs.Client`. Progress of a
    model that is sent is told on the event loop.

    Examples
    --------
    >>> import asyncio
    >>> import redisai_rs.aio
    >>> async def main():
    ...     async with redisai_rs.aio.Client(url) as client:
    ...         await client.tensor_set("x", [1.5, 2.5])
    ...         return await client.tensor_get("x")
    >>> asyncio.run(main())
    array([1.5, 2.5])
    """

    def __init__(
        self,
        server: str | redis.asyncio.Redis | redis.asyncio.RedisCluster = "redis://localhost",
        *,
        cluster: bool = False,
        **options: Any,
    ):
        self._owned = isinstance(server, str)
        self.redis: Any
        """The client of redis-py, for every other command."""
        self.redis, self._cluster = sending.client_of(
            redis.asyncio, server, cluster=cluster, options=options
        )

    tensor_set = _method(tensors.tensor_set)
    tensor_get = _method(tensors.tensor_get)
    tensor_meta = _method(tensors.tensor_meta)
    model_store = _reading(models.model_store)
    model_set = _reading(models.model_set)
    model_get = _method(models.model_get)
    model_del = _method(models.model_del)
    model_execute = _method(models.model_execute)
    model_run = _method(models.model_run)
    model_scan = _method(models.model_scan)
    script_store = _method(scripts.script_store)
    script_set = _method(scripts.script_set)
    script_get = _method(scripts.script_get)
    script_del = _method(scripts.script_del)
    script_execute = _method(scripts.script_execute)
    script_run = _method(scripts.script_run)
    script_scan = _method(scripts.script_scan)
    info = _method(server.info)
    info_reset = _method(server.info_reset)
    config_get = _method(server.config_get)
    model_chunk_size = _method(server.model_chunk_size)
    load_backend = _method(server.load_backend)
    backends_path = _method(server.backends_path)

    def pipeline(self, *, transaction: bool = False) -> Pipeline:
        """Commands that are sent together, as `redisai_rs.Client.pipeline`.

        Examples
        --------
        >>> async def main():
        ...     async with redisai_rs.aio.Client(url) as client:
        ...         return await client.pipeline().tensor_set("x", [1]).tensor_get("x").execute()
        >>> asyncio.run(main())
        [None, array([1])]
        """
        return Pipeline(self, transaction)

    async def aclose(self) -> None:
        """Closes the connections, if the client was made of a URL; `async with` does so at its end.

        Examples
        --------
        >>> async def main():
        ...     await redisai_rs.aio.Client(url).aclose()
        >>> asyncio.run(main())
        """
        if self._owned:
            await self.redis.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<redisai_rs.aio.Client of {self.redis!r}>"

    def _run_dag(self, command: Command[Outputs]) -> Coroutine[Any, Any, Outputs]:
        return self._execute(command)

    async def _execute(self, command: Command[T]) -> T:
        try:
            reply = await self._reply(command)
        except redis.ResponseError as error:
            raise errors.of(error, str(command.args[0])) from error
        again = command.instead(reply)
        return command.parse(reply) if again is None else await self._execute(again)

    async def _reply(self, command: Command[Any]) -> Reply:
        words = command.words(await self._chunk_size(command))
        if command.progress is not None and command.blob is not None:
            with contextlib.suppress(*sending.MOVED):
                return await self._send_in_pieces(command, words)
        await self.redis.initialize()  # a cluster's nodes are known afterwards
        options = sending.options_of(command, self.redis if self._cluster else None)
        return sending.of_nodes(command, await self.redis.execute_command(*words, **options))

    async def _chunk_size(self, *commands: Command[Any]) -> int:
        """The server's, if one of the commands has something to cut."""
        if all(command.blob is None for command in commands):
            return sending.DEFAULT_CHUNK
        try:
            return int(await self._execute(server.config_get(sending.CHUNK_SIZE)) or 0)
        except redis.exceptions.NoPermissionError:
            return sending.DEFAULT_CHUNK

    async def _send_in_pieces(self, command: Command[Any], words: Sequence[Any]) -> Reply:
        """Sends a command on one connection, telling how far it is."""
        async with self._connection(words[1]) as (node, connection):

            async def send() -> Reply:
                packed = connection.pack_command(*words)
                try:
                    for piece in sending.pieces(packed, command):
                        await connection.send_packed_command([piece])
                except BaseException:
                    # Half a command: nobody can use the connection any more.
                    await connection.disconnect(nowait=True)
                    raise
                return await node.parse_response(connection, words[0], **sending.IN_BYTES)

            return await connection.retry.call_with_retry(send, lambda _: connection.disconnect())

    @contextlib.asynccontextmanager
    async def _connection(self, key: bytes) -> AsyncIterator[tuple[Any, Any]]:
        """A connection to the node that has a key, and who reads replies from it."""
        await self.redis.initialize()
        if self._cluster:
            node = self.redis.get_node_from_key(key)
            connection = node.acquire_connection()
            try:
                yield node, connection
            finally:
                node.release(connection)
        elif self.redis.connection:
            yield self.redis, self.redis.connection
        else:
            pool = self.redis.connection_pool
            connection = await pool.get_connection()
            try:
                yield self.redis, connection
            finally:
                await pool.release(connection)


class Pipeline(Queue["Pipeline"]):
    """Commands that go to the server together; made by `Client.pipeline`.

    Each method adds a command and gives the pipeline; only `execute` is awaited.

    Examples
    --------
    >>> client = redisai_rs.aio.Client(url)
    >>> client.pipeline().tensor_set("x", [1]).tensor_get("x")
    <redisai_rs.Pipeline of 2 commands>
    """

    def __init__(self, client: Client, transaction: bool):
        super().__init__(transaction)
        self._client = client

    async def execute(self, *, raise_on_error: bool = True) -> list[Any]:
        """Sends the commands and gives their results, as `redisai_rs.client.Pipeline.execute`.

        Examples
        --------
        >>> async def main():
        ...     async with redisai_rs.aio.Client(url) as client:
        ...         return await client.pipeline().tensor_get("none").execute(raise_on_error=False)
        >>> asyncio.run(main())
        [ReplyError('ERR tensor key is empty or in a different shard')]
        """
        commands = self._taken()
        chunk = await self._client._chunk_size(*commands)
        pipe = self._filled(self._client.redis, commands, chunk)
        replies = await pipe.execute(raise_on_error=False)
        return results(commands, replies, raise_on_error=raise_on_error)


__all__ = ["Client", "Pipeline"]
