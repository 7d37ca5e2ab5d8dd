"""Runs the whole suite: Rust tests, Python tests, linters; the last line says how many passed.

python scripts/test.py [--workers N] [--only STEP] [-- pytest arguments]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "build_backend"))
import native  # noqa: E402 (it lies beside the build backend)

BIN = Path(sys.executable).parent
OUT = ROOT / "target" / "test"


def main() -> int:
    """Runs the steps in order, up to the first that fails."""
    options = _options()
    steps: dict[str, Callable[[], int]] = {
        "cargo": cargo_tests,
        "pytest": lambda: python_tests(options.workers, options.rest),
        "lint": lint,
    }
    start = time.monotonic()
    passed = {name: run() for name, run in steps.items() if options.only in {None, name}}
    minutes, seconds = divmod(round(time.monotonic() - start), 60)
    tests = {name: count for name, count in passed.items() if name != "lint"}
    parts = [f"{sum(tests.values())} tests passed"] if tests else []
    if len(tests) > 1:
        parts[0] += f" ({', '.join(f'{count} by {name}' for name, count in tests.items())})"
    parts += ["linters clean"] if "lint" in passed else []
    print(f"{', '.join(parts)}, in {minutes} min {seconds} s")
    return 0


def cargo_tests() -> int:
    """Runs the Rust tests; gives how many passed."""
    output = run(["cargo", "test", "--workspace", "--no-fail-fast"])
    counts = re.findall(r"^test result: ok\. (\d+) passed", output, re.MULTILINE)
    return sum(map(int, counts))


def python_tests(workers: int, arguments: list[str]) -> int:
    """Runs the Python tests with the libraries that they need; gives how many passed."""
    report = OUT / "pytest.xml"
    command = [str(BIN / "pytest"), f"--junitxml={report}", "--quiet"]
    command += ["-n", str(workers), "--dist", "loadscope"] if workers > 1 else []
    run([*command, *arguments], test_libraries())
    suite = ElementTree.parse(report).getroot().find("testsuite")
    assert suite is not None
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    return count["tests"] - count["failures"] - count["errors"] - count["skipped"]


def test_libraries() -> dict[str, str]:
    """Builds what only tests load; gives the variables by which they find it."""
    mock = native.cargo_build(["redisai-backend-mock"])["redisai_mock"]
    faults = native.cargo_build(["redisai-module"], "--features", "redisai-module/faults")
    OUT.mkdir(parents=True, exist_ok=True)
    # The plain module's build writes to the same place.
    module = OUT / "redisai-faults.so"
    shutil.copyfile(faults["redisai"], module)
    module.chmod(0o755)
    return {"REDISAI_TEST_MOCK": str(mock), "REDISAI_TEST_FAULTS_MODULE": str(module)}


def lint() -> int:
    """Runs the linters; the number means nothing."""
    run(["cargo", "fmt", "--all", "--check"])
    run(["cargo", "clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
    # As in `make docs`; the site is built by a test.
    document = ["cargo", "doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"]
    run(document, {"RUSTDOCFLAGS": "-D warnings"})
    run([str(BIN / "ruff"), "check", "--quiet", "."])
    run([str(BIN / "ruff"), "format", "--quiet", "--check", "."])
    run([str(BIN / "mypy")])
    return 0


def run(command: list[str], variables: dict[str, str] | None = None) -> str:
    """Runs a command, shows and gives its output; ends this program where the command fails."""
    shown = " ".join(command).replace(f"{BIN}/", "")
    print(f"\n▶ {shown}", flush=True)
    # ONNX Runtime's own API is the reference of many tests; it would report to Microsoft.
    env = {"ORT_DISABLE_TELEMETRY": "1"} | os.environ | native.build_env() | (variables or {})
    lines = []
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode != 0:
        sys.exit(f"`{shown}` failed with status {process.returncode}")
    return "".join(lines)


def _options() -> argparse.Namespace:
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--only", choices=["cargo", "pytest", "lint"])
    options = parser.parse_args(words[:split])
    options.rest = words[split + 1 :]
    return options


if __name__ == "__main__":
    sys.exit(main())
