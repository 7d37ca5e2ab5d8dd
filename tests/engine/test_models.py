"""Models in process: loading, running, names, errors. Expected values are onnxruntime's."""

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import redisai_rs as rai
from onnx import TensorProto, helper
from onnx_models import DTYPES, loop, model, node, reference, value
from redisai_rs.testing import wait_until


def double(kind=TensorProto.FLOAT, dims=("n", 3)):
    return model([node("Add", "x x", "y")], [value("x", kind, dims)], [value("y", kind, dims)])


def several():
    """Two inputs, two outputs; Python allows `total` as a name and `a-b` not."""
    nodes = [node("Add", "a b", "total"), node("Sub", "a b", "a-b")]
    return model(nodes, [value("a"), value("b")], [value("total"), value("a-b")])


def test_a_run_is_what_onnxruntime_gives(engine):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = engine.load(double()).run(x)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, reference(double(), x=x)[0])


@pytest.mark.parametrize("name", DTYPES)
def test_every_dtype_goes_in_and_out(engine, name):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(DTYPES[name]))
    blob = model([node("Identity", "x", "y")], [value("x", kind)], [value("y", kind)])
    x = np.array([[0, 1, 1], [1, 0, 1]], DTYPES[name])
    found = engine.load(blob).run(x)
    assert found.dtype == x.dtype
    np.testing.assert_array_equal(found, x)


def test_strings_of_any_bytes(engine):
    kind = TensorProto.STRING
    blob = model([node("Identity", "x", "y")], [value("x", kind)], [value("y", kind)])
    loaded = engine.load(blob)
    texts = [["a", "", "ü"], [b"\xff", b"b", "c"]]
    expected = [[b"a", b"", "ü".encode()], [b"\xff", b"b", b"c"]]
    for x in (texts, np.array(texts, object)):
        assert loaded.run(x).tolist() == expected
    assert loaded.run(np.array([["ab", "c", "d"]])).tolist() == [[b"ab", b"c", b"d"]]


def test_several_outputs_are_a_named_tuple(engine):
    a, b = np.ones((1, 3), np.float32), np.full((1, 3), 2, np.float32)
    loaded = engine.load(several())
    assert (loaded.inputs, loaded.outputs) == (["a", "b"], ["total", "a-b"])
    found = loaded.run(a, b)
    np.testing.assert_array_equal(found.total, a + b)
    np.testing.assert_array_equal(found._1, a - b)
    total, difference = found
    assert total is found[0]
    assert difference is found[1]


def test_inputs_by_name(engine):
    a, b = np.ones((1, 3), np.float32), np.full((1, 3), 2, np.float32)
    loaded = engine.load(several())
    for found in (loaded.run(b=b, a=a), loaded.run({"b": b, "a": a}), loaded.run(a, b=b)):
        np.testing.assert_array_equal(found[1], a - b)
    with pytest.raises(rai.InputError, match="input 'b' is missing: the model's inputs are a, b"):
        loaded.run(a=a)
    with pytest.raises(rai.InputError, match="no input 'c'"):
        loaded.submit(a=a, b=b, c=b)


def test_where_a_model_comes_from(engine, tmp_path):
    path = tmp_path / "m.onnx"
    path.write_bytes(double())
    memory = bytearray(double())
    x = np.ones((1, 3), np.float32)
    sources = [path, str(path), double(), memory, memoryview(double()), io.BytesIO(double())]
    models = [engine.load(source) for source in sources]
    memory[:] = bytes(len(memory))
    for loaded in models:
        np.testing.assert_array_equal(loaded.run(x), x + x)
        assert (loaded.backend, loaded.device) == ("ONNX", "CPU")


