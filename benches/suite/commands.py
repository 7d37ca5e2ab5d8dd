"""Measurements of single commands, one function a group: figures by name, of one repetition."""

from __future__ import annotations

import math
import time
from pathlib import Path

from redisai_rs.testing import Server

from suite.bench import (
    Bench,
    Command,
    execute,
    store,
    tensor_set,
    usec_per_call,
)

MIB = 1 << 20
IMAGE = (1, 3, 224, 224)  # 600 KiB less a little
LARGE = (4 * MIB,)  # 16 MiB
IDLE_MODELS = 100
IDLE_S = 5.0


def tiny(bench: Bench) -> dict[str, float]:
    """T12."""
    model = bench.models["tiny"]
    with bench.ours() as ours, bench.with_floor(model) as floor:
        store(ours, model)
        run = execute("tiny", "tiny:x", "tiny:y")
        served, least = bench.in_turns(
            lambda: bench.run_load(ours, [[run]]),
            lambda: bench.run_load(floor, [[["FLOOR.RUNHELD"]]]),
        )
    return {
        "T12": served.p50 / least.p50,
        "T12 us": served.p50,
        "T12 floor us": least.p50,
        "T12 cpu": served.cpu_us / least.cpu_us,
    }


def tensors(bench: Bench) -> dict[str, float]:
    """T8 to T11."""
    found = {}
    with bench.ours() as server:
        for name, time_of, shape in (("600K", "T8", IMAGE), ("16M", "T9", LARGE)):
            blob = bytes(4 * math.prod(shape))
            server.execute("CONFIG", "RESETSTAT")
            stored = _beside(bench, server, tensor_set("t", shape, blob), ["SET", "s", blob])
            found[time_of] = usec_per_call(server, "ai.tensorset")
            read = _beside(bench, server, ["AI.TENSORGET", "t", "BLOB"], ["GET", "s"])
            found |= {"T10": stored, f"T11 {name}": read}
    return found


def _beside(bench: Bench, server: Server, ours: Command, plain: Command) -> float:
    """The rate of a command of ours over that of a plain one."""
    sides = bench.in_turns(
        lambda: bench.run_load(server, [[ours]]),
        lambda: bench.run_load(server, [[plain]]),
    )
    return sides[0].rate / sides[1].rate


def memory(bench: Bench) -> dict[str, float]:
    """T13."""
    model = bench.models["mlp"]
    size = model.path.stat().st_size
    with bench.ours(pinned=False) as small, bench.ours(pinned=False) as large:
        store(small, bench.models["tiny"])
        store(large, bench.models["tiny"])
        large.execute("AI.MODELSTORE", "mlp", "ONNX", "CPU", "BLOB", model.blob)
        time.sleep(1)  # what the client's connection held goes with the server's next cron
        stored = large.rss() - small.rss()
        store(large, model)
        for _ in range(100):
            large.execute(*execute("mlp", "mlp:x", "mlp:y"))
        time.sleep(1)
        return {"T13": stored / size, "T13 run": (large.rss() - small.rss()) / size}


def idle(bench: Bench) -> dict[str, float]:
    """T14: how often threads that the module started wake up."""
    model = bench.models["tiny"]
    with bench.ours(pinned=False) as server:
        for index in range(IDLE_MODELS):
            server.execute("AI.MODELSTORE", f"m{index}", "ONNX", "CPU", "BLOB", model.blob)
        store(server, model)
        # Alarms of runs that are over (5 s each) are gone by then.
        time.sleep(6)
        before = _wakes(server.pid)
        time.sleep(IDLE_S)
        after = _wakes(server.pid)
    return {"T14": sum(after[task] - before.get(task, 0) for task in after) / IDLE_S}


def _wakes(pid: int) -> dict[str, int]:
    """Voluntary switches of each thread, but for the server's own."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        name = (task / "comm").read_text().strip()
        if task.name == str(pid) or name.startswith(("bio_", "jemalloc", "io_thd")):
            continue
        status = (task / "status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("voluntary"))
        found[task.name] = int(line.split()[1])
    return found
