"""Runs something again and again in this process: what `Loaded` has, without importing anything."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


def measure(run: Callable[[], object], batch: int, seconds: float) -> dict[str, float]:
    """Gives samples a second, and microseconds a run; `batch` samples are one run."""
    warm = time.perf_counter() + min(0.5, seconds / 4)
    while time.perf_counter() < warm:
        run()
    ends, busy = [time.perf_counter()], time.process_time()
    while ends[-1] < ends[0] + seconds:
        run()
        ends.append(time.perf_counter())
    busy = time.process_time() - busy
    samples = batch * (len(ends) - 1)
    p50, p99 = np.quantile(np.diff(ends), [0.5, 0.99]) * 1e6
    rate = samples / (ends[-1] - ends[0])
    return {"rate": rate, "p50": p50, "p99": p99, "cpu_us": busy / samples * 1e6}
