"""Saving and loading, against the same bytes as plain strings in a server of the same kind."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from redisai_rs.testing import Server, wait_until

from suite import models
from suite.bench import MODULE_ARGS, Bench, Command

TENSORS, TENSOR = 1000, 64 << 10
MODEL = 400_000_000
MODEL_QUICK = 40_000_000
# Memory in the place of a disk, whose moods would be all that is measured.
SHM = Path("/dev/shm")

Times = tuple[float, float, float]
"""Milliseconds of a save and of a load; memory that a saving child copied, bytes."""


def saves(bench: Bench) -> dict[str, float]:
    """S1 and S2."""
    size = MODEL if bench.slices > 1 else MODEL_QUICK
    blob = models.large(bench.folder, size).read_bytes()
    tensor = bytes(TENSOR)
    names = [f"key{number}" for number in range(TENSORS)]
    small = _figures(
        bench,
        "S1",
        lambda: (["AI.TENSORSET", name, "UINT8", TENSOR, "BLOB", tensor] for name in names),
        lambda: (["SET", name, tensor] for name in names),
    )
    large = _figures(
        bench,
        "S2",
        lambda: [["AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", blob]],
        lambda: [["SET", "m", blob]],
    )
    copied = large.pop("copied")
    small.pop("copied")
    return small | large | {"S2 copy": copied / len(blob)}


def _figures(
    bench: Bench,
    name: str,
    ours: Callable[[], Iterable[Command]],
    plain: Callable[[], Iterable[Command]],
) -> dict[str, float]:
    """Both sides in turns."""
    found: tuple[list[Times], list[Times]] = ([], [])
    for _ in range(max(bench.slices, 2)):
        for values, commands in zip(found, (ours, plain), strict=True):
            values.append(_side(bench, commands()))
    mine, strings = (_medians(values) for values in found)
    return {
        f"{name} save": mine[0] / strings[0],
        f"{name} load": mine[1] / strings[1],
        f"{name} save ms": mine[0],
        f"{name} load ms": mine[1],
        "copied": mine[2],
    }


def _medians(values: Sequence[Times]) -> Times:
    save, load, copied = (statistics.median(column) for column in zip(*values, strict=True))
    return save, load, copied


def _side(bench: Bench, commands: Iterable[Command]) -> Times:
    """Fills a server, saves, loads."""
    with tempfile.TemporaryDirectory(dir=SHM if SHM.is_dir() else None) as folder:
        server = Server(
            bench.binary,
            module=bench.module,
            module_args=MODULE_ARGS,
            config={"rdbcompression": "no"},
            directory=folder,
        )
        with server:
            for words in commands:
                server.execute(*words)
            saving = statistics.median(_save(server) for _ in range(3))
            copied = _copied(server)
            loading = statistics.median(_load(server) for _ in range(3))
        return saving, loading, copied


def _save(server: Server) -> float:
    start = time.perf_counter()
    server.execute("SAVE")
    return (time.perf_counter() - start) * 1e3


def _load(server: Server) -> float:
    """By the server's own count: it answers as soon as this time is over."""
    server.restart()
    return float(re.findall(r"DB loaded from disk: ([\d.]+) seconds", server.log_text())[-1]) * 1e3


def _copied(server: Server) -> float:
    """What a child wrote to in a save while nothing else happened."""
    server.execute("BGSAVE")
    wait_until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", "the save")
    return float(server.info("persistence")["rdb_last_cow_size"])
