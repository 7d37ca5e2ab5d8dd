"""The text of every class of fault: in process what a server replies."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import redisai_rs as rai
from holding import NO_LIMIT, Pending
from onnx import TensorProto
from onnx_models import loop, model, node, put, value
from redisai_rs.testing import wait_until

DOUBLE = model([node("Add", "x x", "y")], [value("x")], [value("y")])
# Reshapes to what it is told, which shows only in the run.
RESHAPE = model(
    [node("Reshape", "x s", "y")],
    [value("x"), value("s", TensorProto.INT64, ("k",))],
    [value("y", dims=None)],
)
GARBAGE = b"\x08\x08 garbage"
ENDLESS = np.array(2**62)
ZEROS = np.zeros(2, np.float32)
RUN = ["AI.MODELEXECUTE", "m", "INPUTS"]


@pytest.fixture
def full(make_server):
    """A server and an engine whose queues take one."""
    server = make_server(module_args=["QUEUE_LIMIT", 1, *NO_LIMIT])
    # Nothing but the test ends a run.
    with rai.Engine(queue_limit=1, model_execution_timeout=3600) as engine:
        yield server, engine


@pytest.fixture(scope="module")
def served(server):
    """Replies of a server: stores a model and these inputs, and gives the error of its run."""

    def reply(blob, *inputs, options=()):
        client = server.client()
        client.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", blob)
        for number, x in enumerate(inputs):
            put(client, f"x{number}", x)
        names = [f"x{number}" for number in range(len(inputs))]
        words = [*RUN, len(names), *names, "OUTPUTS", 1, "y", *options]
        return Pending(server, *words)

    return reply


def assert_same(raised, replied):
    # What a server's error lacks of Redis's own prefix it has on the wire.
    assert str(raised.value) == replied or f"ERR {raised.value}" == replied


@pytest.mark.parametrize(
    ("blob", "inputs", "kind"),
    [
        (DOUBLE, [np.zeros((1, 4), np.float32)], rai.InputError),
        (DOUBLE, [np.zeros((1, 3), np.float64)], rai.InputError),
        (DOUBLE, [np.zeros((1, 3), np.float32)] * 2, rai.InputError),
        (RESHAPE, [np.zeros((1, 3), np.float32), np.array([5])], rai.RunError),
    ],
    ids=["shape", "dtype", "number", "run"],
)
def test_runs_that_fail(engine, served, blob, inputs, kind):
    loaded = engine.load(blob)
    replied = served(blob, *inputs).error()
    for run in (loaded.run, lambda *given: loaded.submit(*given).result(60)):
        with pytest.raises(kind) as raised:
            run(*inputs)
        assert type(raised.value) is kind
        assert_same(raised, replied)


@pytest.mark.parametrize(
    ("device", "blob", "kind"),
    [("CPU", GARBAGE, rai.InvalidModelError), ("GPU", DOUBLE, rai.UnsupportedError)],
)
def test_models_that_are_none(engine, server, device, blob, kind):
    replied = Pending(server, "AI.MODELSTORE", "n", "ONNX", device, "BLOB", blob).error()
    with pytest.raises(kind) as raised:
        engine.load(blob, device=device)
    assert type(raised.value) is kind
    assert_same(raised, replied)


def test_a_deadline(engine, served):
    replied = served(loop(), ENDLESS, ZEROS, options=["TIMEOUT", 50]).reply()
    with pytest.raises(rai.TimeoutError) as raised:
        engine.load(loop()).run(ENDLESS, ZEROS, timeout=0.05)
    assert str(raised.value) == replied.decode()


def test_a_full_queue(full):
    server, engine = full
    client = server.client()
    client.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", loop())
    put(client, "n", ENDLESS)
    put(client, "x", ZEROS)
    words = [*RUN, 2, "n", "x", "OUTPUTS", 1, "y"]

    def queue(what):
        return server.info("ai")[f"ai_queue_CPU_{what}"]

    pending = [Pending(server, *words)]
    wait_until(lambda: queue("busy") == "1", "the run's begin")
    pending.append(Pending(server, *words))
    wait_until(lambda: queue("length") == "1", "the full queue")
    replied = Pending(server, *words).error()
    loaded = engine.load(loop())
    running = loaded.submit(ENDLESS, ZEROS)
    wait_until(lambda: engine.queues()["CPU"]["waiting"] == 0, "the run's begin")
    waiting = loaded.submit(ENDLESS, ZEROS)
    with pytest.raises(rai.QueueFullError) as raised:
        loaded.submit(ENDLESS, ZEROS)
    assert_same(raised, replied)
    assert waiting.cancel()
    assert running.cancel()
    for each in pending:
        each.close()


MISSING = """
import sys, sysconfig
sysconfig.get_path = lambda name: sys.argv[1]
import redisai_rs as rai
try:
    rai.Engine().load(sys.stdin.buffer)
except rai.BackendMissingError as error:
    print(error, end="")
"""


def test_a_framework_that_is_not_there(make_server, tmp_path):
    """The reason, which a server writes to its log, stands behind the server's text."""
    server = make_server(module_args=["PYTHON", tmp_path])
    replied = Pending(server, "AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", DOUBLE).error()
    words = [sys.executable, "-c", MISSING, tmp_path]
    raised = subprocess.check_output(words, input=DOUBLE, timeout=120).decode()
    assert raised.startswith(f"{replied}: ")
    assert "pip install 'redisai-rs[onnx]'" in raised
