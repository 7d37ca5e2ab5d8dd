"""`CLUSTER FAILOVER` step by step."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from redisai_rs.exceptions import ReplyError
from redisai_rs.testing import Cluster, Server, wait_until

# Most servers end the wait of blocked clients themselves; Valkey 9 does not in a cluster, and there
# it is the module that refuses when the run has ended.
ENDS = ("UNBLOCKED force unblock from blocking operation", "ERR the server became a replica or the")
REQUEST = "Manual failover requested by"


@contextmanager
def no_vote(cluster: Cluster) -> Iterator[None]:
    """The other primary does not get to run, so that a failover lacks its vote."""
    pid = cluster.primaries[1].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def wait_until_known(server: Server, primary: Server) -> None:
    """Waits until a server knows the primary's replica: before, it does not vote for it."""
    name = primary.execute("CLUSTER", "MYID")
    assert isinstance(name, bytes)

    def replicas() -> object:
        try:
            return server.execute("CLUSTER", "SLAVES", name)
        except ReplyError:  # for this server it is no primary yet
            return None

    wait_until(replicas, "the replica to be known")


def fail_over(primary: Server, replica: Server) -> None:
    """Starts a failover; the primary has heard of it and lets nobody write."""
    # A request of a node that it does not know as its replica yet is ignored.
    wait_until_known(primary, primary)
    before = primary.log_text().count(REQUEST)
    assert replica.execute("CLUSTER", "FAILOVER") == b"OK"
    wait_until(lambda: primary.log_text().count(REQUEST) > before, "the failover")


def wait_for_end(primary: Server, replica: Server) -> None:
    """Waits until the two have changed roles and are in step."""
    wait_until(lambda: replica.info("replication")["role"] == "master", "the failover's end")
    wait_until(lambda: primary.info("replication")["role"] == "slave", "the old primary's new role")
    primary.wait_for_sync()
    primary.wait_for_offset(replica)
