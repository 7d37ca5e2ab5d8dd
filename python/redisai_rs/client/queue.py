"""Commands that are collected and sent together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, cast

from redisai_rs.client import errors, models, scripts, sending, server, tensors
from redisai_rs.client.command import Argument, Command, Reply
from redisai_rs.client.dags import Dags, Outputs
from redisai_rs.client.methods import like
from redisai_rs.exceptions import InputError

P = ParamSpec("P")
Q = TypeVar("Q", bound="Queue[Any]")
R = TypeVar("R")


def _method(build: Callable[P, Command[Any]]) -> Callable[Concatenate[Q, P], Q]:
    def call(self: Q, /, *args: P.args, **kwargs: P.kwargs) -> Q:
        return self._add(build(*args, **kwargs))

    return like(build, call, "Self")


class Queue(Dags[R]):
    """The commands of a pipeline: each method adds one and gives the pipeline."""

    def __init__(self, transaction: bool) -> None:
        self._commands: list[Command[Any]] = []
        self._transaction = transaction

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

    def _run_dag(self, command: Command[Outputs]) -> R:
        self._add(command)
        return cast(R, self)

    def execute_command(self, *args: Argument) -> Self:
        """Adds any other command; its result is the reply as it comes, in bytes.

        Examples
        --------
        >>> client.pipeline().tensor_set("x", [1]).execute_command("TYPE", "x").execute()
        [None, b'AI_TENSOR']
        """
        return self._add(Command(args, _raised))

    def __repr__(self) -> str:
        return f"<redisai_rs.Pipeline of {len(self)} commands>"

    def __len__(self) -> int:
        return len(self._commands)

    def _add(self, command: Command[Any]) -> Self:
        self._commands.append(command)
        return self

    def _taken(self) -> list[Command[Any]]:
        commands, self._commands = self._commands, []
        return commands

    def _filled(self, client: Any, commands: Sequence[Command[Any]], chunk: int) -> Any:
        """A pipeline of redis-py with these commands."""
        if self._transaction and client.get_encoder().decode_responses:
            raise InputError(
                "a transaction of a client with decode_responses=True would decode tensors: "
                "give one without it"
            )
        pipe = client.pipeline(transaction=self._transaction)
        for command in commands:
            pipe.execute_command(*command.words(chunk), **sending.IN_BYTES)
        return pipe


def _raised(reply: Reply) -> Reply:
    if isinstance(reply, Exception):
        raise reply
    return reply


def results(
    commands: Sequence[Command[Any]], replies: Sequence[Reply], *, raise_on_error: bool
) -> list[Any]:
    """What each command's reply means; an error in its place, or raised."""
    found = []
    for place, (command, reply) in enumerate(zip(commands, replies, strict=True)):
        value: Any
        try:
            value = _result(command, reply)
        except Exception as error:
            if raise_on_error:
                error.add_note(f"command {place} of the pipeline: {command.args[0]!r}")
                raise
            value = error
        found.append(value)
    return found


def _result(command: Command[Any], reply: Reply) -> Any:
    if isinstance(reply, Exception):
        raise errors.of(reply, str(command.args[0])) from reply
    if command.instead(reply) is not None:
        raise InputError("a string of the tensor holds a NUL: get it with values=True")
    return command.parse(sending.of_nodes(command, reply))
