"""What it takes to load each backend with its framework: time, and memory of the server."""

from __future__ import annotations

import statistics
import time

from redisai_rs.testing import Server

from suite.bench import Bench

LIBRARIES = {"ONNX": "onnxruntime", "TORCH": "torch", "TFLITE": "tflite", "TF": "tensorflow"}
MIB = 1 << 20
# A server that has just started returns memory for a moment.
SETTLE_S = 0.5


def load(server: Server, backend: str) -> None:
    """Loads a backend and its framework."""
    stem = LIBRARIES[backend]
    server.execute("AI.CONFIG", "LOADBACKEND", backend, f"redisai_{stem}/redisai_{stem}.so")


def backends(bench: Bench) -> dict[str, float]:
    """Milliseconds and MiB of each, of fresh servers; the first load only fills the page cache."""
    found = {}
    for backend in LIBRARIES:
        measured = [_load(bench, backend) for _ in range(1 + bench.slices)][1:]
        milliseconds, sizes = zip(*measured, strict=True)
        found[f"L {backend} ms"] = statistics.median(milliseconds)
        found[f"L {backend} MiB"] = statistics.median(sizes)
    return found


def _load(bench: Bench, backend: str) -> tuple[float, float]:
    with bench.ours(pinned=False) as server:
        time.sleep(SETTLE_S)
        before, start = server.rss(), time.perf_counter()
        load(server, backend)
        taken = time.perf_counter() - start
        return taken * 1e3, (server.rss() - before) / MIB
