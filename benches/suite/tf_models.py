"""Measurements of TensorFlow and LiteRT: beside ONNX Runtime in the same server, beside themselves
in process; and of what backends that are loaded cost those who do not use them."""

from __future__ import annotations

import math
import statistics
from functools import partial
from pathlib import Path

import numpy as np
from redisai_rs.testing import Server

from suite.backends import LIBRARIES, load
from suite.bench import Bench, Command, Loaded, execute, tensor_set, usec_per_call
from suite.commands import IMAGE
from suite.models import Model

# A program of its own: this process must not hold the frameworks.
SCRIPT = Path(__file__).with_name("tf_reference.py")
BATCHSIZE = 32
SUFFIXES = {"TF": ".pb", "TFLITE": ".tflite"}
NAMES = {"TF": ("INPUTS", 1, "x", "OUTPUTS", 1, "y")}


def tf(bench: Bench) -> dict[str, float]:
    """Small runs and batches of both, and the price of being loaded."""
    for name in ("tiny", "mlp"):
        path = bench.models[name].path
        bench.ask(SCRIPT, "make", path, path.parent)
    found = _small(bench) | _loaded(bench)
    for backend in SUFFIXES:
        found |= _batches(bench, backend)
    return found


def _store(server: Server, model: Model, backend: str, *options: str | int) -> None:
    path = model.path.with_suffix(SUFFIXES.get(backend, ".onnx"))
    words = (*options, *NAMES.get(backend, ()), "BLOB", path.read_bytes())
    server.execute("AI.MODELSTORE", backend, backend, "CPU", *words)


def _small(bench: Bench) -> dict[str, float]:
    """What the server adds to a run of tiny, for each framework."""
    model = bench.models["tiny"]
    backends = ["ONNX", *SUFFIXES]
    with bench.ours() as server:
        server.execute(*tensor_set("x", model.shape, model.input.tobytes()))
        for backend in backends:
            _store(server, model, backend)
            _check(server, backend)
        sides = []
        for backend in backends:
            path = model.path.with_suffix(SUFFIXES.get(backend, ".onnx"))
            sides += [
                partial(bench.run_load, server, [[execute(backend, "x", "y")]]),
                partial(_in_process, bench, path),
            ]
        found = [side.p50 for side in bench.in_turns(*sides)]
    above = [served - alone for served, alone in zip(found[::2], found[1::2], strict=True)]
    figures = {"F1 onnx us": above[0]}
    for backend, value in zip(SUFFIXES, above[1:], strict=True):
        figures |= {f"F1 {backend}": value / above[0], f"F1 {backend} us": value}
    return figures


def _check(server: Server, backend: str) -> None:
    """Fails unless a model computes what ONNX's does."""
    replies = []
    for name in ("ONNX", backend):
        server.execute(*execute(name, "x", "y"))
        reply = server.execute("AI.TENSORGET", "y", "BLOB")
        assert isinstance(reply, bytes), reply
        replies.append(np.frombuffer(reply, np.float32))
    np.testing.assert_allclose(*replies, rtol=1e-3, atol=1e-3 * np.abs(replies[0]).max())


def _in_process(bench: Bench, path: Path) -> Loaded:
    """The same run through the backend's library in a process without a server."""
    return bench.alone(SCRIPT, "engine", path, bench.slice_s, pinned=True)


def _batches(bench: Bench, backend: str) -> dict[str, float]:
    """mlp, 32 connections whose requests join, beside the framework at batch 32."""
    model = bench.models["mlp"]
    path = model.path.with_suffix(SUFFIXES[backend])
    requests: list[list[Command]] = [
        [execute(backend, "x", f"y{number}")] for number in range(BATCHSIZE)
    ]
    long = bench.long_s

    with bench.ours(pinned=False) as server:
        server.execute(*tensor_set("x", model.shape, model.input.tobytes()))
        _store(server, model, "ONNX")
        _store(server, model, backend, "BATCHSIZE", BATCHSIZE)
        _check(server, backend)
        serve = partial(bench.run_load, server, requests, BATCHSIZE, long, pinned=False)
        served, framework = bench.in_turns(
            serve, partial(bench.alone, SCRIPT, "framework", path, long, BATCHSIZE)
        )
    return {f"F2 {backend}": served.rate / framework.rate, f"F2 {backend} 1/s": served.rate}


def _loaded(bench: Bench) -> dict[str, float]:
    """T8 and T11 of 600 KiB in a server with all backends over those in one with none."""
    blob = bytes(4 * math.prod(IMAGE))
    store, read = tensor_set("t", IMAGE, blob), ["AI.TENSORGET", "t", "BLOB"]
    with bench.ours() as none, bench.ours() as all_:
        for backend in LIBRARIES:
            load(all_, backend)
        times: dict[Server, list[float]] = {none: [], all_: []}

        def stores(server: Server) -> Loaded:
            server.execute("CONFIG", "RESETSTAT")
            loaded = bench.run_load(server, [[store]])
            times[server].append(usec_per_call(server, "ai.tensorset"))
            return loaded

        bench.in_turns(partial(stores, none), partial(stores, all_))
        without, beside = bench.in_turns(
            partial(bench.run_load, none, [[read]]), partial(bench.run_load, all_, [[read]])
        )
    median = {server: statistics.median(found) for server, found in times.items()}
    return {"F3 T8": median[none] / median[all_], "F3 T11": beside.rate / without.rate}
