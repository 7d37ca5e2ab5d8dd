"""What the Python client adds to redis-py."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from suite.bench import Bench


def clients(bench: Bench) -> dict[str, float]:
    """16 MiB by `Client.tensor_set` and `tensor_get`, beside redis-py's `set` and `get`."""
    script = Path(__file__).with_name("client_reference.py")
    with bench.ours() as server:
        words = [sys.executable, script, server.url, 4 * bench.slice_s * bench.slices]
        command = [*bench.pin, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    took: dict[str, float] = json.loads(done.stdout)
    return {
        "C1": took["set"] / took["tensor_set"],
        "C2": took["get"] / took["tensor_get"],
        "C1 ms": took["tensor_set"] * 1000,
        "C2 ms": took["tensor_get"] * 1000,
    }
