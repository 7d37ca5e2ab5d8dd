"""kill -9 at random moments under load: what was acknowledged is there, and nothing is torn."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import redis
from onnx_models import get, put
from redis.backoff import NoBackoff
from redis.retry import Retry
from redisai_rs.testing import wait_until

CLIENTS = 4
SHORT, LONG = 4, 150
ELEMENTS = 2000


class Client:
    """Counts up: what it has sent, and what the server has confirmed, by kind of key."""

    def __init__(self, number):
        self.number = number
        self.sent = {"run": 0, "model": 0}
        self.confirmed = dict(self.sent)
        self.done = 0

    def key(self, name):
        return f"{name}{self.number}"

    def work(self, server, confirm):
        """Until the server has gone."""
        # Not one of the server's own, which it closes before it dies.
        retry = Retry(NoBackoff(), 0)
        client = redis.Redis(host=server.host, port=server.port, protocol=2, retry=retry)
        try:
            while True:
                self.run(client, confirm)
                self.store(client, confirm)
                self.done += 1
        except (redis.ConnectionError, OSError):
            pass
        finally:
            client.close()

    def run(self, client, confirm):
        """Two outputs of one run, of as many equal elements as a torn value would show in."""
        self.sent["run"] += 1
        x, y, z = map(self.key, "xyz")
        put(client, x, np.full(ELEMENTS, self.sent["run"], np.float32))
        run = ["AI.MODELEXECUTE", "m", "INPUTS", 2, x, x, "OUTPUTS", 2, y, z]
        assert client.execute_command(*run) == b"OK"
        if confirm(client):
            self.confirmed["run"] = self.sent["run"]

    def store(self, client, confirm):
        self.sent["model"] += 1
        command = ["AI.MODELSTORE", self.key("n"), "ONNX", "CPU", "TAG", self.sent["model"]]
        assert client.execute_command(*command, "BLOB", self.blob(self.sent["model"])) == b"OK"
        if confirm(client):
            self.confirmed["model"] = self.sent["model"]

    @staticmethod
    def blob(number):
        return f"identity\noutput o{number}\n" + " " * ELEMENTS

    def check(self, client):
        """Looks at what is there, which becomes what was sent and confirmed."""
        found = {"run": 0, "model": 0}
        outputs = [key for key in map(self.key, "yz") if client.exists(key)]
        if outputs:
            y, z = (get(client, self.key(name)) for name in "yz")
            assert y.shape == z.shape == (ELEMENTS,)
            assert set(y) == set(z) == {y[0]}
            found["run"] = int(y[0])
        if client.exists(self.key("n")):
            tag, blob = client.execute_command("AI.MODELGET", self.key("n"), "META", "BLOB")[5::12]
            found["model"] = int(tag)
            assert blob.decode() == self.blob(found["model"])
        for kind, value in found.items():
            assert self.confirmed[kind] <= value <= self.sent[kind], (kind, self.number)
        self.sent, self.confirmed = dict(found), dict(found)


def loaded(server, clients, chance, confirm):
    """Lets the clients work, and kills the server after so many of their rounds as chance says."""
    goal = sum(client.done for client in clients) + chance.randint(1, 60)
    with ThreadPoolExecutor(CLIENTS) as pool:
        ends = [pool.submit(client.work, server, confirm) for client in clients]
        wait_until(
            lambda: sum(client.done for client in clients) >= goal or any(e.done() for e in ends),
            "the clients",
        )
        # Not between two rounds: somewhere in the next one.
        threading.Event().wait(chance.random() / 100)
        server.kill9()
        for end in ends:
            end.result()


@pytest.fixture
def options(mock_path):
    return {"module_args": ["TEST_BACKENDS", "yes", "ONNX", mock_path]}


def prepare(server):
    command = ["AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "identity"]
    assert server.client().execute_command(*command) == b"OK"


def kills(server, times):
    """One server with `appendfsync always`: every reply is on the disk."""
    chance = random.Random(times)
    prepare(server)
    clients = [Client(number) for number in range(CLIENTS)]
    for number in range(times):
        loaded(server, clients, chance, lambda _: True)
        server.start()
        client = server.client()
        for one in clients:
            one.check(client)
        if number % 5 == 2:
            client.bgrewriteaof()
    assert min(client.done for client in clients) > 0


def always(preamble):
    """The settings of a server that loses nothing."""
    return {"appendonly": "yes", "appendfsync": "always", "aof-use-rdb-preamble": preamble}


@pytest.mark.parametrize("preamble", ["yes", "no"], ids=["preamble", "commands"])
def test_nothing_acknowledged_is_lost(start, options, preamble):
    kills(start(**options, config=always(preamble)), SHORT)


@pytest.mark.soak
@pytest.mark.parametrize("preamble", ["yes", "no"], ids=["preamble", "commands"])
def test_nothing_acknowledged_is_lost_in_many_kills(start, options, preamble):
    kills(start(**options, config=always(preamble)), LONG)


def reached_a_replica(server):
    """How a client asks whether a replica has what it has written."""

    def confirm(client):
        if server.binary.version < (7,):
            # 6.2 counts what a blocked command wrote only later: a plain write behind it counts.
            client.set("written", 1)
        return client.wait(1, 1000) >= 1

    return confirm


def failovers(primary, options, times):
    """The primary is killed, its replica takes over; the killed one becomes the replica."""
    chance = random.Random(times)
    prepare(primary)
    clients = [Client(number) for number in range(CLIENTS)]
    replica = primary.replica(**options).start()
    try:
        replica.wait_for_sync()
        for _ in range(times):
            loaded(primary, clients, chance, reached_a_replica(primary))
            client = replica.client()
            client.replicaof("NO", "ONE")
            for one in clients:
                one.check(client)
            primary, replica = replica, primary
            primary.config.pop("replicaof", None)
            replica.config["replicaof"] = f"{primary.host} {primary.port}"
            replica.start()
            replica.wait_for_sync()
            replica.wait_for_offset(primary)
            same = [one.client().execute_command("DEBUG", "DIGEST") for one in (primary, replica)]
            assert same[0] == same[1]
    finally:
        for server in (replica, primary):
            server.close()
    assert min(client.done for client in clients) > 0


def test_nothing_that_wait_confirmed_is_lost(start, options):
    failovers(start(**options), options, SHORT)


@pytest.mark.soak
def test_nothing_that_wait_confirmed_is_lost_in_many_failovers(start, options):
    failovers(start(**options), options, LONG)
