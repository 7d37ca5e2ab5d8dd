"""A batch that waits for its minimum while something happens. Every other member is a DAG's."""

from __future__ import annotations

import pytest
from batching.telling import member, members, runs
from dag.ops import dag, execute, tget
from holding import Pending, info, run, tensor
from redisai_rs.testing import free_port, wait_until

LENGTH = "ai_queue_CPU_length"
MINIMUM = 4
WAITING = 3
FORCED = "UNBLOCKED force unblock from blocking operation"


def send(pending, n):
    """One row for `m`: a plain run, or a step of a DAG behind one of another device."""
    if n % 2:
        words = dag(execute("m", f"x{n}", f"y{n}"), head=f"LOAD 1 x{n} PERSIST 1 y{n}")
    else:
        words = run("m", [f"x{n}"], [f"y{n}"])
    return pending(*words)


def reply(n):
    return [b"OK"] if n % 2 else b"OK"


def wait_for_length(server, count):
    wait_until(lambda: server.info("ai")[LENGTH] == str(count), "the requests in line")


@pytest.fixture
def batch(held, held_server, pending):
    """Three of the four that `m` waits for."""
    sizes = ["BATCHSIZE", 8, "MINBATCHSIZE", MINIMUM]
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB", "tell"]
    assert held.execute_command(*words) == b"OK"
    for n in range(8):
        tensor(held, f"x{n}", n)
    sent = [send(pending, n) for n in range(WAITING)]
    wait_for_length(held_server, WAITING)
    return sent


def assert_one_run(client, batch, *numbers):
    """These members had one run together."""
    assert [one.reply() for one in batch] == [reply(n) for n in numbers]
    (group,) = runs(members(client, [f"y{n}" for n in numbers])).values()
    assert sorted(one.key for one in group) == [f"y{n}" for n in numbers]


@pytest.mark.parametrize("how", [(), ("TIMEOUT",), ("ERROR",)], ids=" ".join)
def test_client_unblock_reaches_none(held, held_server, pending, batch, how):
    for one in batch:
        assert held.execute_command("CLIENT", "UNBLOCK", one.id, *how) == 0
    wait_for_length(held_server, WAITING)
    assert not any(one.answered() for one in batch)
    assert_one_run(held, [*batch, send(pending, 3)], 0, 1, 2, 3)


@pytest.mark.parametrize("gone", [0, 1])
@pytest.mark.parametrize("leave", ["kill", "close"])
def test_a_client_that_goes_counts_no_more(held, held_server, pending, batch, gone, leave):
    if leave == "kill":
        held.client_kill_filter(_id=batch[gone].id)
    else:
        batch[gone].close()
    wait_for_length(held_server, WAITING - 1)
    last = [send(pending, 3)]
    wait_for_length(held_server, WAITING)
    assert not any(one.answered() for one in last)
    last.append(send(pending, 4))
    rest = [n for n in range(WAITING) if n != gone]
    assert_one_run(held, [*(batch[n] for n in rest), *last], *rest, 3, 4)
    assert not held.exists(f"y{gone}")
    assert info(held, "m")["calls"] == MINIMUM


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHALL ASYNC", "SWAPDB 0 5", "DEL m"])
def test_keys_that_go(held, held_server, pending, batch, command):
    """What waits runs at once where the key of its model goes, not where that only moves."""
    held.execute_command(*command.split())
    if command.startswith("SWAPDB"):
        held.swapdb(5, 0)
        wait_for_length(held_server, WAITING)
        assert not any(one.answered() for one in batch)
        assert_one_run(held, [*batch, send(pending, 3)], 0, 1, 2, 3)
    else:
        assert_one_run(held, batch, 0, 1, 2)


def test_what_is_full_does_not_wait_behind(held, held_server, pending, batch):
    """A whole batch of another kind, and a request that must run alone, though they came later."""
    assert held.execute_command("AI.TENSORSET", "many", "FLOAT", 9) == b"OK"
    assert held.execute_command(*run("m", ["many"], ["y"])) == b"OK"
    pair = []
    for rows in (3, 5):
        assert held.execute_command("AI.TENSORSET", f"wide{rows}", "FLOAT", rows, 2) == b"OK"
        # The first is in line before the second comes, which could run without it.
        wait_for_length(held_server, WAITING + len(pair))
        pair.append(pending(*run("m", [f"wide{rows}"], [f"z{rows}"])))
    assert [one.reply() for one in pair] == [b"OK"] * 2
    (group,) = runs(members(held, ["z3", "z5"])).values()
    assert [one.rows for one in group] == [3, 5]
    assert not any(one.answered() for one in batch)
    assert_one_run(held, [*batch, send(pending, 3)], 0, 1, 2, 3)


