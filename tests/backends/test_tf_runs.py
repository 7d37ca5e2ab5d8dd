"""How TensorFlow's models run: where, until when, several at once, and with which library."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

import digits
import numpy as np
import pytest
from backends.tf_models import refused, store, tarred
from holding import Pending
from holding import run as run_of
from models_on_servers import get, put, run
from redisai_rs.testing import Server, wait_until

WIDTH = 256
STEPS = 200


@pytest.fixture(scope="module")
def chain(tf, tmp_path_factory) -> bytes:
    """A SavedModel of many short steps, without a loop. It counts its runs from their beginning."""

    class Chain(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.runs = tf.Variable(0.0)
            self.turn = tf.constant(np.roll(np.eye(WIDTH, dtype=np.float32), 1, axis=0))

        @tf.function(input_signature=[tf.TensorSpec([None, WIDTH], tf.float32, name="x")])
        def turned(self, x):
            count = self.runs.assign_add(1.0)
            with tf.control_dependencies([count]):
                for _ in range(STEPS):
                    x = x @ self.turn
            return {"count": count, "y": x[:1]}

    model = Chain()
    place = tmp_path_factory.mktemp("chain") / "saved"
    tf.saved_model.save(model, str(place), {"serving_default": model.turned})
    return tarred(place)


class Chained:
    """A server with the chain, and inputs by how long they take."""

    def __init__(self, server: Server, blob: bytes) -> None:
        self.server = server
        self.client = server.client()
        store(self.client, blob)
        row = np.arange(WIDTH, dtype=np.float32)
        self.expected = [np.roll(row, -STEPS).tolist(), np.roll(row, STEPS).tolist()]
        for name, rows in (("short", 1), ("middle", 400), ("long", 2_000)):
            put(self.client, name, np.tile(row, (rows, 1)))

    def count(self, key: str = "short") -> float:
        """Runs it with an input; says which run it was in its session."""
        run(self.client, "m", [key], ["count", "y"])
        return self.last()

    def last(self) -> float:
        assert get(self.client, "y").tolist()[0] in self.expected
        return get(self.client, "count").item()

    def late(self) -> None:
        """A run that ends at its timeout."""
        assert run(self.client, "m", ["long"], ["a", "b"], "TIMEOUT", 100) == b"TIMEDOUT"


def test_once_a_run_has_lasted_a_deadline_ends_others_and_leaves_the_session(make_server, chain):
    chained = Chained(make_server(), chain)
    assert chained.count() == 1
    # Over 10 ms: from now on runs are in TensorFlow's pool, and end there at their deadlines.
    assert chained.count("middle") == 2
    for number in range(2):
        chained.late()
        # The one that was late has counted, so the session is the same.
        assert chained.count() == 4 + 2 * number


def test_a_model_that_is_short_again_runs_on_the_worker_s_thread_again(make_server, chain):
    chained = Chained(make_server(), chain)
    chained.count()
    chained.count("middle")
    for _ in range(64):
        chained.count()
    chained.late()
    # Nothing but the session's end stops a run there.
    assert chained.count() == 1


def test_runs_of_others_go_on_when_one_has_its_session_closed(make_server, chain):
    chained = Chained(make_server(module_args=["THREADS_PER_QUEUE", 2]), chain)
    assert chained.count() == 1
    # No run but the first, which prepares the graph, has lasted: so both are on the workers' own
    # threads, where nothing else stops them.
    first = Pending(chained.server, *run_of("m", ["long"], ["count", "y"]))
    late = Pending(chained.server, *run_of("m", ["long"], ["a", "b"], "TIMEOUT", 300))
    wait_until(lambda: chained.server.info("ai")["ai_queue_CPU_busy"] == "2", "both runs")
    assert late.reply() == b"TIMEDOUT"
    assert first.reply() == b"OK"
    # It ran again, as the first of a new session.
    assert chained.last() == 1
    assert chained.count() == 2


def test_a_batch_is_cut_into_its_rows(make_server):
    server = make_server()
    client = server.client()
    options = ("BATCHSIZE", 4, "MINBATCHSIZE", 4, "MINBATCHTIMEOUT", 60_000)
    names = ("INPUTS", 1, "pixels", "OUTPUTS", 2, "digit", "probabilities")
    store(client, digits.blob("digits.pb"), *options, *names)
    images = digits.rows()[:4]
    for number, image in enumerate(images):
        pixels = np.frombuffer(digits.pixels([image]), np.float32)
        put(client, f"x{number}", pixels.reshape(1, digits.PIXELS))
    # One alone would wait for a minute.
    runs = [Pending(server, *run_of("m", [f"x{n}"], [f"d{n}", f"p{n}"])) for n in range(4)]
    assert [one.reply() for one in runs] == [b"OK"] * 4
    store(client, digits.blob("digits.pb"), *names, key="alone")
    for number in range(4):
        run(client, "alone", [f"x{number}"], ["d", "p"])
        assert get(client, f"d{number}", np.int64).tolist() == get(client, "d", np.int64).tolist()
        np.testing.assert_allclose(get(client, f"p{number}"), get(client, "p"), rtol=1e-5)
    facts = client.execute_command("AI.INFO", "m")
    facts = dict(zip(facts[::2], facts[1::2], strict=True))
    assert (facts[b"calls"], facts[b"samples"]) == (4, 4)


def test_one_long_operation_is_waited_for_by_nobody(make_server, tf):
    """TensorFlow sees a deadline between two operations; this is one."""
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.int32, [], name="x")
        half = tf.fill([x], 0.5)
        tf.reduce_max(tf.math.betainc(half * 300.0, half * 500.0, half), name="y")
    few = 20_000
    half = tf.fill([few], 0.5)
    with tf.device("CPU"):
        begun = os.times().user
        while os.times().user - begun < 0.2:
            tf.math.betainc(half * 300.0, half * 500.0, half)
            few += 20_000
    count = int(few * 5 / (os.times().user - begun))
    arguments = ["MODEL_EXECUTION_TIMEOUT", 1000, "INTRA_OP_PARALLELISM", 1]
    server = make_server(module_args=arguments)
    client = server.client()
    names = ("INPUTS", 1, "x", "OUTPUTS", 1, "y")
    store(client, graph.as_graph_def().SerializeToString(), *names)
    store(client, digits.blob("digits.pb"), "INPUTS", 1, "pixels", "OUTPUTS", 1, "digit", key="d")
    put(client, "p", np.zeros((1, digits.PIXELS), np.float32))
    client.execute_command("AI.TENSORSET", "x", "INT32", "VALUES", count)
    stuck = Pending(server, *run_of("m", ["x"], ["late"]))
    assert stuck.error() == "ERR Exiting due to terminate flag being set to true."
    server.wait_for_log("Worker 0 of queue CPU is stuck in a run; it was replaced")
    for _ in range(5):
        run(client, "d", ["p"], ["o"])
    assert get(client, "o", np.int64).shape == (1,)
    assert not client.exists("late")


def test_a_library_of_the_system_without_python(make_server, redisai_module, tmp_path):
    """As `libtensorflow.so.2` with the library it needs, in a directory, and no package."""
    package = Path(importlib.util.find_spec("tensorflow").origin).parent
    library, module = tmp_path / "lib", tmp_path / "module"
    (module / "backends" / "redisai_tensorflow").mkdir(parents=True)
    ours = "backends/redisai_tensorflow/redisai_tensorflow.so"
    for name in (redisai_module.name, ours):
        shutil.copy(redisai_module.parent / name, module / name)
    library.mkdir()
    (library / "libtensorflow.so.2").symlink_to(package / "libtensorflow_cc.so.2")
    (library / "libtensorflow_framework.so.2").symlink_to(package / "libtensorflow_framework.so.2")
    names = ("INPUTS", 1, "pixels", "OUTPUTS", 1, "digit")
    for path, found in ((library, True), (tmp_path, False)):
        env = {"LD_LIBRARY_PATH": str(path), "REDISAI_PYTHON": "", "VIRTUAL_ENV": ""}
        server = make_server(module=module / redisai_module.name, env=env)
        with server.client() as client:
            if found:
                store(client, digits.blob("digits.pb"), *names)
                put(client, "p", np.zeros((1, digits.PIXELS), np.float32))
                run(client, "m", ["p"], ["o"])
            else:
                text = refused(client, digits.blob("digits.pb"), *names)
                assert "Could not load backend" in text
