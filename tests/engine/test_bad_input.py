"""Arguments that are none, and what vanishes: an exception each, and the process lives."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import redisai_rs as rai
from onnx_models import loop, model, node, value
from redisai_rs.testing import wait_until

BLOB = model([node("Add", "x x", "y")], [value("x", dims=("n", 3))], [value("y", dims=("n", 3))])
X = np.ones((1, 3), np.float32)


class Odd:
    """An object that raises whatever is asked of it."""

    def __getattr__(self, name):
        raise OSError("lost")


NOTHING = [
    None,
    object(),
    Odd(),
    math.nan,
    math.inf,
    -1,
    2**70,
    -(2**63),
    "",
    "\0",
    "\ud800",
    b"\xff",
    [],
    [None],
    [[1], [1, 2]],
    {},
    (1,),
    3j,
    int,
    np.zeros(3, "datetime64[s]"),
    Path("nowhere"),
]

SOURCE = "def f(tensors: List[Tensor], keys: List[str], args: List[str]):\n    return tensors[0]\n"

# Of each public callable: how it is called, and its arguments.
CALLS = {
    "Engine": (
        lambda _, **named: rai.Engine(**named).close(),
        {
            "threads_per_queue": 1,
            "intra_op_threads": 1,
            "inter_op_threads": 1,
            "queue_limit": 10,
            "model_execution_timeout": 1.0,
            "batch_wait": True,
        },
    ),
    "load": (
        lambda engine, **named: engine.load(**named),
        {
            "source": BLOB,
            "backend": "ONNX",
            "device": "CPU",
            "batch_size": 0,
            "min_batch_size": 0,
            "min_batch_timeout": 0,
            "inputs": (),
            "outputs": (),
            "tag": "",
            "name": "n",
            "signature": None,
        },
    ),
    "script": (
        lambda engine, **named: engine.script(**named),
        {"source": SOURCE, "entry_points": ["f"], "device": "CPU", "tag": "", "name": "s"},
    ),
    "forget": (lambda engine, name: engine.forget(name), {"name": "n"}),
    "run": (
        lambda engine, x, **named: engine.load(BLOB).run(x, **named),
        {"x": X, "outputs": 1, "timeout": 60},
    ),
    "submit": (
        lambda engine, x, **named: engine.load(BLOB).submit(x, **named).result(60),
        {"x": X, "outputs": 1, "timeout": 60},
    ),
    "run of a script": (
        lambda engine, function, x, **named: engine.script(SOURCE, ["f"]).run(function, x, **named),
        {"function": "f", "x": X, "keys": (), "args": (), "outputs": 1, "timeout": 60},
    ),
    "dag": (
        lambda engine, name, x, model, inputs, outputs, wanted, timeout: (
            engine.dag().tensor(name, x).model(model, inputs, outputs).get(wanted).run(timeout)
        ),
        {
            "name": "x",
            "x": X,
            "model": None,
            "inputs": ["x"],
            "outputs": ["y"],
            "wanted": "y",
            "timeout": 60,
        },
    ),
    "Tensor": (lambda _, x: rai.Tensor(x), {"x": X}),
}


@pytest.mark.parametrize(
    ("call", "argument"),
    [(call, argument) for call, (_, named) in CALLS.items() for argument in named],
)
def test_every_argument_of_every_callable(engine, call, argument):
    """An exception of Python's kind or a result, never a panic and never the end of the process."""
    function, named = CALLS[call]
    if call == "dag":
        named = {**named, "model": engine.load(BLOB)}
    assert function(engine, **named) is not NotImplemented  # the call itself is right
    refused = []
    for nothing in NOTHING:
        try:
            function(engine, **{**named, argument: nothing})
        except Exception as error:
            refused.append(str(error))
    assert all(refused)
    # Some are values that the argument may have.
    assert len(refused) >= (0 if argument in {"batch_wait", "tag"} else 5)


@pytest.mark.parametrize(
    ("named", "text"),
    [
        ({"threads_per_queue": 0}, "threads_per_queue is 0"),
        ({"threads_per_queue": 10**6}, "at most 1024 threads"),
        ({"intra_op_threads": 10**9}, "at most 1024 threads"),
        ({"inter_op_threads": 1025}, "at most 1024 threads"),
    ],
)
def test_numbers_of_threads_that_no_machine_has(named, text):
    with pytest.raises(rai.InputError, match=text):
        rai.Engine(**named)


