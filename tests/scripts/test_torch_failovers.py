"""64 clients whose scripts write while a primary and its replica change places: what was
acknowledged is there, and both have the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from cluster.failing_over import fail_over, wait_for_end
from redisai_rs.testing import Cluster, Server
from scripts.conftest import Torch
from scripts.writers import CLIENTS, SOURCE, Client, equal, loaded, start


def change_places(
    clients: Sequence[Client], primary: Server, replica: Server, begin: Callable[[], object]
) -> None:
    """Has them change places while the clients work, and looks at what is there."""

    def meanwhile() -> None:
        begin()
        wait_for_end(primary, replica)

    for one in clients:
        one.demoted = False
    loaded(primary, list(clients), meanwhile)
    # Scripts were at work when it happened.
    assert sum(one.demoted for one in clients) >= CLIENTS // 2
    for one in clients:
        one.check(replica.client())
    equal(replica, primary)


@pytest.mark.slow
def test_failover(make_server, server_binary) -> None:
    primary = start(make_server, server_binary)
    clients = [Client(number) for number in range(CLIENTS)]
    with primary.replica() as replica:
        replica.wait_for_sync()
        for one, other in ((primary, replica), (replica, primary)):
            change_places(clients, one, other, lambda one=one: one.execute("FAILOVER"))


@pytest.mark.slow
def test_cluster_failover(redisai_module, server_binary) -> None:
    options = {"binary": server_binary, "module": redisai_module}
    with Cluster(2, 1, module_args=["THREADS_PER_QUEUE", 2], **options) as cluster:
        primary, replica = cluster.primaries[0], cluster.replicas[0]
        tags = (f"{{{number}}}" for number in range(1000))
        tag = next(tag for tag in tags if cluster.owner(tag) is primary)
        Torch(primary).store(SOURCE, f"{tag}t")
        replica.wait_for_offset(primary)
        clients = [Client(number, tag) for number in range(CLIENTS)]
        change_places(clients, primary, replica, lambda: fail_over(primary, replica))
        for server in cluster.servers:
            server.assert_alive()
