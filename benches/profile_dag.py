"""Where the time of a request goes: `perf` on the server while DAGs with tiny run (protocol P1).

    python benches/profile_dag.py [--connections N] [--batchsize N] [--option NAME VALUE …]

Prints microseconds a request: by thread and library, then by function of the main thread. They are
the server's processor time shared out by samples, so functions of a few samples are guesses.
Needs `perf` (package linux-perf or linux-tools) and the right to use it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from redisai_rs import paths, servers

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "benches"), str(ROOT / "build_backend")]

import native  # noqa: E402 (found by the line above)
from suite import dags, models  # noqa: E402
from suite.bench import PIN, Bench, Loaded  # noqa: E402

FREQUENCY = 4_000
# That of PIN. A whole CPU is sampled: sampling a task costs microseconds at every switch.
CPU = "0"
Sample = tuple[str, str, str]
"""Thread, library, function."""
Key = Callable[[Sample], tuple[str, ...]]


def main() -> None:
    options = _options()
    if shutil.which("perf") is None:
        sys.exit("profile: perf is missing (package linux-perf or linux-tools)")
    floor = native.cargo_build(["redisai-bench-floor", "redisai-bench-load"])["redisai_bench_floor"]
    os.environ["VIRTUAL_ENV"] = sys.prefix
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(
            load=floor.with_name("redisai-bench-load"),
            floor=floor,
            module=options.module or paths.module_path(),
            binary=servers.find(options.server),
            models=models.make(Path(folder)),
            slice_s=options.seconds,
            slices=1,
            pin=PIN,
        )
        extra = [word for pair in options.option for word in pair]
        loaded, samples = profile(bench, options, extra, Path(folder) / "perf.data")
    total = sum(samples.values())
    print(f"{loaded.rate:.0f} requests/s, p50 {loaded.p50:.1f} us, p99 {loaded.p99:.1f} us, ")
    print(f"server's CPU {loaded.cpu_us:.2f} us a request; {total} samples")
    _table(samples, loaded.cpu_us / total, lambda sample: sample[:2], least=0.05)
    main_thread = Counter({key: n for key, n in samples.items() if key[0] == "redis-server"})
    print("\nmain thread, by function")
    _table(main_thread, loaded.cpu_us / total, lambda sample: sample[1:], least=options.least)


def profile(
    bench: Bench, options: argparse.Namespace, extra: list[str], data: Path
) -> tuple[Loaded, Counter[Sample]]:
    """Runs the load under perf; gives its figures and the samples."""
    model = bench.models["tiny"]
    with bench.ours(extra=extra) as server:
        batching = ["BATCHSIZE", options.batchsize] if options.batchsize else []
        dags.store_checked(server, model, *batching)
        record = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY)]
        record += ["-o", str(data), "-C", CPU]
        # It ends by itself, a little after the load.
        with subprocess.Popen([*record, "--", "sleep", str(bench.slice_s * 1.25 + 0.5)]) as perf:
            loaded = bench.run_load(server, [[dags.request(model)]], options.connections)
            perf.wait()
        script = ["perf", "script", "-i", str(data), "-F", "comm,ip,sym,dso", "-G"]
        script += ["--pid", str(server.pid)]
        done = subprocess.run(script, capture_output=True, text=True, check=True)
    return loaded, Counter(filter(None, map(_sample, done.stdout.splitlines())))


def _sample(line: str) -> Sample | None:
    """`comm  address function (library)`; a function without a name is its address."""
    head, _, library = line.rstrip(") \n").rpartition(" (")
    words = head.split()
    for place, word in enumerate(words):
        if place and all(digit in "0123456789abcdef" for digit in word):
            name = " ".join(words[place + 1 :])
            name = name if name not in {"", "[unknown]"} else f"0x{word}"
            return " ".join(words[:place]), Path(library).name, name
    return None


def _table(samples: Counter[Sample], scale: float, key: Key, least: float) -> None:
    sums: Counter[tuple[str, ...]] = Counter()
    for sample, count in samples.items():
        sums[key(sample)] += count
    for names, count in sums.most_common():
        if count * scale >= least:
            print(f"{count * scale:8.2f} us  " + "  ".join(f"{name:24}" for name in names).rstrip())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--batchsize", type=int, default=0, help="of the model; default: not given")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--least", type=float, default=0.1, help="smallest line, us a request")
    parser.add_argument("--option", nargs=2, action="append", default=[], help="load option")
    parser.add_argument("--server", help="path, or a wheel's name; default: on PATH, else embedded")
    parser.add_argument("--module", type=Path, help="another module than this package's")
    return parser.parse_args()


if __name__ == "__main__":
    main()
