"""Model serving inside Redis and Valkey, and in a Python process.

`Engine` runs models in this process; `Client`, and `redisai_rs.aio.Client` for asyncio, on a
server. The package also carries the Redis module (`module_path`) and its backend libraries;
`redisai_rs.testing` starts real servers with it. The command line is `redisai-rs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from redisai_rs._core import Tensor as Tensor
from redisai_rs._core import __version__
from redisai_rs.build import BuildInfo, build_info
from redisai_rs.exceptions import (
    BackendMissingError,
    Error,
    InputError,
    InvalidModelError,
    NotInstalledError,
    OutOfMemoryError,
    QueueFullError,
    ReplyError,
    RunError,
    TimeoutError,
    UnsupportedError,
)
from redisai_rs.paths import module_path

if TYPE_CHECKING:
    from redisai_rs.client import Client
    from redisai_rs.engine import Dag, Engine, Model, Run, Script

__all__ = [
    "BackendMissingError",
    "BuildInfo",
    "Client",
    "Dag",
    "Engine",
    "Error",
    "InputError",
    "InvalidModelError",
    "Model",
    "NotInstalledError",
    "OutOfMemoryError",
    "QueueFullError",
    "ReplyError",
    "Run",
    "RunError",
    "Script",
    "Tensor",
    "TimeoutError",
    "UnsupportedError",
    "__version__",
    "build_info",
    "module_path",
]


def __getattr__(name: str) -> object:
    """Imports the engine and the client, which need more, when they are first asked for."""
    if name in {"Dag", "Engine", "Model", "Run", "Script"}:
        from redisai_rs import engine  # noqa: PLC0415

        return getattr(engine, name)
    if name == "Client":
        from redisai_rs import client  # noqa: PLC0415

        return client.Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
