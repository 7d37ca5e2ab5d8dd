"""What the package is made of: wrappers and stubs."""

import subprocess
import sys
from pathlib import Path

from redisai_rs import _core

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "redisai_rs"


def test_the_stub_is_what_core_is():
    stubtest = Path(sys.executable).with_name("stubtest")
    done = subprocess.run(
        [stubtest, "redisai_rs._core"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "no issues found in 1 module" in done.stdout


def test_everything_in_core_is_wrapped():
    text = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    assert len(_core.__all__) > 3
    for name in _core.__all__:
        assert f"_core.{name}" in text or f"_core import {name}" in text, name
