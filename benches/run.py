"""Measures the product against its targets: `make bench`.

Starts its servers by itself, prints a table, writes JSON and a picture to `bench-results/`.
What is measured, and how, is in docs/performance.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import onnxruntime
from redisai_rs import paths, servers

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benches"), str(ROOT / "build_backend")]

import native  # noqa: E402 (found by the line above)
from suite import (  # noqa: E402
    backends,
    clients,
    commands,
    dags,
    models,
    picture,
    python_engine,
    report,
    saves,
    tf_models,
    torch_models,
)
from suite.bench import ALONE, PIN, Bench  # noqa: E402

GROUPS = {
    "dag": dags.dag,
    "mlp": dags.mlp,
    "conv": dags.conv,
    "tiny": commands.tiny,
    "tensors": commands.tensors,
    "memory": commands.memory,
    "idle": commands.idle,
    "saves": saves.saves,
    "torch": torch_models.torch,
    "python": python_engine.python,
    "tf": tf_models.tf,
    "backends": backends.backends,
    "clients": clients.clients,
}


def main() -> int:
    options = _options()
    if shutil.which("taskset") is None:
        sys.exit("benches: taskset is missing (package util-linux)")
    floor = native.cargo_build(["redisai-bench-floor", "redisai-bench-load"])["redisai_bench_floor"]
    # All three (the product, the floor, the reference) use this environment's ONNX Runtime.
    os.environ["VIRTUAL_ENV"] = sys.prefix
    # Our backend forbids it by itself.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    bench = Bench(
        load=floor.with_name("redisai-bench-load"),
        floor=floor,
        module=options.module or paths.module_path(),
        binary=servers.find(options.server),
        models=models.make(out / "models"),
        slice_s=0.3 if options.quick else 1.0,
        slices=1 if options.quick else 3,
        pin=ALONE if options.alone else PIN,
    )
    found = _measure(bench, options.only, 1 if options.quick else options.repetitions)
    rows = report.rows(found)
    facts = _facts(bench, len(found))
    title = f"redisai-rs on {facts['server']}, {facts['cpu']}, {facts['cpus']} CPUs"
    report.save(rows, facts, out / "bench.json")
    picture.draw(rows, title, out / "bench.svg")
    print(f"\n{title}, ONNX Runtime {facts['onnxruntime']}, {len(found)} repetitions")
    print(f"{report.table(rows)}\n\n{out / 'bench.json'}\n{out / 'bench.svg'}")
    return 0


def _measure(bench: Bench, only: list[str], repetitions: int) -> list[dict[str, float]]:
    found = []
    for number in range(1, repetitions + 1):
        values: dict[str, float] = {}
        for name in only or GROUPS:
            load = os.getloadavg()[0]
            print(f"repetition {number} of {repetitions}: {name} (load {load:.1f})", flush=True)
            values |= GROUPS[name](bench)
        found.append(values)
    shutil.rmtree(bench.folder, ignore_errors=True)
    return found


def _facts(bench: Bench, repetitions: int) -> dict[str, object]:
    """Where and with what was measured."""
    cpu = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit,
        "server": str(bench.binary),
        "onnxruntime": onnxruntime.__version__,
        "cpu": cpu,
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "load": os.getloadavg(),
        "alone": tuple(bench.pin) == ALONE,
        "repetitions": repetitions,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="short and rough, to try it out")
    parser.add_argument(
        "--alone", action="store_true", help="real-time class, on a busy machine (needs root)"
    )
    parser.add_argument("--only", nargs="+", choices=list(GROUPS), default=[])
    parser.add_argument("--server", help="path, or a wheel's name; default: on PATH, else embedded")
    parser.add_argument("--module", type=Path, help="another module than this package's")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-results")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
