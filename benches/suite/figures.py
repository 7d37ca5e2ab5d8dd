"""The measurements, one function a group; each gives figures by name, of one repetition."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
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
CONNECTIONS = (1, 8, 32)
IDLE_MODELS = 100
IDLE_S = 5.0


@dataclass(frozen=True)
class Figure:
    """A line of the table."""

    name: str
    text: str
    unit: str = "x"
    """`x`: a ratio."""
    at_least: float | None = None
    at_most: float | None = None
    """The target; with neither the figure is for information."""


FIGURES = [
    Figure("T6", "conv, three pipelined commands / in process, P1, c = 1", at_least=0.97),
    Figure("T8", "TENSORSET 600 KiB, main thread", "us", at_most=4),
    Figure("T9", "TENSORSET 16 MiB overwriting, main thread", "us", at_most=20),
    Figure("T10", "TENSORSET 16 MiB / SET", at_least=0.9),
    Figure("T11 600K", "TENSORGET BLOB 600 KiB / GET", at_least=0.95),
    Figure("T11 16M", "TENSORGET BLOB 16 MiB / GET", at_least=0.95),
    Figure("T12", "MODELEXECUTE tiny p50 / floor's p50, P1, c = 1", at_most=1.15),
    Figure("T13", "memory of mlp stored / its file", at_most=2.05),
    Figure("T13 run", "the same after runs"),
    Figure("T14", "wake-ups a second, 100 idle models", "1/s", at_most=0),
    Figure("T12 us", "MODELEXECUTE tiny, p50", "us"),
    Figure("T12 floor us", "floor on a held input, p50", "us"),
    Figure("T12 cpu", "server's CPU a request / floor's"),
    *[Figure(f"floor c={c}", f"floor / SET 1 KiB + GET 8 B, P1, c = {c}") for c in CONNECTIONS],
    *[Figure(f"tiny c={c}", f"tiny, three commands / floor, P1, c = {c}") for c in CONNECTIONS],
    Figure("T6 us", "conv, three pipelined commands, server's CPU a request", "us"),
]


def tiny(bench: Bench) -> dict[str, float]:
    """T12, and the floor beside plain commands."""
    model = bench.models["tiny"]
    with bench.ours() as ours, bench.with_floor() as floor:
        store(ours, model)
        run: Command = execute("tiny", "tiny:x", "tiny:y")
        cpu: dict[str, float] = {}

        def p50(server: Server, command: Command) -> float:
            loaded = bench.run_load(server, [[command]])
            cpu[str(command[0])] = loaded.cpu_us
            return loaded.p50

        a, b = bench.in_turns(lambda: p50(ours, run), lambda: p50(floor, ["FLOOR.RUNHELD"]))
        found = {"T12": a / b, "T12 us": a, "T12 floor us": b}
        found["T12 cpu"] = cpu["AI.MODELEXECUTE"] / cpu["FLOOR.RUNHELD"]
        for count in CONNECTIONS:
            found |= _pipelines(bench, ours, floor, count)
    return found


def _pipelines(bench: Bench, ours: Server, floor: Server, count: int) -> dict[str, float]:
    model = bench.models["tiny"]
    blob = model.input.tobytes()
    plain = [[["SET", f"in{i}", blob], ["GET", f"out{i}"]] for i in range(count)]
    three = [
        [
            tensor_set(f"x{i}", model.shape, blob),
            execute("tiny", f"x{i}", f"y{i}"),
            ["AI.TENSORGET", f"y{i}", "BLOB"],
        ]
        for i in range(count)
    ]
    for i in range(count):
        floor.execute("SET", f"out{i}", b"8 bytes.")
    served, least, without = bench.in_turns(
        lambda: bench.run_load(ours, three, count).rate,
        lambda: bench.run_load(floor, [[["FLOOR.RUN", blob]]], count).rate,
        lambda: bench.run_load(floor, plain, count).rate,
    )
    return {f"floor c={count}": least / without, f"tiny c={count}": served / least}


def conv(bench: Bench) -> dict[str, float]:
    """T6."""
    model = bench.models["conv"]
    with bench.ours() as server:
        store(server, model)
        pipeline = [
            tensor_set("x", model.shape, model.input.tobytes()),
            execute("conv", "x", "y"),
            ["AI.TENSORGET", "y", "BLOB"],
        ]
        cpu = 0.0

        def serve() -> float:
            nonlocal cpu
            loaded = bench.run_load(server, [pipeline], seconds=2 * bench.slice_s)
            cpu = loaded.cpu_us
            return loaded.rate

        served, alone = bench.in_turns(serve, lambda: bench.reference(model, 1, 2 * bench.slice_s))
    return {"T6": served / alone, "T6 us": cpu}


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
    rates = bench.in_turns(
        lambda: bench.run_load(server, [[ours]]).rate,
        lambda: bench.run_load(server, [[plain]]).rate,
    )
    return rates[0] / rates[1]


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


GROUPS = {"tiny": tiny, "conv": conv, "tensors": tensors, "memory": memory, "idle": idle}
