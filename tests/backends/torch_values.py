"""What the tests of torch share: commands, and tensors set and got."""

from __future__ import annotations

import numpy as np
import redis

FLOAT = np.float32


def say(client: redis.Redis, *words: object) -> object:
    return client.execute_command(*words)


def put(client: redis.Redis, key: str, array: np.ndarray) -> None:
    say(client, "AI.TENSORSET", key, "FLOAT", *array.shape, "BLOB", array.astype(FLOAT).tobytes())


def get(client: redis.Redis, key: str) -> np.ndarray:
    _, _, _, shape, _, blob = say(client, "AI.TENSORGET", key, "META", "BLOB")
    return np.frombuffer(blob, dtype=FLOAT).reshape(shape)
