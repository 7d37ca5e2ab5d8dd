"""A process that stores and reads the same 16 MiB by redis-py and by our client, in turns.

Asked by `clients.py`: the server's URL, and for how many seconds. Prints each median in seconds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import redis
import redisai_rs as rai

VALUES = np.arange(4 << 20, dtype=np.float32)


def main() -> None:
    url, seconds = sys.argv[1], float(sys.argv[2])
    plain = redis.Redis.from_url(url)
    client = rai.Client(url)
    blob = VALUES.tobytes()
    calls: dict[str, Callable[[], object]] = {
        "set": lambda: plain.set("plain", blob),
        "tensor_set": lambda: client.tensor_set("tensor", VALUES),
        "get": lambda: plain.get("plain"),
        "tensor_get": lambda: client.tensor_get("tensor"),
    }
    for call in calls.values():
        call()
    assert plain.get("plain") == blob
    np.testing.assert_array_equal(client.tensor_get("tensor"), VALUES)
    took: dict[str, list[float]] = {name: [] for name in calls}
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(took["get"]) < 5:
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            took[name].append(time.perf_counter() - start)
    print(json.dumps({name: statistics.median(times) for name, times in took.items()}))


main()
