"""The client that waits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import redis

from redisai_rs.client import errors, models, scripts, sending, server, tensors
from redisai_rs.client.command import Command, Reply
from redisai_rs.client.dags import Dags, Outputs
from redisai_rs.client.methods import like
from redisai_rs.client.queue import Queue, results

P = ParamSpec("P")
T = TypeVar("T")


def _method(build: Callable[P, Command[T]]) -> Callable[Concatenate[Client, P], T]:
    def call(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._execute(build(*args, **kwargs))

    return like(build, call)


class Client(Dags[Outputs]):
    """The `AI.*` commands of a server, over redis-py: NumPy arrays in and out.

    Parameters
    ----------
    server
        A URL, as `redis.Redis.from_url` takes it (`redis://`, `rediss://` for TLS, `unix://`), or
        a client of redis-py: `redis.Redis` or `redis.RedisCluster`, with its pool, protocol,
        retries and credentials.
    cluster
        Whether the URL is that of a node of a cluster.
    **options
        What redis-py's own client takes, for a URL: `protocol=3`, `socket_timeout=5`, `retry=…`
        (left out: once more, at once, on a new connection).

    Errors of the server that the engine has too are exceptions of `redisai_rs`, with the same
    text; what concerns connections, rights and clusters are those of redis-py. It may be used by
    any number of threads.

    Examples
    --------
    >>> import redisai_rs as rai
    >>> client = rai.Client(url)
    >>> client.tensor_set("x", [1.5, 2.5])
    >>> client.tensor_get("x")
    array([1.5, 2.5])
    """

    def __init__(
        self,
        server: str | redis.Redis | redis.RedisCluster = "redis://localhost",
        *,
        cluster: bool = False,
        **options: Any,
    ):
        self._owned = isinstance(server, str)
        self.redis: Any
        """The client of redis-py, for every other command."""
        self.redis, self._cluster = sending.client_of(
            redis, server, cluster=cluster, options=options
        )

    tensor_set = _method(tensors.tensor_set)
    tensor_get = _method(tensors.tensor_get)
    tensor_meta = _method(tensors.tensor_meta)
    model_store = _method(models.model_store)
    model_set = _method(models.model_set)
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
        """Commands that are sent together; each method of the client adds one.

        Parameters
        ----------
        transaction
            Whether they run in `MULTI`, where the server refuses runs.

        Examples
        --------
        >>> pipe = client.pipeline().tensor_set("x", [1, 2]).tensor_get("x")
        >>> pipe.execute()
        [None, array([1, 2])]
        """
        return Pipeline(self, transaction)

    def close(self) -> None:
        """Closes the connections, if the client was made of a URL; `with` does so at its end.

        Examples
        --------
        >>> rai.Client(url).close()
        """
        if self._owned:
            self.redis.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<redisai_rs.Client of {self.redis!r}>"

    def _run_dag(self, command: Command[Outputs]) -> Outputs:
        return self._execute(command)

    def _execute(self, command: Command[T]) -> T:
        try:
            reply = self._reply(command)
        except redis.ResponseError as error:
            raise errors.of(error, str(command.args[0])) from error
        again = command.instead(reply)
        return command.parse(reply) if again is None else self._execute(again)

    def _reply(self, command: Command[Any]) -> Reply:
        words = command.words(self._chunk_size(command))
        if command.progress is not None and command.blob is not None:
            with contextlib.suppress(*sending.MOVED):
                return self._send_in_pieces(command, words)
        options = sending.options_of(command, self.redis if self._cluster else None)
        return sending.of_nodes(command, self.redis.execute_command(*words, **options))

    def _chunk_size(self, *commands: Command[Any]) -> int:
        """The server's, if one of the commands has something to cut."""
        if all(command.blob is None for command in commands):
            return sending.DEFAULT_CHUNK
        try:
            return int(self._execute(server.config_get(sending.CHUNK_SIZE)) or 0)
        except redis.exceptions.NoPermissionError:
            return sending.DEFAULT_CHUNK

    def _send_in_pieces(self, command: Command[Any], words: Sequence[Any]) -> Reply:
        """Sends a command on one connection, telling how far it is."""
        node = self.redis
        if self._cluster:
            node = node.get_redis_connection(node.get_node_from_key(words[1]))
        connection = node.connection or node.connection_pool.get_connection()

        def send() -> Reply:
            packed = connection.pack_command(*words)
            connection.send_packed_command(sending.pieces(packed, command))
            return node.parse_response(connection, words[0], **sending.IN_BYTES)

        try:
            return connection.retry.call_with_retry(send, lambda _: connection.disconnect())
        finally:
            if not node.connection:
                node.connection_pool.release(connection)


class Pipeline(Queue["Pipeline"]):
    """Commands that go to the server together; made by `Client.pipeline`.

    Each method adds a command and gives the pipeline. It may be used again after `execute`.

    Examples
    --------
    >>> pipe = client.pipeline()
    >>> pipe.model_store("m", "digits.onnx").tensor_set("x", dtype="FLOAT", shape=(1, 64))
    <redisai_rs.Pipeline of 2 commands>
    >>> pipe.model_execute("m", ["x"], ["digit", "p"]).tensor_meta("p").execute()[-1]
    TensorMeta(dtype='FLOAT', shape=(1, 10))
    """

    def __init__(self, client: Client, transaction: bool):
        super().__init__(transaction)
        self._client = client

    def execute(self, *, raise_on_error: bool = True) -> list[Any]:
        """Sends the commands and gives their results.

        Parameters
        ----------
        raise_on_error
            Whether to raise the first error; otherwise errors stand in the places of results.

        Examples
        --------
        >>> client.pipeline().tensor_set("x", [1]).tensor_meta("x").execute()
        [None, TensorMeta(dtype='INT64', shape=(1,))]
        """
        commands = self._taken()
        chunk = self._client._chunk_size(*commands)
        pipe = self._filled(self._client.redis, commands, chunk)
        return results(commands, pipe.execute(raise_on_error=False), raise_on_error=raise_on_error)
