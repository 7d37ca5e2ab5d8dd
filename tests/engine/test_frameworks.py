"""The process's own frameworks: imported before or after the engine loads them, and only once."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from onnx_models import model, node, value

BLOB = model([node("Add", "x x", "y")], [value("x")], [value("y")])

PROGRAM = """
import sys
import numpy as np
import redisai_rs as rai

x = np.ones((1, 3), np.float32)
engine = rai.Engine(intra_op_threads=1)
SOURCE = '''
def f(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0] + 1
'''

def ours_onnx():
    assert engine.load(sys.argv[1]).run(x).tolist() == [[2, 2, 2]]

def ours_torch():
    assert engine.script(SOURCE, ["f"]).run("f", x).tolist() == [[2, 2, 2]]

def onnxruntime():
    import onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": x})[0].tolist() == [[2, 2, 2]]

def torch():
    import torch
    assert (torch.from_numpy(x) + 1).tolist() == [[2, 2, 2]]

steps = [globals()[name] for name in sys.argv[2].split()]
for step in steps + steps:
    step()
"""


@pytest.fixture
def process(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(BLOB)

    def run(order, program=PROGRAM):
        return subprocess.run(
            [sys.executable, "-c", program, path, order],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.mark.parametrize(
    "order",
    [
        "onnxruntime torch ours_onnx ours_torch",
        "ours_torch ours_onnx torch onnxruntime",
        "torch ours_torch onnxruntime ours_onnx",
        "ours_onnx onnxruntime ours_torch torch",
    ],
)
def test_imports_before_and_after(process, order):
    done = process(order)
    assert (done.returncode, done.stderr) == (0, "")


def test_torch_whose_threads_are_set_already(process):
    program = PROGRAM.replace("steps =", "import torch as t; t.set_num_interop_threads(2)\nsteps =")
    done = process("torch ours_torch", program)
    assert (done.returncode, done.stderr) == (0, "")


SECOND = """
import ctypes, shutil, sys
import redisai_rs as rai
from redisai_rs import backends

mine = sys.argv[2] + "/libtorch_cpu.so"
# Any library will do: it is the name that says what it is.
shutil.copy(rai.paths.LIB / "redisai.so", mine)
ctypes.CDLL(mine)
try:
    rai.Engine().script("def f(): pass", ["f"])
except rai.BackendMissingError as error:
    print(error)
"""


def test_a_second_copy_of_torch_is_refused(process, tmp_path):
    torch = Path(importlib.util.find_spec("torch").origin).parent
    done = process(str(tmp_path), SECOND)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"loaded {tmp_path}/libtorch_cpu.so already" in done.stdout
    assert f"second copy from {torch}/lib/libtorch_cpu.so" in done.stdout


def test_a_framework_that_is_not_installed(process, tmp_path):
    program = """
import sys, sysconfig
real = sysconfig.get_path
sysconfig.get_path = lambda name: sys.argv[2]
import redisai_rs as rai
try:
    rai.Engine().load(sys.argv[1])
except rai.BackendMissingError as error:
    print(error)
"""
    done = process(str(tmp_path), program)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ERR Could not load backend: " in done.stdout
    assert "pip install 'redisai-rs[onnx]'" in done.stdout
