"""The client of a server, over redis-py; `redisai_rs.aio` has the same for asyncio."""

from __future__ import annotations

from redisai_rs.exceptions import NotInstalledError

try:
    import redis as _redis  # noqa: F401
except ImportError as error:
    raise NotInstalledError("redis-py is missing: `pip install 'redisai-rs[client]'`") from error

from redisai_rs.client.dags import Dag
from redisai_rs.client.models import ModelDefinition
from redisai_rs.client.scripts import ScriptDefinition
from redisai_rs.client.server import Details, Info, Percentiles, ValueInfo
from redisai_rs.client.sync import Client, Pipeline
from redisai_rs.client.tensors import TensorMeta

__all__ = [
    "Client",
    "Dag",
    "Details",
    "Info",
    "ModelDefinition",
    "Percentiles",
    "Pipeline",
    "ScriptDefinition",
    "TensorMeta",
    "ValueInfo",
]
