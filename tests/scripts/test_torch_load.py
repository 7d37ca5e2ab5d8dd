"""64 clients whose scripts write: through saves, pauses, kills, failovers nothing is lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redisai_rs.testing import Server, wait_until
from scripts.conftest import Torch

CLIENTS = 64
PAUSED = "the server could not be written to when the run ended"
REWRITE = "aof_rewrite_in_progress"
SOURCE = """
def push:
    redis.execute("RPUSH", keys[0], args[0])
    redis.execute("INCR", keys[1])
    return torch.full([1], float(args[0]))
"""


class Client:
    """One client with a list, a counter and an output of its own, written to by a script."""

    def __init__(self, number: int) -> None:
        self.keys = [f"list{number}", f"count{number}"]
        self.output = f"out{number}"
        self.sent = 0
        self.confirmed = 0
        # The last whose output was confirmed too.
        self.stored = 0

    def work(self, server: Server, over: threading.Event, *, confirm: bool) -> None:
        """Until it is told, or the server has gone."""
        retry = Retry(NoBackoff(), 0)
        client = redis.Redis(host=server.host, port=server.port, protocol=2, retry=retry)
        try:
            while not over.is_set():
                self.sent += 1
                words = Torch.words("push", self.sent, keys=self.keys, outputs=[self.output])
                try:
                    reply = client.execute_command(*words)
                except redis.ResponseError as error:
                    # A pause that begins as the outputs are stored: the script's own writes stay.
                    if PAUSED not in str(error):
                        raise
                    continue
                assert reply == b"OK"
                # On 6.2 a plain write behind it counts what a blocked command wrote.
                if confirm:
                    client.set(f"w{self.output}", 1)
                if not confirm or client.wait(1, 2000) >= 1:
                    self.confirmed = self.stored = self.sent
        except (redis.ConnectionError, OSError):
            pass
        finally:
            client.close()

    def check(self, client: redis.Redis) -> None:
        """What is there is all that was confirmed, each once and in order, and nothing else."""
        found = [int(item) for item in client.lrange(self.keys[0], 0, -1)]
        assert found == list(range(1, len(found) + 1))
        assert self.confirmed <= len(found) <= self.sent, self.output
        count = int(client.get(self.keys[1]) or 0)
        # Each command by itself: a kill may come between the two, and before the output.
        assert count in {len(found), len(found) - 1}
        if self.stored:
            output = float(client.execute_command("AI.TENSORGET", self.output, "VALUES")[0])
            assert self.stored <= output <= self.sent
        self.sent = self.confirmed = len(found)
        client.set(self.keys[1], len(found))


def loaded(server: Server, clients: list[Client], meanwhile: Any, *, confirm: bool = False) -> None:
    """Lets the clients work while something is done with the server."""
    over = threading.Event()
    before = [one.confirmed for one in clients]

    def moved(count: int = 1) -> bool:
        pairs = zip(clients, before, strict=True)
        return sum(one.confirmed > at for one, at in pairs) >= CLIENTS * count // 2

    with ThreadPoolExecutor(CLIENTS) as pool:
        ends = [pool.submit(one.work, server, over, confirm=confirm) for one in clients]
        try:
            wait_until(moved, "half of the clients")
            meanwhile()
        finally:
            over.set()
        for end in ends:
            end.result()


def equal(primary: Server, replica: Server) -> None:
    replica.wait_for_offset(primary)
    digests = [one.client().execute_command("DEBUG", "DIGEST") for one in (primary, replica)]
    assert digests[0] == digests[1]


def start(make_server: Any, server_binary: Any) -> Server:
    config = {"appendonly": "yes", "appendfsync": "always"}
    server = make_server(server_binary, config=config, module_args=["THREADS_PER_QUEUE", 2])
    Torch(server).store(SOURCE)
    return server


@pytest.mark.slow
def test_saves_pauses_and_a_replica(make_server, server_binary) -> None:
    server = start(make_server, server_binary)
    clients = [Client(number) for number in range(CLIENTS)]
    with server.replica() as replica:
        replica.wait_for_sync()

        def meanwhile() -> None:
            client = server.client()
            for _ in range(2):
                client.bgsave()
                wait_until(lambda: not client.info("persistence")["rdb_bgsave_in_progress"], "it")
                client.bgrewriteaof()
                wait_until(lambda: not client.info("persistence")[REWRITE], "the rewrite")
                client.execute_command("CLIENT", "PAUSE", 100, "WRITE")
                at = sum(one.confirmed for one in clients)
                wait_until(lambda at=at: sum(o.confirmed for o in clients) > at, "the pause's end")

        loaded(server, clients, meanwhile)
        equal(server, replica)
        for one in clients:
            one.check(server.client())
    server.restart()
    for one in clients:
        one.check(server.client())


@pytest.mark.slow
def test_kills_and_restarts(make_server, server_binary) -> None:
    server = start(make_server, server_binary)
    clients = [Client(number) for number in range(CLIENTS)]
    for _ in range(3):
        loaded(server, clients, server.kill9)
        server.start()
        for one in clients:
            one.check(server.client())
    # An exit that the server is asked for.
    loaded(server, clients, server.stop)
    server.start()
    for one in clients:
        one.check(server.client())


@pytest.mark.slow
def test_failovers(make_server, server_binary) -> None:
    primary = start(make_server, server_binary)
    clients = [Client(number) for number in range(CLIENTS)]
    replica = primary.replica().start()
    try:
        replica.wait_for_sync()
        loaded(primary, clients, primary.kill9, confirm=True)
        replica.client().replicaof("NO", "ONE")
        for one in clients:
            one.check(replica.client())
        loaded(replica, clients, lambda: None)
        for one in clients:
            one.check(replica.client())
    finally:
        replica.close()
