"""64 clients whose scripts write: through saves, pauses, kills, failovers nothing is lost."""

from __future__ import annotations

import pytest
from redisai_rs.testing import wait_until
from scripts.writers import CLIENTS, Client, equal, loaded, start

REWRITE = "aof_rewrite_in_progress"


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
