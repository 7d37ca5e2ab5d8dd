"""64 clients whose scripts write, and what must be there of it afterwards."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redisai_rs.testing import Server, wait_until
from scripts.conftest import Torch

CLIENTS = 64
# What a client hears whose server has become a replica: from the server, for a command of the
# script, or for its outputs.
DEMOTED = ("UNBLOCKED", "READONLY", "replica", "write is not allowed")
PAUSED = "the server could not be written to when the run ended"
SOURCE = """
def push:
    redis.execute("RPUSH", keys[0], args[0])
    redis.execute("INCR", keys[1])
    return torch.full([1], float(args[0]))
"""


class Client:
    """One client with a list, a counter and an output of its own, written to by a script."""

    def __init__(self, number: int, tag: str = "") -> None:
        self.script = f"{tag}t"
        self.keys = [f"{tag}list{number}", f"{tag}count{number}"]
        self.output = f"{tag}out{number}"
        self.sent = 0
        self.confirmed = 0
        # The last whose output was confirmed too.
        self.stored = 0
        # It was told that its server is a replica now.
        self.demoted = False

    def work(self, server: Server, over: threading.Event, *, confirm: bool) -> None:
        """Until it is told, or the server has gone."""
        retry = Retry(NoBackoff(), 0)
        client = redis.Redis(host=server.host, port=server.port, protocol=2, retry=retry)
        try:
            while not over.is_set():
                self.sent += 1
                more = {"keys": self.keys, "outputs": [self.output], "key": self.script}
                words = Torch.words("push", self.sent, **more)
                try:
                    reply = client.execute_command(*words)
                except redis.ResponseError as error:
                    # A pause that begins as the outputs are stored: the script's own writes stay.
                    if PAUSED in str(error):
                        continue
                    moved = isinstance(error, redis.exceptions.MovedError)
                    if moved or any(text in str(error) for text in DEMOTED):
                        self.demoted = True
                        return
                    raise
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