def test_what_has_its_minimum_does_not_wait_behind(held, pending, batch):
    """Requests of another kind that came later, fewer than `BATCHSIZE`."""
    assert held.execute_command("AI.TENSORSET", "wide", "FLOAT", 1, 2) == b"OK"
    others = [pending(*run("m", ["wide"], [f"z{n}"])) for n in range(MINIMUM)]
    assert [one.reply() for one in others] == [b"OK"] * MINIMUM
    (group,) = runs(members(held, [f"z{n}" for n in range(MINIMUM)])).values()
    assert len(group) == MINIMUM
    assert not any(one.answered() for one in batch)
    assert_one_run(held, [*batch, send(pending, 3)], 0, 1, 2, 3)


def test_debug_reload(held, pending, batch):
    """The loaded model is another: what waits for the old one runs, and the new one waits anew."""
    assert held.execute_command("DEBUG", "RELOAD") == b"OK"
    assert_one_run(held, batch, 0, 1, 2)
    assert_one_run(held, [send(pending, n) for n in range(4, 8)], 4, 5, 6, 7)


def test_a_pause_of_writes(held, pending, batch):
    """One that only reads fills the batch and is answered; the outputs of the others are parked."""
    held.execute_command("CLIENT", "PAUSE", 3_600_000, "WRITE")
    words = dag(
        execute("m", "x3", "y"), tget("y", "BLOB"), head="LOAD 1 x3", kind="AI.DAGEXECUTE_RO"
    )
    done, blob = pending(*words).reply()
    assert done == b"OK"
    assert member("read", blob).run_rows == MINIMUM
    assert not any(one.answered() for one in batch)
    assert not held.exists("y0", "y1", "y2")
    held.client_unpause()
    assert [one.reply() for one in batch] == [reply(n) for n in range(WAITING)]
    found = [*members(held, [f"y{n}" for n in range(WAITING)]), member("read", blob)]
    assert len(runs(found)) == 1


def test_a_primary_that_becomes_a_replica(held, held_server, pending, batch):
    held.replicaof("127.0.0.1", free_port())
    try:
        for one in batch:
            assert one.error().startswith(FORCED)
        # They count no more: what only reads waits for a minimum of its own.
        wait_for_length(held_server, 0)
        words = dag(
            execute("m", "x3", "y"), tget("y", "BLOB"), head="LOAD 1 x3", kind="AI.DAGEXECUTE_RO"
        )
        reading = [pending(*words) for _ in range(MINIMUM)]
        found = [member(str(n), one.reply()[1]) for n, one in enumerate(reading)]
        assert [len(group) for group in runs(found).values()] == [MINIMUM]
    finally:
        held.replicaof("NO", "ONE")
    assert not held.exists("y0", "y1", "y2")


def test_a_replica_that_is_promoted(held, held_server, pending, batch):
    """Its batch of readers waits on, and is filled by a run that stores."""
    with held_server.replica() as replica:
        replica.wait_for_sync()
        reads = dag(
            execute("m", "x3", "y"), tget("y", "BLOB"), head="LOAD 1 x3", kind="AI.DAGEXECUTE_RO"
        )
        reading = [Pending(replica, *reads) for _ in range(MINIMUM - 1)]
        wait_for_length(replica, MINIMUM - 1)
        client = replica.client()
        client.replicaof("NO", "ONE")
        wait_for_length(replica, MINIMUM - 1)
        assert client.execute_command(*run("m", ["x0"], ["y0"])) == b"OK"
        found = [member(str(n), one.reply()[1]) for n, one in enumerate(reading)]
        found += members(client, ["y0"])
        assert [len(group) for group in runs(found).values()] == [MINIMUM]
    held.delete("m")
    assert [one.reply() for one in batch] == [reply(n) for n in range(WAITING)]
