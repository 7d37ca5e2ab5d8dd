"""Tensors and runs as numpy arrays."""

from __future__ import annotations

import numpy as np
import redis


def put(client: redis.Redis, key: str, value: np.ndarray, dtype: str = "FLOAT") -> None:
    """Sets a tensor."""
    client.execute_command("AI.TENSORSET", key, dtype, *value.shape, "BLOB", value.tobytes())


def run(client: redis.Redis, key: str, inputs: list[str], outputs: list[str], *options: object):
    """Runs a model."""
    words = ["INPUTS", len(inputs), *inputs, "OUTPUTS", len(outputs), *outputs]
    return client.execute_command("AI.MODELEXECUTE", key, *words, *options)


def get(client: redis.Redis, key: str, kind: type = np.float32) -> np.ndarray:
    """Gets a tensor of this type."""
    reply = client.execute_command("AI.TENSORGET", key, "META", "BLOB")
    return np.frombuffer(reply[5], kind).reshape(reply[3])
