"""The engine in a Python process beside ONNX Runtime's own Python API, in turns in one process.

python python_reference.py runs MODEL SECONDS SLICES     one caller: the median of a run, us
python python_reference.py threads MODEL SECONDS SLICES  eight callers of one row: rows a second

Both print JSON: for each way of running one number a slice.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import redisai_rs as rai
from reference import session

THREADS = 8
IN_FLIGHT = 8
BATCHSIZE = 32

Found = dict[str, list[float]]


def runs(path: Path, seconds: float, slices: int) -> Found:
    """The time of a run of one row, called again and again."""
    theirs = session(path)
    row = _row(theirs)
    with rai.Engine(intra_op_threads=1) as engine:
        ours = engine.load(path)
        np.testing.assert_allclose(ours.run(row), theirs.run(None, {"x": row})[0], rtol=1e-4)
        ways: dict[str, Callable[[], object]] = {
            "ours": lambda: ours.run(row),
            "theirs": lambda: theirs.run(None, {"x": row}),
        }
        found: Found = {name: [] for name in ways}
        for way in ways.values():  # not counted
            _p50(way, seconds / 4)
        for _ in range(slices):
            for name, way in ways.items():
                found[name].append(_p50(way, seconds))
    return found


def threads(path: Path, seconds: float, slices: int) -> Found:
    """Rows a second of eight threads."""
    theirs = session(path)
    row = _row(theirs)
    with rai.Engine(intra_op_threads=1) as engine:
        ours = engine.load(path, batch_size=BATCHSIZE)

        def ahead(goes_on: Callable[[], bool]) -> int:
            """Keeps eight futures in flight."""
            count, flying = 0, deque(ours.submit(row) for _ in range(IN_FLIGHT))
            while goes_on():
                flying.popleft().result()
                flying.append(ours.submit(row))
                count += 1
            for run in flying:
                run.result()
            return count

        ways = {
            "futures": ahead,
            "theirs": _again(lambda: theirs.run(None, {"x": row})),
            "ours": _again(lambda: ours.run(row)),
        }
        found: Found = {name: [] for name in ways}
        for way in ways.values():  # not counted; batches learn what they cost
            _rate(way, seconds)
        for _ in range(slices):
            for name, way in ways.items():
                found[name].append(_rate(way, seconds))
    return found


def _row(theirs: object) -> np.ndarray:
    shape = [dim if isinstance(dim, int) else 1 for dim in theirs.get_inputs()[0].shape]  # type: ignore[attr-defined]
    return np.random.default_rng(7).standard_normal(shape, dtype=np.float32)


def _p50(way: Callable[[], object], seconds: float) -> float:
    times, now = [], time.perf_counter_ns
    end = now() + int(seconds * 1e9)
    while (begun := now()) < end:
        way()
        times.append(now() - begun)
    return statistics.median(times) / 1e3


def _again(way: Callable[[], object]) -> Callable[[Callable[[], bool]], int]:
    def again(goes_on: Callable[[], bool]) -> int:
        count = 0
        while goes_on():
            way()
            count += 1
        return count

    return again


def _rate(way: Callable[[Callable[[], bool]], int], seconds: float) -> float:
    """What all threads together do in a second."""
    counts, barrier = [0] * THREADS, threading.Barrier(THREADS + 1)

    def one(number: int) -> None:
        barrier.wait()
        end = time.perf_counter() + seconds
        counts[number] = way(lambda: time.perf_counter() < end)

    all_of_them = [threading.Thread(target=one, args=(number,)) for number in range(THREADS)]
    for each in all_of_them:
        each.start()
    barrier.wait()
    begun = time.perf_counter()
    for each in all_of_them:
        each.join()
    return sum(counts) / (time.perf_counter() - begun)


if __name__ == "__main__":
    what = {"runs": runs, "threads": threads}[sys.argv[1]]
    print(json.dumps(what(Path(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))))
