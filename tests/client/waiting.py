"""A client of asyncio for tests that are written for the one that waits."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import redis
from redisai_rs import aio
from redisai_rs.client import Dag


class Waiting:
    """Has the methods of a client or a pipeline of asyncio, and waits for each."""

    def __init__(self, loop: asyncio.AbstractEventLoop, inner: Any, plain: redis.Redis):
        self._loop = loop
        self._inner = inner
        self.redis = plain

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            return self._waited(method(*args, **kwargs))

        return call

    def __len__(self) -> int:
        return len(self._inner)

    def _waited(self, result: Any) -> Any:
        if inspect.iscoroutine(result):
            return self._loop.run_until_complete(result)
        if isinstance(result, Dag):
            run = result._execute
            result._execute = lambda command: self._waited(run(command))
            return result
        if result is self._inner:
            return self
        if isinstance(result, aio.Pipeline):
            return Waiting(self._loop, result, self.redis)
        return result
