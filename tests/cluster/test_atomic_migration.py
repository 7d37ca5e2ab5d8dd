"""Valkey's atomic slot migration while a run or a store is in flight.

The source sends what a slot has, then what is written to it; then it pauses writes, the target
takes the slot over, and the source drops its keys. `DEBUG SLOTMIGRATION` holds either step.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from cluster.atomic import assert_no_atomic_migration, has_atomic_migration
from holding import MOVED, Pending, info, run, tensor, values
from redisai_rs.testing import wait_until
from redisai_rs.testing.cluster import migration_state


@pytest.fixture(autouse=True)
def _empty(cluster):
    for primary in cluster.primaries:
        primary.client().flushall()


@pytest.fixture
def atomic(cluster, server_binary):
    """Whether the server can do it at all; where not, that is asserted."""
    if has_atomic_migration(server_binary):
        return True
    assert_no_atomic_migration(cluster)
    return False


@contextmanager
def held(server, step):
    """Holds each migration of a node before a step."""
    server.execute("DEBUG", "SLOTMIGRATION", step, 1)
    try:
        yield
    finally:
        server.execute("DEBUG", "SLOTMIGRATION", step, 0)


def wait_for(server, state):
    wait_until(lambda: migration_state(server) == state, f"the state {state}")


@contextmanager
def ended_in_the_pause(cluster, source, target, slot, tag, at):
    """The migration stands in its pause of writes, and the held run has ended in it."""
    with held(target, "PREVENT-FAILOVER"):
        cluster.begin_migration(slot, source, target)
        wait_for(source, b"failover-granted")
        at.open()
        client = source.client()
        wait_until(lambda: info(client, f"{tag}m")["calls"] == 1, "the run's end")
        yield


def keys(server, tag):
    return sorted(server.client().keys(f"{tag}*"))


def test_a_run_in_flight_all_the_time(cluster, source, target, slot, tag, held_run, atomic):
    if not atomic:
        return
    one, at = held_run()
    cluster.migrate_slot(slot, source, target)
    at.open()
    assert one.error().startswith(MOVED)
    assert keys(source, tag) == []
    assert keys(target, tag) == [f"{tag}m".encode(), f"{tag}x".encode()]
    # The model came along and runs where it is.
    again = Pending(target, *run(f"{tag}m", [f"{tag}x"], [f"{tag}y"]))
    at.open()
    assert again.reply() == b"OK"
    assert values(target.client(), f"{tag}y") == [1, 2]


def test_a_run_that_ends_while_the_slot_is_sent(
    cluster, source, target, slot, tag, held_run, atomic
):
    """Its outputs go the same way as every other write."""
    if not atomic:
        return
    one, at = held_run()
    with held(source, "PREVENT-PAUSE"):
        cluster.begin_migration(slot, source, target)
        wait_for(source, b"waiting-to-pause")
        at.open()
        assert one.reply() == b"OK"
        assert values(source.client(), f"{tag}y") == [1, 2]
        # What has not been handed over cannot be seen there.
        assert keys(target, tag) == []
    cluster.end_migration(slot, source, target)
    assert keys(source, tag) == []
    assert source.execute("AI._MODELSCAN") == []
    client = target.client()
    assert values(client, f"{tag}y") == [1, 2]
    assert target.execute("AI._MODELSCAN") == [[f"{tag}m".encode(), b""]]
    replica = cluster.replicas_of(target)[0]
    replica.wait_for_offset(target)
    assert replica.execute("DEBUG", "DIGEST") == target.execute("DEBUG", "DIGEST")


def test_a_run_that_ends_in_the_pause_before_the_handover(
    cluster, source, target, slot, tag, held_run, atomic
):
    if not atomic:
        return
    one, at = held_run()
    with ended_in_the_pause(cluster, source, target, slot, tag, at):
        assert not one.answered()
    cluster.end_migration(slot, source, target)
    assert one.error().startswith(MOVED)
    assert keys(source, tag) == []
    assert keys(target, tag) == [f"{tag}m".encode(), f"{tag}x".encode()]


def test_a_migration_that_is_cancelled_in_the_pause(
    cluster, source, target, slot, tag, held_run, atomic
):
    if not atomic:
        return
    one, at = held_run()
    client = source.client()
    with ended_in_the_pause(cluster, source, target, slot, tag, at):
        assert not one.answered()
        assert source.execute("CLUSTER", "CANCELSLOTMIGRATIONS") == b"OK"
        # Writes go on, on the old node; what the new one had got is dropped.
        assert one.reply() == b"OK"
    assert values(client, f"{tag}y") == [1, 2]
    assert len(keys(source, tag)) == 3
    wait_until(lambda: not keys(target, tag), "the end of the keys that were sent")
    assert target.execute("AI._MODELSCAN") == []
    wait_until(lambda: target.info("ai").get("ai_sessions", "0") == "0", "the sessions' end")


@pytest.mark.parametrize("step", ["sent", "paused"])
def test_a_store_that_completes_while_its_slot_moves(
    cluster, source, target, slot, tag, gate, atomic, step
):
    if not atomic:
        return
    at, key = gate(), f"{tag}m"
    tensor(source.client(), f"{tag}x", 1)
    one = Pending(source, "AI.MODELSTORE", key, "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    before = int(source.info("ai").get("ai_sessions", 0))
    if step == "sent":
        with held(source, "PREVENT-PAUSE"):
            cluster.begin_migration(slot, source, target)
            wait_for(source, b"waiting-to-pause")
            at.open()
            assert one.reply() == b"OK"
        cluster.end_migration(slot, source, target)
        at.open()  # the target builds the session anew
        blob = target.execute("AI.MODELGET", key, "BLOB")
        assert blob == at.load_text.encode()
    else:
        with held(target, "PREVENT-FAILOVER"):
            cluster.begin_migration(slot, source, target)
            wait_for(source, b"failover-granted")
            at.open()
            wait_until(
                lambda: int(source.info("ai").get("ai_sessions", 0)) == before + 1, "the session"
            )
            assert not one.answered()
        cluster.end_migration(slot, source, target)
        assert one.error().startswith(MOVED)
        assert keys(target, tag) == [f"{tag}x".encode()]
    assert keys(source, tag) == []


def test_a_store_in_flight_all_the_time(cluster, source, target, slot, tag, gate, atomic):
    if not atomic:
        return
    at, key = gate(), f"{tag}m"
    tensor(source.client(), f"{tag}x", 1)
    one = Pending(source, "AI.MODELSTORE", key, "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    cluster.migrate_slot(slot, source, target)
    at.open()
    assert one.error().startswith(MOVED)
    assert keys(source, tag) == []
    assert keys(target, tag) == [f"{tag}x".encode()]
