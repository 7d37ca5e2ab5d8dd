"""A batch of several clients and a DAG in a cluster whose roles or slots change meanwhile."""

from __future__ import annotations

import pytest
from cluster.failing_over import ENDS, fail_over, no_vote, wait_for_end
from faults.flight import Flight, assert_equal, stored
from holding import MOVED, gate_factory
from redisai_rs.testing import Cluster, wait_until


@pytest.fixture(scope="module")
def started(options):
    """One small cluster for the tests of slots."""
    with Cluster(2, 1, **options) as one:
        yield one


@pytest.fixture
def gates(tmp_path):
    with gate_factory(tmp_path) as make:
        yield make


@pytest.fixture
def flight(cluster, gates, tag):
    one = Flight(cluster.primaries[0], gates, tag)
    yield one
    one.close()


class TestFailover:
    """`CLUSTER FAILOVER`, which a cluster votes for once in 30 s: one cluster for each test."""

    @pytest.fixture
    def started(self, options):
        with Cluster(2, 1, **options) as one:
            yield one

    @pytest.fixture
    def pair(self, cluster, flight):
        primary, replica = cluster.primaries[0], cluster.replicas[0]
        replica.wait_for_offset(primary)
        replica.client().config_resetstat()
        flight.begin()
        return primary, replica

    def test_in_flight(self, pair, flight):
        primary, replica = pair
        fail_over(primary, replica)
        wait_for_end(primary, replica)
        flight.batch_gate.open()
        flight.dag_gate.open()
        flight.assert_fails(ENDS)
        assert flight.keys(replica) == flight.before
        assert_equal(primary, replica)

    def test_parked_while_it_succeeds(self, cluster, pair, flight):
        primary, replica = pair
        with no_vote(cluster):
            fail_over(primary, replica)
            flight.land()
            assert not flight.answered()
            assert flight.keys() == flight.before
        wait_for_end(primary, replica)
        flight.assert_fails(ENDS)
        assert flight.keys(replica) == flight.before
        assert_equal(primary, replica)
        assert stored(replica) == 0

    def test_parked_while_it_fails(self, cluster, pair, flight):
        primary, replica = pair
        with no_vote(cluster):
            fail_over(primary, replica)
            flight.land()
            assert not flight.answered()
            # The server gives the failover up after five seconds.
            flight.assert_succeeds()
            # So does the replica, or a vote that comes now would still make it the primary.
            replica.wait_for_log("Manual failover timed out")
        replica.wait_for_offset(primary)
        assert primary.info("replication")["role"] == "master"
        assert_equal(primary, replica)
        assert stored(replica) == len(flight.outputs)


def test_a_slot_that_moves(cluster, flight, tag):
    source, target = cluster.primaries
    slot = source.execute("CLUSTER", "KEYSLOT", tag)
    flight.begin()
    cluster.move_slot(slot, source, target)
    flight.batch_gate.open()
    flight.dag_gate.open()
    flight.before = []
    flight.assert_fails(MOVED)
    moved = len("mxxxx") + len(["slow", "quick"])
    assert target.execute("CLUSTER", "COUNTKEYSINSLOT", slot) == moved
    assert source.execute("CLUSTER", "COUNTKEYSINSLOT", slot) == 0


def test_a_slot_that_does_not_move_after_all(cluster, flight, tag):
    source, target = cluster.primaries
    slot = source.execute("CLUSTER", "KEYSLOT", tag)
    flight.begin()
    cluster.begin_move(slot, source, target)
    for server in (source, target):
        server.execute("CLUSTER", "SETSLOT", slot, "STABLE")
    flight.land()
    flight.assert_succeeds()
    replica = cluster.replicas[0]
    wait_until(lambda: flight.keys(replica) == flight.keys(), "the replica")
