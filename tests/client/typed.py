"""What a type checker says of the clients; `make lint` asks it, nothing runs this."""

from __future__ import annotations

from typing import Any, assert_type

import redisai_rs as rai
import redisai_rs.aio
from redisai_rs.client import Info, ModelDefinition, Pipeline, ScriptDefinition, TensorMeta


def waiting(client: rai.Client) -> None:
    assert_type(client.tensor_meta("x"), TensorMeta)
    assert_type(client.model_get("m", meta=True), ModelDefinition)
    assert_type(client.script_get("s"), ScriptDefinition)
    assert_type(client.info("m", full=True), Info)
    assert_type(client.model_scan(), list[tuple[str, str]])
    assert_type(client.config_get("MODEL_CHUNK_SIZE"), str | int | None)
    assert_type(client.dag(load=["x"]).get("x").run(), dict[str, Any])
    assert_type(client.pipeline().tensor_get("x"), Pipeline)
    assert_type(client.pipeline().dag(load=["x"]).get("x").run().execute(), list[Any])
    client.tensor_get(5)  # type: ignore[arg-type]
    client.model_execute("m", ["x"])  # type: ignore[call-arg]


async def awaited(client: redisai_rs.aio.Client) -> None:
    assert_type(await client.tensor_meta("x"), TensorMeta)
    assert_type(await client.model_get("m"), ModelDefinition)
    assert_type(await client.dag(load=["x"]).get("x").run(), dict[str, Any])
    assert_type(client.pipeline().tensor_get("x"), redisai_rs.aio.Pipeline)
    assert_type(await client.pipeline().tensor_get("x").execute(), list[Any])
