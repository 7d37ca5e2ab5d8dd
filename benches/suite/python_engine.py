"""Measurements of the engine in a Python process, beside ONNX Runtime's own Python API."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from suite.bench import Bench

# A program of its own: pinned, and with one engine.
SCRIPT = Path(__file__).with_name("python_reference.py")
IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
IMPORTS = 15

Found = dict[str, list[float]]


def python(bench: Bench) -> dict[str, float]:
    """Runs of one caller, eight callers, and the import of the package."""
    tiny = _ask(bench, "runs", "tiny", bench.slice_s, 3 * bench.slices, pinned=True)
    conv = _ask(bench, "runs", "conv", bench.long_s, bench.slices, pinned=True)
    rows = _ask(bench, "threads", "mlp", bench.long_s, bench.slices, pinned=False)
    imports = _imports()
    return {
        "PY1": _ratio(tiny, "ours", "theirs"),
        "PY1 us": statistics.median(tiny["ours"]),
        "PY1 theirs us": statistics.median(tiny["theirs"]),
        # Times: theirs above ours is the throughput.
        "PY2": _ratio(conv, "theirs", "ours"),
        "PY3": _ratio(rows, "futures", "theirs"),
        "PY4": _ratio(rows, "ours", "theirs"),
        "PY3 rate": statistics.median(rows["futures"]),
        "PY5": _ratio(imports, "redisai_rs", "numpy"),
        "PY5 ms": statistics.median(imports["redisai_rs"]) * 1e3,
    }


def _ask(
    bench: Bench, what: str, model: str, seconds: float, slices: int, *, pinned: bool
) -> Found:
    path = bench.models[model].path
    found: Found = json.loads(bench.ask(SCRIPT, what, path, seconds, slices, pinned=pinned))
    return found


def _imports() -> Found:
    """Seconds of an import in a fresh interpreter."""
    found: Found = {"redisai_rs": [], "numpy": []}
    for _ in range(IMPORTS):
        for name, times in found.items():
            command = [sys.executable, "-c", IMPORT.format(name)]
            times.append(float(subprocess.check_output(command, text=True)))
    return found


def _ratio(found: Found, one: str, other: str) -> float:
    """The median of the ratios of slices that were measured one behind the other."""
    return statistics.median(a / b for a, b in zip(found[one], found[other], strict=True))
