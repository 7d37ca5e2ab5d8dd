"""Servers with TensorFlow and LiteRT in them: signals, and their end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import digits
import numpy as np
import pytest
from holding import Pending
from holding import run as run_of
from models_on_servers import put, run
from redisai_rs.testing import Server, wait_until

DATA = Path(__file__).resolve().parents[2] / "crates" / "backend-tflite" / "tests" / "data"
DIGITS = {
    "TF": ("digits.pb", ("INPUTS", 1, "pixels", "OUTPUTS", 2, "digit", "probabilities")),
    "TFLITE": ("digits.tflite", ()),
}


@pytest.fixture(params=DIGITS)
def backend(request) -> str:
    return request.param


def load(server: Server, backend: str) -> None:
    """Has a backend run a model."""
    form, names = DIGITS[backend]
    with server.client() as client:
        words = ("AI.MODELSTORE", "d", backend, "CPU", *names)
        client.execute_command(*words, "BLOB", digits.blob(form))
        put(client, "pixels", np.zeros((1, digits.PIXELS), np.float32))
        run(client, "d", ["pixels"], ["digit", "p"])


def signals(server: Server) -> dict[str, str]:
    """Which signals the process ignores, blocks and handles."""
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: fields[name] for name in ("SigBlk", "SigIgn", "SigCgt")}


def test_signals_stay_the_servers(make_server, backend):
    server = make_server()
    before = signals(server)
    load(server, backend)
    assert signals(server) == before


def endless_graph() -> bytes:
    """A GraphDef whose loop goes on for as long as its values are numbers."""
    tf = pytest.importorskip("tensorflow", reason="tensorflow-cpu is not installed")
    with tf.Graph().as_default() as graph:
        x = tf.compat.v1.placeholder(tf.float32, [1], name="x")
        tf.identity(tf.while_loop(lambda v: v[0] > -1, lambda v: v * 0.5, [x])[0], name="y")
    return graph.as_graph_def().SerializeToString()


def endless(server: Server, backend: str) -> Pending:
    """A run without an end."""
    blob, names = (DATA / "endless.tflite").read_bytes(), ()
    if backend == "TF":
        blob, names = endless_graph(), ("INPUTS", 1, "x", "OUTPUTS", 1, "y")
    with server.client() as client:
        client.execute_command("AI.MODELSTORE", "m", backend, "CPU", *names, "BLOB", blob)
        put(client, "x", np.zeros(1, np.float32))
    held = Pending(server, *run_of("m", ["x"], ["y"]))
    wait_until(lambda: server.info("ai")["ai_queue_CPU_busy"] == "1", "the run")
    return held


@pytest.mark.parametrize("busy", [False, True])
def test_sigterm_ends_the_server_as_ever(make_server, backend, busy):
    server = make_server()
    load(server, backend)
    if busy:
        endless(server, backend)
    os.kill(server.pid, signal.SIGTERM)
    assert server.wait_for_exit() == 0
    server.stop()  # nothing runs; this looks at the log for a crash