@pytest.mark.parametrize(
    ("source", "options", "error", "text"),
    [
        (b"", {}, rai.InvalidModelError, "not recognised"),
        (b"\x08\x08 garbage", {}, rai.InvalidModelError, "."),
        (b"PK\x03\x04 garbage", {}, rai.InvalidModelError, "archive is damaged"),
        ("nowhere.onnx", {}, rai.InvalidModelError, "No such file"),
        (".", {}, rai.InvalidModelError, "no directory of a SavedModel"),
        (io.StringIO("x"), {}, rai.InvalidModelError, "mode 'rb'"),
        (3, {}, rai.InvalidModelError, "int is no model"),
        (double(), {"backend": "JAX"}, ValueError, "JAX is no backend"),
        (double(), {"device": "TPU"}, ValueError, '"TPU" is no device'),
        (double(), {"batch_size": -1}, OverflowError, "negative"),
    ],
)
def test_what_is_no_model(engine, source, options, error, text):
    with pytest.raises(error, match=text):
        engine.load(source, **options)


def test_a_wrong_number_of_inputs(engine):
    loaded = engine.load(double())
    x = np.ones((1, 3), np.float32)
    for inputs in ((), (x, x)):
        with pytest.raises(rai.Error, match="INPUTS here does not match"):
            loaded.run(*inputs)


def test_a_timeout_ends_the_run(engine):
    loaded = engine.load(loop())
    x = np.zeros(2, np.float32)
    with pytest.raises(rai.TimeoutError, match="TIMEDOUT"):
        loaded.run(np.array(2**62), x, timeout=0.1)
    # The worker is free again.
    np.testing.assert_array_equal(loaded.run(np.array(5), x, timeout=60), [5, 5])
    with pytest.raises(rai.InputError, match="timeout"):
        loaded.run(np.array(5), x, timeout=-1.0)


def test_a_future_has_the_result_and_can_be_cancelled(engine):
    slow = engine.load(loop(), device="CPU:1")
    x = np.zeros(2, np.float32)
    first = slow.submit(np.array(2**62), x, timeout=60)
    # One worker: this one waits behind it.
    second = slow.submit(np.array(5), x)
    assert second.cancel()
    assert second.cancelled()
    assert first.cancel()
    np.testing.assert_array_equal(slow.submit(np.array(5), x).result(60), [5, 5])


def test_asyncio(engine):
    loaded = engine.load(double())
    x = np.ones((1, 3), np.float32)

    async def main():
        return await asyncio.gather(*(loaded.run_async(x * i) for i in range(50)))

    for i, found in enumerate(asyncio.run(main())):
        np.testing.assert_array_equal(found, x * i * 2)


def test_threads_share_batches_and_each_gets_its_rows(engine):
    loaded = engine.load(double(), batch_size=32, min_batch_size=8, min_batch_timeout=60)
    everyone = threading.Barrier(8)

    def one(i):
        everyone.wait()
        return loaded.run(np.full((1, 3), i, np.float32))

    with ThreadPoolExecutor(8) as pool:
        for i, found in enumerate(pool.map(one, range(8))):
            np.testing.assert_array_equal(found, [[2 * i] * 3])
    stats = loaded.stats()
    assert (stats["calls"], stats["batches"], stats["errors"]) == (8, 1, 0)
    loaded.reset_stats()
    assert loaded.stats()["calls"] == 0


def test_a_full_queue_refuses():
    with rai.Engine(intra_op_threads=1, queue_limit=1) as engine:
        loaded = engine.load(loop())
        x = np.zeros(2, np.float32)
        running = loaded.submit(np.array(2**62), x)
        wait_until(lambda: engine.queues()["CPU"]["waiting"] == 0, "the run's begin")
        waiting = loaded.submit(np.array(1), x)
        with pytest.raises(rai.QueueFullError, match="Queue of device CPU is full"):
            loaded.submit(np.array(1), x)
        assert not waiting.done()
        assert engine.queues()["CPU"]["waiting"] == 1
        running.cancel()


def test_a_closed_engine_refuses_and_results_stay():
    engine = rai.Engine(intra_op_threads=1)
    loaded = engine.load(double())
    x = np.ones((1, 3), np.float32)
    found = loaded.submit(x).result(60)
    engine.close()
    with pytest.raises(rai.Error, match="shutting down"):
        loaded.submit(x)
    del engine, loaded
    np.testing.assert_array_equal(found, x + x)
