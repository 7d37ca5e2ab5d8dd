"""What the package is made of: wrappers and stubs."""

import os
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


def test_every_method_in_core_is_reached():
    """`Tensor` is public itself; what the others can do is wrapped."""
    text = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    seen = 0
    for kind in (_core.Engine, _core.Model, _core.Job):
        for name in vars(kind):
            if not name.startswith("_"):
                assert f"_core.{name}" in text or f"core.{name}" in text or f"_job.{name}" in text
                seen += 1
    assert seen > 15


PROGRAM = """
import asyncio
from typing import Any, assert_type
import numpy as np
import redisai_rs as rai
from redisai_rs.testing import Server, wait_until

with rai.Engine(threads_per_queue=2) as engine:
    model = engine.load("digits.onnx", batch_size=32)
    assert_type(model, rai.Model)
    assert_type(model.submit(np.zeros((1, 64), np.float32)), rai.Run)
    assert_type(model.inputs, list[str])
    assert_type(engine.dag().tensor("x", 1).get("x"), rai.Dag)
    assert_type(engine.dag().run(), dict[str, Any])
    assert_type(engine.script("", ["f"]), rai.Script)
    assert_type(rai.Tensor([1]).shape, tuple[int, ...])

def test(server: Server) -> None:
    assert_type(server.url, str)
    assert_type(wait_until(lambda: 1), int)
    assert_type(rai.Client(server.url), rai.Client)
"""
WRONG = """
import redisai_rs as rai
rai.Engine(threads="two")
rai.Engine().load(5)
rai.Engine().load("m").run(timeout="soon")
rai.Engine().dag().model("m", ["x"], ["y"])
rai.Client(5)
"""


def test_a_user_s_program_is_checked(tmp_path):
    """`mypy --strict` accepts right programs and finds what is wrong in others."""
    right, wrong = tmp_path / "right.py", tmp_path / "wrong.py"
    right.write_text(PROGRAM)
    wrong.write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", right, wrong]
    env = os.environ | {"MYPYPATH": str(PACKAGE.parent), "MYPY_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    lines = [int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line]
    assert "right.py" not in done.stdout, done.stdout
    assert lines == [3, 4, 5, 6, 7], done.stdout
