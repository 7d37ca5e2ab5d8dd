"""A replica takes over while clients write: what was acknowledged is there.

After `kill -9` of a primary that holds for what `WAIT` has confirmed, after `CLUSTER FAILOVER` for
every reply.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster.callers import Caller, calling, check, get_on
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Cluster, Server, wait_until

# How long a node is missed, in ms, before the others vote about it.
TIMEOUT = 2000


@pytest.fixture
def started(options: dict[str, object]) -> Iterator[Cluster]:
    """A cluster for each test, whose nodes notice soon that one is gone."""
    with Cluster(3, 3, config={"cluster-node-timeout": TIMEOUT}, **options) as one:
        yield one


def is_primary(server: Server) -> bool:
    return server.info("replication")["role"] == "master"


def assert_in_step(primary: Server, replica: Server) -> None:
    replica.wait_for_sync()
    replica.wait_for_offset(primary)
    assert primary.execute("DEBUG", "DIGEST") == replica.execute("DEBUG", "DIGEST")


def test_a_primary_that_is_killed(cluster: Cluster, tag: str, server_binary: ServerBinary) -> None:
    primary = cluster.primaries[0]
    replica = cluster.replicas_of(primary)[0]
    # On 6.2 WAIT behind a command that was blocked does not wait for its effects.
    runs = server_binary.version >= (7, 0)
    callers = [Caller(cluster, tag, number, wait=1, runs=runs) for number in range(4)]
    with calling(callers):
        for _ in range(2):  # there and back
            get_on(callers)
            primary.kill9()
            wait_until(lambda r=replica: is_primary(r), "the replica to take over")
            primary.start()
            primary.wait_for_sync()
            get_on(callers)
            primary, replica = replica, primary
    assert cluster.holder(primary.execute("CLUSTER", "KEYSLOT", tag)) is primary
    check(callers, primary)
    assert_in_step(primary, replica)
    # Each was in the middle of something.
    assert all(one.counts["lost"] for one in callers)
    if runs:
        assert all(one.counts["run"] for one in callers)


def test_a_failover_that_was_asked_for(cluster: Cluster, tag: str) -> None:
    primary = cluster.primaries[0]
    replica = cluster.replicas_of(primary)[0]
    callers = [Caller(cluster, tag, number) for number in range(4)]
    with calling(callers):
        for _ in range(2):
            get_on(callers)
            wait_until(lambda r=replica: taken_over(r), "the replica to take over")
            wait_until(lambda p=primary: not is_primary(p), "the old primary's new role")
            get_on(callers)
            primary, replica = replica, primary
    check(callers, primary)
    assert_in_step(primary, replica)
    assert all(one.counts["run"] for one in callers)


def taken_over(replica: Server) -> bool:
    """Asks a replica to take over, until it has: a request may be lost, or not get its votes."""
    if not is_primary(replica):
        replica.execute("CLUSTER", "FAILOVER")
        try:
            wait_until(lambda: is_primary(replica), "the failover", 3 * TIMEOUT / 1000)
        except TimeoutError:
            return False
    return True
