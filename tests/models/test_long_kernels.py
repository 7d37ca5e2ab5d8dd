"""`MODEL_EXECUTION_TIMEOUT` and a kernel of ONNX Runtime that cannot be stopped in its middle."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from holding import Pending, run
from onnx_models import execute, get, info, model, node, put, store, value
from redisai_rs.testing import wait_until

# The least that the option takes, in milliseconds.
LIMIT = 1000
# Beyond the limit and the grace, with room for a machine that is slower while this is measured.
SECONDS = 3.0


def long_kernel(steps):
    """An RNN of so many steps: each needs the one before, and all are one kernel."""
    weights = np.full((1, 1, 1), 0.5, np.float32)
    constants = {"s": np.array([steps, 1, 1], np.int64), "w": weights, "r": weights}
    nodes = [node("Expand", "x s", "xs"), node("RNN", "xs w r", " y", hidden_size=1)]
    inputs = [value("x", dims=(1, 1, 1))]
    return model(nodes, inputs, [value("y", dims=None)], constants)


def steps_of(seconds):
    """How many steps take that long here."""
    few = 500_000
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        long_kernel(few), options, providers=["CPUExecutionProvider"]
    )

    def took():
        # Of this thread alone: other tests take the processor now and then.
        begun = time.thread_time()
        session.run(None, {"x": np.ones((1, 1, 1), np.float32)})
        return time.thread_time() - begun

    return int(few * seconds / min(took() for _ in range(3)))


def small():
    weights = {"w": np.full((3, 4), 2, np.float32)}
    return model([node("MatMul", "x w", "y")], [value("x")], [value("y", dims=None)], weights)


@pytest.fixture
def server(make_server, server_binary):
    return make_server(server_binary, module_args=["MODEL_EXECUTION_TIMEOUT", LIMIT])


def test_a_kernel_that_cannot_be_stopped(server):
    client = server.client()
    store(client, long_kernel(steps_of(SECONDS)), "long")
    store(client, small(), "small")
    put(client, "one", np.ones((1, 1, 1), np.float32))
    put(client, "x", np.ones((2, 3), np.float32))
    stuck = Pending(server, *run("long", ["one"], ["late"]))
    assert stuck.error() == "ERR Exiting due to terminate flag being set to true."
    server.wait_for_log("Worker 0 of queue CPU is stuck in a run; it was replaced")
    # The old worker is still at it, and others are served. (A thread takes its name as it begins.)
    wait_until(lambda: workers(server) == 2, "the new worker beside the stuck one")
    for number in range(20):
        assert execute(client, ["x"], [f"y{number}"], "small") == b"OK"
    np.testing.assert_array_equal(get(client, "y19"), np.full((2, 4), 6, np.float32))
    counts = info(client, "long")
    assert (counts["calls"], counts["errors"], counts["samples"]) == (1, 1, 0)
    assert server.info("ai")["ai_queue_CPU_workers"] == "1"
    assert workers(server) == 2
    wait_until(lambda: workers(server) == 1, "the end of the stuck worker")
    # It came back a good while later, and left nothing.
    assert not client.exists("late")
    assert info(client, "long")["calls"] == 1
    assert execute(client, ["x"], ["y"], "small") == b"OK"


def workers(server):
    """Threads of the queue CPU that are alive, replaced ones too."""
    names = [p.read_text().strip() for p in Path(f"/proc/{server.pid}/task").glob("*/comm")]
    return names.count("ai-CPU-0")
