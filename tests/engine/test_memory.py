"""Whose memory a run uses, and when it lets go of it."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest
import redisai_rs as rai
import torch
from onnx import TensorProto
from onnx_models import loop, model, node, value
from redisai_rs.testing import wait_until

SUM = model(
    [node("ReduceSum", "x", "y", keepdims=0)],
    [value("x", dims=("n",))],
    [value("y", dims=())],
)
FILL = model(
    [node("Expand", "one n", "y")],
    [value("n", TensorProto.INT64, (1,))],
    [value("y", dims=("k",))],
    {"one": np.ones(1, np.float32)},
)
SOURCE = """
def total(tensors: List[Tensor], keys: List[str], args: List[str]):
    return tensors[0].sum()

def fill(tensors: List[Tensor], keys: List[str], args: List[str]):
    return torch.ones([int(args[0])])
"""
# Of the process's own memory the most that it ever had, in MiB.
PROGRAM = """
import re, sys
from pathlib import Path
import numpy as np
import redisai_rs as rai

SIZE = 128 << 20

def peak():
    text = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+)", text)[1]) >> 10

def grown(what):
    Path("/proc/self/clear_refs").write_text("5")  # the peak is what there is now
    before = peak()
    kept = what()
    print(peak() - before)
    return kept

engine = rai.Engine(intra_op_threads=1)
if sys.argv[1] == "ONNX":
    total, fill = (engine.load(path).run for path in sys.argv[2:4])
    more = lambda count: fill(np.array([count]))
else:
    script = engine.script(Path(sys.argv[2]).read_text(), ["total", "fill"])
    total = lambda x: script.run("total", x)
    more = lambda count: script.run("fill", args=[str(count)])
total(np.ones(64, np.float32)), more(64)
x = np.ones(SIZE // 4, np.float32)
assert grown(lambda: total(x)) == SIZE // 4
assert grown(lambda: total(x[::-1])) == SIZE // 4
y = grown(lambda: more(SIZE // 4))
z = grown(lambda: np.from_dlpack(rai.Tensor(y)))
assert z.__array_interface__["data"][0] == y.__array_interface__["data"][0]
"""


@pytest.mark.parametrize("backend", ["ONNX", "TORCH"])
def test_large_tensors_go_in_and_out_without_a_copy_or_with_one(tmp_path, backend):
    files = {"sum": SUM, "fill": FILL} if backend == "ONNX" else {"source": SOURCE.encode()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    words = [sys.executable, "-c", PROGRAM, backend, *(tmp_path / name for name in files)]
    said = subprocess.check_output(words, text=True, timeout=120)
    run_in, reversed_in, run_out, export = map(int, said.split())
    assert run_in <= 16
    # Not row-major: one copy.
    assert 112 <= reversed_in <= 144
    assert 112 <= run_out <= 144
    assert export <= 16


class Array(np.ndarray):
    """NumPy's own cannot be watched."""


def test_an_input_is_let_go_when_its_run_has_ended(engine):
    loaded = engine.load(model([node("Add", "x x", "y")], [value("x")], [value("y")]))
    slow = engine.load(loop(), device="CPU:5")

    def array(shape=(1, 3)):
        made = np.ones(shape, np.float32).view(Array)
        return made, weakref.ref(made)

    def ends(run):
        made, gone = array()
        found = run(made)
        del made
        wait_until(lambda: gone() is None, "the input's end")
        return found

    assert ends(loaded.run).tolist() == [[2, 2, 2]]
    assert ends(lambda x: loaded.submit(x).result(60)).tolist() == [[2, 2, 2]]
    assert ends(lambda x: loaded.run(x, timeout=60)).tolist() == [[2, 2, 2]]
    # Kept by the tensor, not by the run.
    dag = ends(lambda x: engine.dag().tensor("x", x).model(loaded, ["x"], ["y"]).run())
    assert dag["y"].tolist() == [[2, 2, 2]]

    def fails(x):
        # pytest's own way keeps the traceback, and with it the array.
        with contextlib.suppress(rai.InputError):
            loaded.run(x, x)
            pytest.fail("it took two inputs")

    ends(fails)
    # One that never begins, behind one that does not end by itself.
    first, still = array(2)
    running = slow.submit(np.array(2**62), first)
    second, gone = array(2)
    assert slow.submit(np.array(1), second).cancel()
    del first, second
    wait_until(lambda: gone() is None, "the end of what never ran")
    assert still() is not None
    running.cancel()
    wait_until(lambda: still() is None, "the end of what was stopped")


def test_a_tensor_of_torch_is_let_go(engine):
    loaded = engine.load(model([node("Add", "x x", "y")], [value("x")], [value("y")]))
    x = torch.ones(1, 3)
    gone = weakref.ref(x.untyped_storage())
    assert loaded.run(x).tolist() == [[2, 2, 2]]
    del x
    gc.collect()
    assert gone() is None


def test_a_result_outlives_everything():
    with rai.Engine(intra_op_threads=1) as engine:
        loaded = engine.load(model([node("Add", "x x", "y")], [value("x")], [value("y")]))
        found = loaded.run(np.ones((1, 3), np.float32))
    del engine, loaded
    gc.collect()
    exported = torch.from_dlpack(rai.Tensor(found))
    row = found[0]
    del found
    gc.collect()
    assert row.tolist() == [2, 2, 2]
    assert exported.tolist() == [[2, 2, 2]]


WITHOUT = """
import sys
for name in sys.argv[3].split():
    sys.modules[name] = None
import redisai_rs as rai
engine = rai.Engine(intra_op_threads=1)
x = rai.Tensor(memoryview(bytes(12)).cast("f", (1, 3)))
y = engine.load(sys.argv[1]).run(x)
print(type(y).__name__, y.dtype, tuple(y.shape))
z = engine.load(sys.argv[2]).run([[1, 2.5, -3]])
print(type(z).__name__, z.dtype, bytes(memoryview(z).cast("B")).hex())
"""


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        ("numpy ml_dtypes", "Tensor FLOAT (1, 3)\nTensor BFLOAT16 803f204040c0\n"),
        ("ml_dtypes", "ndarray float32 (1, 3)\nndarray uint16 803f204040c0\n"),
    ],
)
def test_without_optional_packages(tmp_path, hidden, said):
    """The bits are those of 1, 2.5 and -3."""
    kinds = {"float": TensorProto.FLOAT, "bfloat": TensorProto.BFLOAT16}
    for name, kind in kinds.items():
        blob = model([node("Identity", "x", "y")], [value("x", kind)], [value("y", kind)])
        (tmp_path / name).write_bytes(blob)
    words = [sys.executable, "-c", WITHOUT, *(tmp_path / name for name in kinds), hidden]
    assert subprocess.check_output(words, text=True, timeout=120) == said
