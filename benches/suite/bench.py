"""What every measurement needs: tools, models, pinned servers, loads."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
import onnxruntime
from redisai_rs import backends, servers
from redisai_rs.testing import Server

from suite.models import Model

# One CPU for the server, the load generator and the reference (protocol P1).
PIN = ("taskset", "-c", "0")
# The same in the real-time class: nothing else runs on that CPU meanwhile.
ALONE = ("chrt", "--fifo", "1", *PIN)
# What the performance targets say: one intra-op thread, one worker.
MODULE_ARGS = ("INTRA_OP_PARALLELISM", 1, "THREADS_PER_QUEUE", 1)

Command = Sequence[bytes | str | int]


@dataclass(frozen=True)
class Loaded:
    """What a load, or the reference, measured."""

    rate: float
    """Requests a second; samples a second of the reference."""
    p50: float
    """Microseconds."""
    p99: float
    cpu_us: float
    """CPU time of the server, microseconds a request."""


@dataclass
class Bench:
    """The tools and the settings of one call of `make bench`."""

    load: Path
    floor: Path
    module: Path
    binary: servers.ServerBinary
    models: dict[str, Model]
    slice_s: float
    """Seconds of one slice of a measurement."""
    slices: int
    """Slices of each side, in turns."""
    pin: Sequence[str] = PIN
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="redisai-bench-")))

    @property
    def long_s(self) -> float:
        """Seconds of a slice where a run takes milliseconds."""
        return 2 * self.slice_s

    # Servers -----------------------------------------------------------------------------------

    def ours(self, *, pinned: bool = True, extra: Sequence[str] = ()) -> Server:
        """A fresh server with the product, and more load options."""
        return self._server(self.module, (*MODULE_ARGS, *extra), pinned)

    def with_floor(self, model: Model, *, pinned: bool = True) -> Server:
        """A fresh server with the floor module, which has loaded a model and holds its input."""
        server = self._server(self.floor, (), pinned).start()
        server.execute("FLOOR.LOAD", onnxruntime_library(self.module), model.blob)
        server.execute("FLOOR.HOLD", model.input.tobytes())
        assert_same(server.execute("FLOOR.RUNHELD"), model)
        return server

    def _server(self, module: Path, args: Sequence[str | int], pinned: bool) -> Server:
        return Server(
            self.binary,
            module=module,
            module_args=args,
            wrapper=self.pin if pinned else (),
        )

    # Loads -------------------------------------------------------------------------------------

    def run_load(
        self,
        server: Server,
        requests: Sequence[Sequence[Command]],
        connections: int = 1,
        seconds: float | None = None,
        pinned: bool = True,
        rate: float = 0,
    ) -> Loaded:
        """Runs a closed loop; each request is a pipeline of commands, one for each connection.

        With a rate, requests come at Poisson times instead, so many a second over all connections.
        """
        command = [*(self.pin if pinned else ()), str(self.load), "--port", str(server.port)]
        for index, pipeline in enumerate(requests):
            path = self.folder / f"request-{index}"
            path.write_bytes(b"".join(encode(words) for words in pipeline))
            command += ["--request", str(path)]
        time = seconds or self.slice_s
        command += ["--replies", str(len(requests[0])), "--connections", str(connections)]
        command += ["--seconds", str(time), "--warmup", str(time / 4), "--rate", str(rate)]
        before = cpu_seconds(server.pid)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{done.stderr.strip()} (pipeline of {requests[0][0][0]!r})")
        cpu = cpu_seconds(server.pid) - before
        said = json.loads(done.stdout)
        latency = said["latency_us"]
        cpu_us = cpu / said["all_requests"] * 1e6
        return Loaded(said["rate"], latency["p50"], latency["p99"], cpu_us)

    def ask(self, script: Path, *words: object, pinned: bool = False) -> str:
        """What a Python program of its own prints: it must not share this process."""
        command = [*(self.pin if pinned else ()), sys.executable, str(script), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"`{' '.join(command)}` failed:\n{done.stderr}")
        return done.stdout

    def alone(self, script: Path, *words: object, pinned: bool = False) -> Loaded:
        """What such a program has measured."""
        return Loaded(**json.loads(self.ask(script, *words, pinned=pinned)))

    def reference(self, model: Model, batch: int, seconds: float, pinned: bool) -> Loaded:
        """Runs ONNX Runtime alone, in a process of its own."""
        script = Path(__file__).with_name("reference.py")
        return self.alone(script, model.path, batch, seconds, pinned=pinned)

    def in_turns(self, *sides: Callable[[], Loaded]) -> list[Loaded]:
        """Measures each side in slices that take turns, so that the machine's moods hit all.

        Gives the medians of each side's slices.
        """
        found: list[list[tuple[float, ...]]] = [[] for _ in sides]
        for _ in range(self.slices):
            for side, values in zip(sides, found, strict=True):
                values.append(astuple(side()))
        return [Loaded(*map(statistics.median, zip(*values, strict=True))) for values in found]


def store(server: Server, model: Model, *options: str | int) -> None:
    """Stores a model and its sample and checks the output once."""
    server.execute("AI.MODELSTORE", model.name, "ONNX", "CPU", *options, "BLOB", model.blob)
    server.execute(*tensor_set(f"{model.name}:x", model.shape, model.input.tobytes()))
    server.execute(*execute(model.name, f"{model.name}:x", f"{model.name}:y"))
    assert_same(server.execute("AI.TENSORGET", f"{model.name}:y", "BLOB"), model)


def assert_same(reply: object, model: Model) -> None:
    """Fails unless a reply is what ONNX Runtime says in this process."""
    session = onnxruntime.InferenceSession(model.path, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": model.input})[0].ravel()
    found = np.frombuffer(reply, np.float32) if isinstance(reply, bytes) else np.zeros(0)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def tensor_set(key: str, shape: Sequence[int], blob: bytes) -> Command:
    return ["AI.TENSORSET", key, "FLOAT", *shape, "BLOB", blob]


def execute(model: str, source: str, target: str) -> Command:
    return ["AI.MODELEXECUTE", model, "INPUTS", 1, source, "OUTPUTS", 1, target]


def encode(words: Command) -> bytes:
    """Gives the bytes of a command."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts += (b"$%d\r\n" % len(data), data, b"\r\n")
    return b"".join(parts)


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def usec_per_call(server: Server, command: str) -> float:
    """The main thread's time of a command, by the server's own count (protocol P3)."""
    stats = {name.lower(): value for name, value in server.info("commandstats").items()}
    fields = dict(pair.split("=") for pair in stats[f"cmdstat_{command.lower()}"].split(","))
    return float(fields["usec_per_call"])


def onnxruntime_library(module: Path) -> str:
    """The library that the product's backend loads."""
    found = [backend for backend in backends.discover(module) if backend.name == "ONNX"]
    if not found or not found[0].framework:
        sys.exit("benches: ONNX Runtime was not found; see `redisai-rs doctor`")
    return found[0].framework


def cpus() -> int:
    return len(os.sched_getaffinity(0))
