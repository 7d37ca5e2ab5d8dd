"""`CLUSTER FAILOVER` by a replica while runs are in flight and while their effects are parked."""

from __future__ import annotations

import threading

import pytest
from cluster.failing_over import ENDS, fail_over, no_vote, wait_for_end, wait_until_known
from holding import Pending, info, run, store, tensor, values
from redisai_rs.testing import Cluster, wait_until


@pytest.fixture
def started(options):
    """A cluster for each test: servers before Valkey 9 vote once in 30 s about a primary."""
    with Cluster(2, 1, **options) as one:
        yield one


def roles(cluster):
    """The primary that has a replica, and that one: a test may have swapped them."""
    nodes = [cluster.primaries[0], cluster.replicas[0]]
    nodes.sort(key=lambda server: server.info("replication")["role"] != "master")
    return nodes


@pytest.fixture
def pair(cluster):
    """A primary and its replica, in step and empty."""
    primary, replica = roles(cluster)
    replica.wait_for_sync()
    primary.client().flushall()
    replica.wait_for_offset(primary)
    return primary, replica


def held_run(primary, tag, at):
    client = primary.client()
    store(client, f"{tag}m", at.run_text)
    tensor(client, f"{tag}x", 1, 2)
    one = Pending(primary, *run(f"{tag}m", [f"{tag}x"], [f"{tag}y"]))
    at.reached()
    return one


def assert_equal(primary, replica):
    digests = [server.execute("DEBUG", "DIGEST") for server in (primary, replica)]
    assert digests[0] == digests[1]


def runs_end(server, key, count=1):
    # A replica sends readers away unless they say that they know what it is.
    client = server.client(single_connection_client=True)
    client.execute_command("READONLY")
    wait_until(lambda: info(client, key)["calls"] == count, "the run's end")


def test_a_run_in_flight_when_roles_change(pair, tag, gate):
    primary, replica = pair
    at = gate()
    one = held_run(primary, tag, at)
    fail_over(primary, replica)
    wait_for_end(primary, replica)
    at.open()
    assert one.error().startswith(ENDS)
    runs_end(primary, f"{tag}m")
    assert not replica.client().exists(f"{tag}y")
    assert_equal(primary, replica)
    # The new primary runs the model.
    again = Pending(replica, *run(f"{tag}m", [f"{tag}x"], [f"{tag}y"]))
    at.open()
    assert again.reply() == b"OK"
    primary.wait_for_offset(replica)
    assert_equal(primary, replica)


def test_effects_parked_while_the_failover_succeeds(cluster, pair, tag, gate):
    primary, replica = pair
    at = gate()
    one = held_run(primary, tag, at)
    with no_vote(cluster):
        fail_over(primary, replica)
        at.open()
        runs_end(primary, f"{tag}m")
        assert not one.answered()
        assert not primary.client().keys(f"{tag}y")
    wait_for_end(primary, replica)
    assert one.error().startswith(ENDS)
    assert not replica.client().exists(f"{tag}y")
    assert_equal(primary, replica)


def test_effects_parked_while_the_failover_fails(cluster, pair, tag, gate):
    primary, replica = pair
    at, at_store = gate(), gate()
    one = held_run(primary, tag, at)
    key = f"{tag}n"
    two = Pending(primary, "AI.MODELSTORE", key, "ONNX", "CPU:1", "BLOB", at_store.load_text)
    at_store.reached()
    with no_vote(cluster):
        fail_over(primary, replica)
        at.open()
        at_store.open()
        runs_end(primary, f"{tag}m")
        wait_until(lambda: primary.info("ai")["ai_sessions"] == "2", "the session")
        assert not one.answered()
        assert not two.answered()
        # The server gives the failover up after five seconds.
        assert [one.reply(), two.reply()] == [b"OK", b"OK"]
        # So does the replica, or a vote that comes now would still make it the primary.
        replica.wait_for_log("Manual failover timed out")
        assert primary.info("replication")["role"] == "master"
        replica.wait_for_offset(primary)
        assert values(primary.client(), f"{tag}y") == [1, 2]
        assert_equal(primary, replica)
        at_store.open()  # the replica's own build


class Caller(threading.Thread):
    """Sends runs without a pause; each must have one reply, whatever it says."""

    def __init__(self, server, tag, number):
        super().__init__()
        self.connection = Pending(server, "PING")
        self.server, self.tag, self.number = server, tag, number
        self.stopped = threading.Event()
        self.replies = {"OK": 0, "error": 0}
        self.failure = None

    def run(self):
        try:
            assert self.connection.reply() == b"PONG"
            step = 0
            while not self.stopped.is_set():
                step += 1
                keys = [f"{self.tag}x"], [f"{self.tag}y{self.number}"]
                self.connection.send(*run(f"{self.tag}m", *keys))
                self.connection.send("ECHO", step)
                reply = self.connection.reply()
                assert reply == b"OK" or isinstance(reply, Exception), reply
                self.replies["OK" if reply == b"OK" else "error"] += 1
                if str(reply).startswith("UNBLOCKED"):
                    # The server closes the connection behind this reply.
                    self.connection.close()
                    self.connection = Pending(self.server, "ECHO", step)
                assert self.connection.reply() == str(step).encode()
        except BaseException as error:
            self.failure = error


def get_on(callers, server, before):
    """Whether since then each client of a server has had a run, and each of another an error; a
    broken one is told of at the end."""
    return all(
        one.replies[what] > count[what] or one.failure
        for one, count in zip(callers, before, strict=True)
        for what in ["OK" if one.server is server else "error"]
    )


def test_under_load(cluster, pair, tag):
    primary, replica = pair
    client = primary.client()
    # Long enough that a run is in flight at every moment.
    store(client, f"{tag}m", "sleep 1")
    tensor(client, f"{tag}x", 1, 2)
    replica.wait_for_offset(primary)
    servers = [primary, replica]
    callers = [Caller(servers[number % 2], tag, number) for number in range(8)]
    for one in callers:
        one.start()
    try:
        for _ in range(2):  # there and back
            primary, replica = roles(cluster)
            before = [dict(one.replies) for one in callers]
            wait_until_known(cluster.primaries[1], primary)
            fail_over(primary, replica)
            wait_for_end(primary, replica)
            # The clients of the new primary get on, and those of the old one are told.
            wait_until(lambda r=replica, b=before: get_on(callers, r, b), "runs on the new primary")
    finally:
        for one in callers:
            one.stopped.set()
        for one in callers:
            one.join()
    assert [one.failure for one in callers if one.failure] == []
    # Each was with a primary and with a replica.
    assert all(one.replies["OK"] and one.replies["error"] for one in callers)
    primary, replica = roles(cluster)
    replica.wait_for_offset(primary)
    assert_equal(primary, replica)
