"""DAGs while something happens: clients go, deadlines pass, keys change, writes are paused."""

from __future__ import annotations

import pytest
from dag.ops import dag, execute, run, tget, tset
from holding import info, store, values
from redisai_rs.testing import free_port, wait_until


def prepare(held, gate):
    """`slow` waits at a gate, `m` does not."""
    at = gate()
    store(held, "slow", at.run_text)
    store(held, "m", "identity")
    return at


def test_inputs_are_those_of_the_command(held, gate, pending):
    """Keys that change or go while it runs do not matter."""
    at = prepare(held, gate)
    held.execute_command(*tset("t", 1))
    ops = [execute("slow", "t", "a"), execute("m", "t", "y"), tget("y", "VALUES")]
    one = pending(*dag(*ops, head="LOAD 1 t PERSIST 1 y"))
    at.reached()
    held.flushall()
    at.open()
    assert one.reply() == [b"OK", b"OK", [b"1"]]
    assert values(held, "y") == [1]


def test_timeout_is_of_the_whole_dag(held, gate, pending):
    at = prepare(held, gate)
    one = pending(
        *dag(
            tset("x", 1),
            execute("slow", "x", "y"),
            execute("m", "y", "z"),
            tget("z"),
            head="PERSIST 2 x z TIMEOUT 30",
        )
    )
    # The run stands at the gate: nothing but the deadline ends the wait.
    at.reached()
    assert one.reply() == b"TIMEDOUT"
    assert not held.exists("x", "z")
    at.open()
    # What had not begun never runs.
    last = pending(*dag(tset("x", 1), execute("m", "x", "y")))
    assert last.reply() == [b"OK", b"OK"]
    assert info(held, "m")["calls"] == 1


def test_a_timeout_that_does_not_pass(held, gate, pending):
    for head in ("ROUTING r TIMEOUT 60000", "ROUTING r TIMEOUT 0"):
        store(held, "m", "identity")
        reply = held.execute_command(*dag(tset("x", 1), execute("m", "x", "y"), head=head))
        assert reply == [b"OK", b"OK"]


@pytest.mark.parametrize("leave", ["kill", "close"])
def test_a_client_that_goes(held, gate, pending, leave):
    at = prepare(held, gate)
    ops = [tset("x", 1), execute("slow", "x", "y"), execute("m", "y", "z")]
    one = pending(*dag(*ops, head="PERSIST 3 x y z"))
    at.reached()
    if leave == "kill":
        held.client_kill_filter(_id=one.id)
    else:
        one.close()
    clients = lambda: {int(client["id"]) for client in held.client_list()}  # noqa: E731
    wait_until(lambda: one.id not in clients(), "the client's end")
    at.open()
    # What runs finishes and counts; what had not begun does not run; nothing is stored.
    wait_until(lambda: info(held, "slow")["calls"] == 1, "the run's end")
    last = pending(*dag(tset("x", 1), execute("m", "x", "y")))
    assert last.reply() == [b"OK", b"OK"]
    assert info(held, "m")["calls"] == 1
    assert not held.exists("x", "y", "z")


def test_writes_are_paused(held, gate, pending):
    """What stores waits until the server may write; what stores nothing does not."""
    first, second = prepare(held, gate), gate()
    store(held, "later", second.run_text)
    held.execute_command(*tset("t", 1))
    storing = pending(*dag(tset("x", 2), execute("slow", "x", "y"), head="PERSIST 1 y"))
    first.reached()
    ops = [execute("later", "t", "y"), tget("y", "VALUES")]
    reading = pending(*dag(*ops, head="LOAD 1 t", kind="AI.DAGEXECUTE_RO"))
    held.execute_command("CLIENT", "PAUSE", 600_000, "WRITE")
    first.open()
    # One worker: when the second has come to its gate, the first run is over.
    second.open()
    assert reading.reply() == [b"OK", [b"1"]]
    assert not storing.answered()
    assert not held.exists("y")
    held.execute_command("CLIENT", "UNPAUSE")
    assert storing.reply() == [b"OK", b"OK"]
    assert values(held, "y") == [2]


def test_a_primary_that_becomes_a_replica(held, gate, pending):
    """The server itself answers those that are blocked then; nothing is stored or hangs."""
    at = prepare(held, gate)
    one = pending(*dag(tset("x", 2), execute("slow", "x", "y"), head="PERSIST 1 y"))
    at.reached()
    held.replicaof("127.0.0.1", free_port())
    try:
        assert one.error().startswith("UNBLOCKED force unblock from blocking operation")
        at.open()
        wait_until(lambda: info(held, "slow")["calls"] == 1, "the run's end")
        assert not held.exists("y")
        # What stores nothing runs there.
        command = dag(
            tset("x", 3), execute("m", "x", "y"), tget("y", "VALUES"), kind="AI.DAGEXECUTE_RO"
        )
        assert held.execute_command(*command) == [b"OK", b"OK", [b"3"]]
    finally:
        held.replicaof("NO", "ONE")


def test_a_model_deleted_or_replaced(held, gate, pending):
    at = prepare(held, gate)
    one = pending(
        *dag(tset("x", 3), execute("slow", "x", "y"), execute("m", "y", "z"), tget("z", "VALUES"))
    )
    at.reached()
    held.execute_command("AI.MODELDEL", "m")
    store(held, "slow", "fail not this one")
    at.open()
    assert one.reply() == [b"OK", b"OK", b"OK", [b"3"]]


def test_independent_operations_do_not_wait(held, gate, pending):
    """An operation on another device ends while one before it is still held."""
    at = prepare(held, gate)
    store(held, "other", "identity", device="CPU:1")
    ops = [tset("x", 4), execute("slow", "x", "y"), execute("other", "x", "z"), tget("z", "VALUES")]
    one = pending(*dag(*ops))
    at.reached()
    wait_until(lambda: info(held, "other")["calls"] == 1, "the run on the other device")
    assert not one.answered()
    at.open()
    assert one.reply() == [b"OK", b"OK", b"OK", [b"4"]]


def test_the_deprecated_form(held, gate, pending):
    at = prepare(held, gate)
    one = pending(
        *dag(tset("x", 1), run("slow", "x", "y"), head="PERSIST 1 y TIMEOUT 20", kind="AI.DAGRUN")
    )
    at.reached()
    assert one.reply() == b"TIMEDOUT"
    at.open()
    assert not held.exists("y")