def test_more_outputs_than_there_is_memory_for(engine):
    script = engine.script(SOURCE, ["f"])
    for outputs in (2**40, 2**63 - 1):
        with pytest.raises(rai.InputError, match="more than the 65536"):
            script.run("f", X, outputs=outputs)
        with pytest.raises(rai.InputError, match="more than the 65536"):
            script.submit("f", X, outputs=outputs)


def test_shapes_beyond_all_memory(engine):
    loaded = engine.load(BLOB)
    huge = np.broadcast_to(np.float32(0), (2**40, 3))
    with pytest.raises(rai.OutOfMemoryError):
        loaded.run(huge)


def test_a_length_that_is_a_lie():
    class Long(list):
        def __len__(self):
            return 5

    with pytest.raises(rai.InputError, match="ragged"):
        rai.Tensor(Long([1, 2]))


def test_what_is_resized_during_a_run(engine):
    slow = engine.load(loop())
    memory = bytearray(np.zeros(2, np.float32).tobytes())
    x = memoryview(memory).cast("f")
    run = slow.submit(np.array(2**62), x)
    del x
    with pytest.raises(BufferError):
        memory.extend(b"more")
    array = np.zeros(2, np.float32)
    other = slow.submit(np.array(1), array)
    with pytest.raises(ValueError, match="resize"):
        array.resize(100)
    run.cancel()
    assert other.result(60).tolist() == [1, 1]
    # What the engine no longer reads is its owner's again.
    wait_until(lambda: grows(memory), "the memory's release")


def grows(memory):
    try:
        memory.extend(b"more")
    except BufferError:
        return False
    return True


def test_a_file_that_vanishes(engine, tmp_path, monkeypatch):
    path = tmp_path / "m.onnx"
    path.write_bytes(BLOB)
    loaded = engine.load(path)
    path.unlink()
    np.testing.assert_array_equal(loaded.run(X), X + X)
    with pytest.raises(rai.InvalidModelError, match="No such file"):
        engine.load(path)
    path.mkdir()
    with pytest.raises(rai.InvalidModelError, match=r"no saved_model\.pb"):
        engine.load(path)


def test_10_000_futures_that_nobody_reads(engine):
    loaded = engine.load(BLOB)
    good = [loaded.submit(X) for _ in range(5_000)]
    bad = [loaded.submit(np.zeros((1, 4), np.float32)) for _ in range(5_000)]
    del good, bad
    np.testing.assert_array_equal(loaded.submit(X).result(60), X + X)
    wait_until(lambda: loaded.stats()["calls"] == 10_001, "the runs")
    assert loaded.stats()["errors"] == 5_000


@pytest.mark.parametrize("batch_size", [0, 8])
def test_64_threads_on_a_model_that_is_unloaded(engine, batch_size):
    loaded = engine.load(BLOB, batch_size=batch_size)
    ran = threading.Semaphore(0)

    def again():
        for _ in range(100_000):
            np.testing.assert_array_equal(loaded.run(X), X + X)
            ran.release()

    with ThreadPoolExecutor(64) as pool:
        threads = [pool.submit(again) for _ in range(64)]
        for _ in range(200):
            assert ran.acquire(timeout=60)
        loaded.unload()
        for thread in threads:
            with pytest.raises(rai.RunError, match="ERR the model was unloaded"):
                thread.result(60)
    with pytest.raises(rai.RunError, match="unloaded"):
        loaded.submit(X).result(60)
    # Others run on, and once more is not too often.
    loaded.unload()
    np.testing.assert_array_equal(engine.load(BLOB).run(X), X + X)


def test_64_threads_on_an_engine_that_is_closed():
    engine = rai.Engine(intra_op_threads=1)
    loaded = engine.load(BLOB)
    ran = threading.Semaphore(0)

    def again():
        for _ in range(100_000):
            loaded.submit(X).result(60)
            ran.release()

    with ThreadPoolExecutor(64) as pool:
        threads = [pool.submit(again) for _ in range(64)]
        for _ in range(200):
            assert ran.acquire(timeout=60)
        engine.close()
        for thread in threads:
            with pytest.raises(rai.Error):
                thread.result(60)


def test_a_result_that_was_never_a_run(engine):
    """A future from outside the engine is nothing that it knows."""
    with pytest.raises(rai.InputError, match="Future is no tensor"):
        engine.load(BLOB).run(Future())
