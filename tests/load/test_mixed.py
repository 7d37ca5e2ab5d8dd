"""64 clients and every command at once; each result is checked."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import redis
from onnx_models import execute, get, info, model, node, put, store, value
from redisai_rs.testing import wait_until

CLIENTS = 64
SHORT, LONG = 12.0, 240.0
WEIGHTS = np.arange(12, dtype=np.float32).reshape(3, 4)


def affine(bias):
    """y = x·W + b, one for each bias."""
    constants = {"w": WEIGHTS, "b": np.full(4, bias, np.float32)}
    nodes = [node("MatMul", "x w", "p"), node("Add", "p b", "y")]
    return model(nodes, [value("x")], [value("y", dims=("n", 4))], constants)


class Client:
    """One client with keys of its own and models that all share."""

    def __init__(self, server, number, until):
        self.client = server.client()
        self.name = f"c{number}"
        self.random = random.Random(number)
        self.until = until
        self.done = 0

    def work(self):
        """Commands until the time is over; gives how many."""
        steps = [self.tensor, self.shared, self.own, self.late, self.wrong, self.read]
        while time.monotonic() < self.until:
            self.random.choice(steps)()
            self.done += 1
        self.client.close()
        return self.done

    def batch(self):
        rows = self.random.randint(1, 40)
        return np.full((rows, 3), self.random.randint(-100, 100), np.float32)

    def check(self, key, x, bias):
        np.testing.assert_allclose(get(self.client, key), x @ WEIGHTS + bias)

    def tensor(self):
        x = np.arange(self.random.randint(1, 5000), dtype=np.int64) + self.done
        put(self.client, f"{self.name} t", x)
        np.testing.assert_array_equal(get(self.client, f"{self.name} t"), x)
        if self.random.random() < 0.5:
            self.client.delete(f"{self.name} t")

    def shared(self):
        x, bias = self.batch(), self.random.randint(0, 3)
        put(self.client, f"{self.name} x", x)
        keys = [f"{self.name} x"], [f"{self.name} y"]
        assert execute(self.client, *keys, f"shared {bias}") == b"OK"
        self.check(f"{self.name} y", x, bias)

    def own(self):
        x, bias = self.batch(), self.random.randint(100, 200)
        key = f"{self.name} m"
        store(self.client, affine(bias), key)
        put(self.client, f"{self.name} x", x)
        assert execute(self.client, [f"{self.name} x"], [f"{self.name} y"], key) == b"OK"
        self.check(f"{self.name} y", x, bias)
        assert info(self.client, key)["calls"] == 1
        assert self.client.execute_command("AI.MODELDEL", key) == b"OK"

    def late(self):
        put(self.client, f"{self.name} x", self.batch())
        self.client.delete(f"{self.name} z")
        run = ["AI.MODELEXECUTE", "shared 0", "INPUTS", 1, f"{self.name} x"]
        reply = self.client.execute_command(*run, "OUTPUTS", 1, f"{self.name} z", "TIMEOUT", 1)
        assert reply in {b"OK", b"TIMEDOUT"}
        assert self.client.exists(f"{self.name} z") == (reply == b"OK")

    def wrong(self):
        put(self.client, f"{self.name} x", np.ones((2, 5), np.float32))
        with pytest.raises(redis.ResponseError):
            execute(self.client, [f"{self.name} x"], [f"{self.name} w"], "shared 1")
        assert not self.client.exists(f"{self.name} w")

    def read(self):
        assert self.client.execute_command("AI.MODELGET", "shared 2", "BLOB") == affine(2)
        assert len(self.client.execute_command("AI._MODELSCAN")) >= 4
        assert self.client.info("everything")


def mixed(server, seconds):
    client = server.client()
    for bias in range(4):
        store(client, affine(bias), f"shared {bias}")
    until = time.monotonic() + seconds
    workers = [Client(server, number, until) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        counts = [done.result() for done in [pool.submit(worker.work) for worker in workers]]
    server.assert_alive()
    # Everybody got a turn.
    assert min(counts) > 0
    assert sum(counts) > CLIENTS * 4
    # Nothing is left waiting, nothing but the shared models is left loaded.
    assert server.info("ai")["ai_queue_CPU_length"] == "0"
    assert len(client.execute_command("AI._MODELSCAN")) == 4
    # Not of 0 and 1: a run that its client's deadline stops counts as an error, as one of a wrong
    # input does.
    assert [info(client, f"shared {bias}")["errors"] for bias in (2, 3)] == [0, 0]
    return client


@pytest.mark.slow
def test_64_clients(server, client):
    mixed(server, SHORT)


@pytest.mark.slow
def test_64_clients_and_several_threads(make_server, server_binary):
    arguments = ["THREADS_PER_QUEUE", 4, "LOADER_THREADS", 2]
    mixed(make_server(server_binary, module_args=arguments), SHORT)


@pytest.mark.soak
def test_minutes_of_it_with_a_replica_saves_and_rewrites(make_server, server_binary):
    server = make_server(server_binary, config={"appendonly": "yes", "save": "1 1"})
    with server.replica(config={"save": '""', "appendonly": "no"}) as replica:
        replica.wait_for_sync()
        client = mixed(server, LONG)
        replica.wait_for_offset(server)
        same = [one.execute_command("DEBUG", "DIGEST") for one in (client, replica.client())]
        assert same[0] == same[1]
        wait_until(lambda: not client.info("persistence")["rdb_bgsave_in_progress"], "the save")
        before = client.execute_command("DEBUG", "DIGEST")
        server.restart()
        assert server.client().execute_command("DEBUG", "DIGEST") == before
