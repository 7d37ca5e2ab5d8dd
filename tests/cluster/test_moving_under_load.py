"""Slots that move there and back while clients set tensors, run models and store models.

Key by key, as every server can, and at once, as Valkey 9 can.
"""

from __future__ import annotations

from collections.abc import Callable

from cluster.atomic import assert_no_atomic_migration, has_atomic_migration
from cluster.callers import Caller, calling, check, get_on
from redisai_rs.servers import ServerBinary
from redisai_rs.testing import Cluster, Server

Move = Callable[[int, Server, Server], None]


def slot_of(cluster: Cluster, tag: str) -> int:
    slot = cluster.primaries[0].execute("CLUSTER", "KEYSLOT", tag)
    assert isinstance(slot, int)
    return slot


def assert_in_step(cluster: Cluster) -> None:
    """Each replica has what its primary has."""
    for primary in cluster.primaries:
        for replica in cluster.replicas_of(primary):
            replica.wait_for_offset(primary)
            digests = [one.execute("DEBUG", "DIGEST") for one in (primary, replica)]
            assert digests[0] == digests[1]


def test_key_by_key(cluster: Cluster, tag: str) -> None:
    move_under_load(cluster, tag, cluster.move_slot)


def test_at_once(cluster: Cluster, tag: str, server_binary: ServerBinary) -> None:
    if has_atomic_migration(server_binary):
        move_under_load(cluster, tag, cluster.migrate_slot)
    else:
        assert_no_atomic_migration(cluster)


def move_under_load(cluster: Cluster, tag: str, move: Move) -> None:
    source, target = cluster.primaries[:2]
    slot = slot_of(cluster, tag)
    callers = [Caller(cluster, tag, number) for number in range(4)]
    with calling(callers):
        get_on(callers)
        for _ in range(6):  # there and back
            move(slot, source, target)
            get_on(callers)
            source, target = target, source
    holder = cluster.holder(slot)
    assert holder is source is cluster.primaries[0]
    check(callers, holder)
    # The other primaries have none of it.
    for server in cluster.primaries:
        found = server.execute("CLUSTER", "COUNTKEYSINSLOT", slot)
        assert (found != 0) == (server is holder)
        models = {key for key, _ in server.execute("AI._MODELSCAN")}
        mine = {one.key("m").encode() for one in callers}
        assert models & mine == (mine if server is holder else set())
    assert_in_step(cluster)
    # It was not the server that did nothing all the time.
    for kind in ("tensor", "run", "store"):
        assert all(one.counts[kind] for one in callers)
    assert not any(one.counts["lost"] for one in callers)
