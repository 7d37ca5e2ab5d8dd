"""Measurements of torch: beside ONNX Runtime in the same server, and beside libtorch in process."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from suite.bench import Bench, Command, Loaded, execute, tensor_set
from suite.models import Model

# A program of its own: this process must not hold torch.
SCRIPT = Path(__file__).with_name("torch_reference.py")
BATCHSIZE = 32
SIZES = 32
# Runs of each size before one counts, and those that count.
WARM, COUNTED = 4, 30


def torch(bench: Bench) -> dict[str, float]:
    """Small runs, batches, and batches of all sizes."""
    for name in ("tiny", "mlp"):
        bench.ask(SCRIPT, "make", bench.models[name].path, _archive(bench.models[name]))
    return _small(bench) | _batches(bench) | _sizes(bench) | _commands(bench)


def _archive(model: Model) -> Path:
    return model.path.with_suffix(".pt")


def _small(bench: Bench) -> dict[str, float]:
    """What the server adds to a run of tiny, for both frameworks."""
    model = bench.models["tiny"]
    with bench.ours() as server:
        sides = {"ONNX": model.path, "TORCH": _archive(model)}
        for backend, path in sides.items():
            server.execute("AI.MODELSTORE", backend, backend, "CPU", "BLOB", path.read_bytes())
        server.execute(*tensor_set("x", model.shape, model.input.tobytes()))
        _assert_equal(server.execute, ["ONNX", "TORCH"])
        served = [[execute(backend, "x", "y")] for backend in sides]
        found = bench.in_turns(
            lambda: bench.run_load(server, [served[0]]),
            lambda: _in_process(bench, sides["ONNX"]),
            lambda: bench.run_load(server, [served[1]]),
            lambda: _in_process(bench, sides["TORCH"]),
        )
    onnx, torch = found[0].p50 - found[1].p50, found[2].p50 - found[3].p50
    return {"PT1": torch / onnx, "PT1 us": torch, "PT1 onnx us": onnx}


SOURCE = """
def nothing(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0]

def ping(tensors: List[Tensor], keys: List[str], args: List[str]):
    redis.execute("PING")
    return tensors[0]
"""


def _commands(bench: Bench) -> dict[str, float]:
    """A script that asks the server one thing, beside one that asks nothing."""
    functions = ("nothing", "ping")
    with bench.ours() as server:
        names = ["ENTRY_POINTS", len(functions), *functions]
        server.execute("AI.SCRIPTSTORE", "s", "CPU", *names, "SOURCE", SOURCE)
        server.execute(*tensor_set("x", (1, 4), np.ones((1, 4), np.float32).tobytes()))
        served: list[list[list[Command]]] = [
            [[["AI.SCRIPTEXECUTE", "s", name, "INPUTS", 1, "x", "OUTPUTS", 1, "y"]]]
            for name in functions
        ]
        nothing, ping = bench.in_turns(
            lambda: bench.run_load(server, served[0]),
            lambda: bench.run_load(server, served[1]),
        )
    return {"PT4": ping.p50 / nothing.p50, "PT4 us": ping.p50}


def _assert_equal(say: object, models: list[str]) -> None:
    """Fails unless the models compute the same."""
    replies = []
    for name in models:
        say(*execute(name, "x", "y"))  # type: ignore[operator]
        replies.append(say("AI.TENSORGET", "y", "BLOB"))  # type: ignore[operator]
    one, other = (np.frombuffer(reply, np.float32) for reply in replies)
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3 * np.abs(one).max())


def _in_process(bench: Bench, path: Path) -> Loaded:
    """The same run through the backend's library in a process without a server."""
    return bench.alone(SCRIPT, "engine", path, bench.slice_s, pinned=True)


def _batches(bench: Bench) -> dict[str, float]:
    """mlp, 32 connections whose requests join, beside libtorch at batch 32."""
    model = bench.models["mlp"]
    with bench.ours(pinned=False) as server:
        blob = _archive(model).read_bytes()
        server.execute("AI.MODELSTORE", "m", "TORCH", "CPU", "BATCHSIZE", BATCHSIZE, "BLOB", blob)
        server.execute(*tensor_set("x", model.shape, model.input.tobytes()))
        requests: list[list[Command]] = [
            [execute("m", "x", f"y{number}")] for number in range(BATCHSIZE)
        ]
        long = bench.long_s
        served, alone = bench.in_turns(
            lambda: bench.run_load(server, requests, BATCHSIZE, long, pinned=False),
            lambda: bench.alone(SCRIPT, "libtorch", _archive(model), long, BATCHSIZE),
        )
    return {"PT2": served.rate / alone.rate, "PT2 rate": served.rate}


def _sizes(bench: Bench) -> dict[str, float]:
    """tiny at 1 to 32 rows, mixed: the slowest counted run over the median of its size."""
    model = bench.models["tiny"]
    times: dict[int, list[float]] = {size: [] for size in range(1, SIZES + 1)}
    order = np.random.default_rng(3).permuted(list(times) * (WARM + COUNTED))
    with bench.ours(pinned=False) as server:
        blob = _archive(model).read_bytes()
        server.execute("AI.MODELSTORE", "m", "TORCH", "CPU", "BLOB", blob)
        for size in times:
            rows = np.zeros((size, *model.shape[1:]), np.float32)
            server.execute(*tensor_set(f"x{size}", rows.shape, rows.tobytes()))
        for number, size in enumerate(map(int, order)):
            start = time.perf_counter()
            server.execute(*execute("m", f"x{size}", "y"))
            if number >= WARM * SIZES:
                times[size].append(time.perf_counter() - start)
    return {"PT3": max(max(all_) / statistics.median(all_) for all_ in times.values() if all_)}
