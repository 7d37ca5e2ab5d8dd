"""64 clients whose runs and DAG steps share runs: each gets exactly its own rows."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from dag.ops import dag, tget
from dag.ops import execute as step
from onnx_models import execute, get, info, model, node, put, value

CLIENTS = 64
SHORT, LONG = 20.0, 180.0
WIDTHS = (3, 5)

# name -> BATCHSIZE and what of the minimum is set
MODELS = {
    "b8": (8, []),
    "b32": (32, []),
    "b8 min": (8, ["MINBATCHSIZE", 4, "MINBATCHTIMEOUT", 5]),
    "b32 min": (32, ["MINBATCHSIZE", 16, "MINBATCHTIMEOUT", 5]),
}
SCALES = {name: float(2 + n) for n, name in enumerate(MODELS)}


def scaled(scale):
    """y = x·s + 1 for any width: shapes of one model differ and share no run."""
    constants = {"s": np.float32(scale), "one": np.float32(1)}
    nodes = [node("Mul", "x s", "p"), node("Add", "p one", "y")]
    return model(nodes, [value("x", dims=("n", "w"))], [value("y", dims=("n", "w"))], constants)


class Client:
    """One client; all of its numbers are of a range of its own."""

    def __init__(self, server, number, until):
        self.client = server.client()
        self.number = number
        self.random = random.Random(number)
        self.until = until
        self.done = 0

    def work(self):
        """Runs until the time is over; gives how many."""
        steps = [self.plain, self.plain, self.persisted, self.read_only, self.chain]
        while time.monotonic() < self.until:
            self.random.choice(steps)()
            self.done += 1
        self.client.close()
        return self.done

    def given(self):
        """A model, and rows which no other client and no other turn has."""
        # Mostly few rows, at times more than any BATCHSIZE.
        rows = self.random.choice((1, 1, 1, 2, 3, 5, 8, 40))
        base = self.number * 1000 + self.done % 1000
        x = np.full((rows, self.random.choice(WIDTHS)), base, np.float32)
        x += np.arange(rows, dtype=np.float32)[:, None] / 64
        put(self.client, self.key("x"), x)
        return self.random.choice(list(MODELS)), x

    def key(self, name):
        return f"c{self.number}{name}"

    def expect(self, found, x, *names):
        for name in names:
            x = x * np.float32(SCALES[name]) + np.float32(1)
        np.testing.assert_allclose(found, x, rtol=1e-6)
        assert found.shape == x.shape

    def plain(self):
        name, x = self.given()
        assert execute(self.client, [self.key("x")], [self.key("y")], name) == b"OK"
        self.expect(get(self.client, self.key("y")), x, name)

    def persisted(self):
        name, x = self.given()
        head = f"LOAD 1 {self.key('x')} PERSIST 1 {self.key('y')}"
        words = dag(step(name, self.key("x"), self.key("y")), head=head)
        assert self.client.execute_command(*words) == [b"OK"]
        self.expect(get(self.client, self.key("y")), x, name)

    def read_only(self):
        name, x = self.given()
        ops = [step(name, self.key("x"), "y"), tget("y", "BLOB")]
        words = dag(*ops, head=f"LOAD 1 {self.key('x')}", kind="AI.DAGEXECUTE_RO")
        done, blob = self.client.execute_command(*words)
        assert done == b"OK"
        self.expect(np.frombuffer(blob, np.float32).reshape(x.shape), x, name)

    def chain(self):
        """Two models, one behind the other, and one beside them."""
        name, x = self.given()
        other = self.random.choice(list(MODELS))
        key = self.key("x")
        ops = [step(name, key, "a"), step(other, "a", "b"), step(other, key, "c")]
        reads = [tget("b", "BLOB"), tget("c", "BLOB")]
        words = dag(*ops, *reads, head=f"LOAD 1 {key}", kind="AI.DAGEXECUTE_RO")
        *done, b, c = self.client.execute_command(*words)
        assert done == [b"OK"] * 3
        self.expect(np.frombuffer(b, np.float32).reshape(x.shape), x, name, other)
        self.expect(np.frombuffer(c, np.float32).reshape(x.shape), x, other)


def shared_runs(server, seconds):
    """All clients at once; then what the models say of it."""
    client = server.client()
    for name, (size, minimum) in MODELS.items():
        words = ["AI.MODELSTORE", name, "ONNX", "CPU", "BATCHSIZE", size, *minimum]
        assert client.execute_command(*words, "BLOB", scaled(SCALES[name])) == b"OK"
    until = time.monotonic() + seconds
    workers = [Client(server, number, until) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        counts = [done.result() for done in [pool.submit(worker.work) for worker in workers]]
    assert min(counts) > 0
    for name, (size, minimum) in MODELS.items():
        full = info(client, name, "FULL")
        assert full["errors"] == 0, name
        sizes = {at for at, _ in full["batch_sizes"]}
        # A request of 40 rows runs alone: as 32 to 63. No other run has more than BATCHSIZE rows.
        assert sizes <= {2**n for n in range(size.bit_length())} | {32}, name
        # A minimum makes sure of it; without one it is for the engine to find that it pays.
        if minimum:
            assert full["batches"] > 0, name
    assert server.info("ai")["ai_queue_CPU_length"] == "0"
    server.assert_alive()


@pytest.mark.slow
def test_64_clients(server, client):
    shared_runs(server, SHORT)


@pytest.mark.slow
def test_64_clients_and_two_workers(make_server, server_binary):
    shared_runs(make_server(server_binary, module_args=["THREADS_PER_QUEUE", 2]), SHORT)


@pytest.mark.soak
def test_minutes_of_it(make_server, server_binary):
    shared_runs(make_server(server_binary, module_args=["THREADS_PER_QUEUE", 2]), LONG)
