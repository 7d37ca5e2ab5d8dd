"""The process's own frameworks: imported before or after the engine loads them, and only once."""

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import digits
import numpy as np
import pytest
from onnx_models import model, node, value

BLOB = model([node("Add", "x x", "y")], [value("x")], [value("y")])

PROGRAM = """
import sys
from pathlib import Path
import numpy as np
import redisai_rs as rai

x = np.ones((1, 3), np.float32)
engine = rai.Engine(intra_op_threads=1)
SOURCE = '''
def f(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0] + 1
'''
DATA = Path(rai.__file__).parent / "demo_data"
# A classifier's digits, and what they are.
pixels, labels = (np.load(sys.argv[1] + suffix) for suffix in (".pixels.npy", ".labels.npy"))

def right(found):
    assert np.mean(np.asarray(found).reshape(-1) == labels) > 0.95

def ours_onnx():
    assert engine.load(sys.argv[1]).run(x).tolist() == [[2, 2, 2]]

def ours_torch():
    assert engine.script(SOURCE, ["f"]).run("f", x).tolist() == [[2, 2, 2]]

def ours_tf():
    names = {"inputs": ["pixels"], "outputs": ["digit", "probabilities"]}
    right(engine.load(DATA / "digits.pb", **names).run(pixels).digit)

def ours_tflite():
    right(named(engine.load(DATA / "digits.tflite").run(pixels)))

def onnxruntime():
    import onnxruntime
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": x})[0].tolist() == [[2, 2, 2]]

def torch():
    import torch
    assert (torch.from_numpy(x) + 1).tolist() == [[2, 2, 2]]

def tensorflow():
    import tensorflow
    assert (tensorflow.constant(x) + 1).numpy().tolist() == [[2, 2, 2]]

def litert():
    from ai_edge_litert.interpreter import Interpreter
    interpreter = Interpreter(str(DATA / "digits.tflite"))
    place = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(place, pixels.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(place, pixels)
    interpreter.invoke()
    outputs = interpreter.get_output_details()
    right(named([interpreter.get_tensor(output["index"]) for output in outputs]))

def named(outputs):
    # The digits are the integers.
    return next(output for output in outputs if output.dtype.kind == "i")

steps = [globals()[name] for name in sys.argv[2].split()]
for step in steps + steps:
    step()
print(len(steps), "steps, twice")
"""

STEPS = "ours_onnx ours_torch ours_tf ours_tflite onnxruntime torch tensorflow litert".split()


def orders() -> list[str]:
    """Eight orders: each step is the first of one, and follows each other one in one.

    (Williams's design: 0 7 1 6 2 5 3 4, and the same counted on.)
    """
    count = len(STEPS)
    first = [half for number in range(count // 2) for half in (number, count - 1 - number)]
    return [" ".join(STEPS[(at + on) % count] for at in first) for on in range(count)]


@pytest.fixture
def process(tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(BLOB)
    images = digits.rows()
    pixels = np.frombuffer(digits.pixels(images), np.float32).reshape(len(images), -1)
    np.save(f"{path}.pixels.npy", pixels)
    np.save(f"{path}.labels.npy", [label for _, label in images])

    def run(order, program=PROGRAM):
        return subprocess.run(
            [sys.executable, "-c", program, path, order],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )

    return run


def assert_right(done, steps):
    assert (done.returncode, done.stdout) == (0, f"{steps} steps, twice\n"), done.stderr


def test_the_orders_hold_every_step_behind_every_other():
    pairs = [pair for order in orders() for pair in itertools.pairwise(order.split())]
    assert sorted(pairs) == sorted(itertools.permutations(STEPS, 2))
    # Of the half that is always tried: somewhere behind.
    behind = [pair for order in orders()[::2] for pair in itertools.combinations(order.split(), 2)]
    assert set(behind) == set(itertools.permutations(STEPS, 2))


@pytest.mark.slow
@pytest.mark.parametrize("order", orders()[::2])
def test_imports_before_and_after(process, order):
    assert_right(process(order), len(STEPS))


@pytest.mark.soak
@pytest.mark.parametrize("order", orders()[1::2])
def test_more_imports_before_and_after(process, order):
    assert_right(process(order), len(STEPS))


@pytest.mark.soak
@pytest.mark.parametrize("pair", list(itertools.permutations(STEPS, 2)), ids=" ".join)
def test_two_alone(process, pair):
    assert_right(process(" ".join(pair)), 2)


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
