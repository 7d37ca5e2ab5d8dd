"""Batches while something happens: in their run, and while they wait for their minimum."""

from __future__ import annotations

import pytest
from dag.ops import dag, execute, tget, tset
from holding import Gate, Pending, info, run, store, tensor, values
from redisai_rs.testing import free_port, wait_until

MEMBERS = 4
LENGTH = "ai_queue_CPU_length"


def store_batching(client, text, minimum=MEMBERS, size=MEMBERS):
    """`m` runs when `minimum` rows are there."""
    sizes = ["BATCHSIZE", size, "MINBATCHSIZE", minimum]
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB", text]
    assert client.execute_command(*words) == b"OK"


def members(client, send, count=MEMBERS, options=()):
    """Runs of `m` of one row each; member n has n as its input."""
    for n in range(count):
        tensor(client, f"x{n}", n)
    return [send(*run("m", [f"x{n}"], [f"y{n}"], *options)) for n in range(count)]


def outputs(client, count=MEMBERS):
    return [values(client, f"y{n}") for n in range(count)]


def waiting(server, count):
    wait_until(lambda: server.info("ai")[LENGTH] == str(count), "the waiting members")


@pytest.fixture
def at(held, gate):
    """A gate at which the batches of `m` stand."""
    one = gate()
    store_batching(held, one.run_text)
    return one


@pytest.fixture
def batch(held, at, pending):
    """Members whose batch stands at the gate."""
    runs = members(held, pending)
    at.reached()
    return runs


def alone_in_its_run(client):
    """All members had one run."""
    return info(client, "m", "FULL")["batch_sizes"] == [[MEMBERS, 1]]


def test_a_member_that_is_killed_takes_nobody_along(held, at, batch):
    held.client_kill_filter(_id=batch[1].id)
    at.open()
    replies = [one.reply() for n, one in enumerate(batch) if n != 1]
    assert replies == [b"OK"] * 3
    assert [values(held, f"y{n}") for n in (0, 2, 3)] == [[0], [2], [3]]
    assert not held.exists("y1")
    assert alone_in_its_run(held)


def test_client_unblock_reaches_no_member(held, at, batch):
    for how in ("TIMEOUT", "ERROR"):
        assert held.execute_command("CLIENT", "UNBLOCK", batch[2].id, how) == 0
    at.open()
    assert [one.reply() for one in batch] == [b"OK"] * MEMBERS
    assert outputs(held) == [[n] for n in range(MEMBERS)]


def test_members_are_parked_in_a_pause(held, at, batch):
    held.execute_command("CLIENT", "PAUSE", 3_600_000, "WRITE")
    at.open()
    wait_until(lambda: info(held, "m")["calls"] == MEMBERS, "the run's end")
    for _ in range(20):
        held.ping()
    assert not any(one.answered() for one in batch)
    assert not held.exists("y0", "y1", "y2", "y3")
    held.client_unpause()
    assert [one.reply() for one in batch] == [b"OK"] * MEMBERS
    assert outputs(held) == [[n] for n in range(MEMBERS)]


@pytest.mark.parametrize("command", ["flush", "delete", "replace", "reload"])
def test_keys_that_change_in_the_run(held, at, batch, command):
    if command == "flush":
        held.flushall()
    elif command == "delete":
        held.execute_command("AI.MODELDEL", "m")
    elif command == "replace":
        store(held, "m", "fail not this one")
    else:
        held.execute_command("DEBUG", "RELOAD")
    at.open()
    assert [one.reply() for one in batch] == [b"OK"] * MEMBERS
    assert outputs(held) == [[n] for n in range(MEMBERS)]


@pytest.mark.parametrize("command", ["flush", "delete", "replace", "rename over"])
def test_what_waits_for_a_minimum_runs_when_the_key_goes(held, held_server, gate, pending, command):
    store_batching(held, "identity")
    runs = members(held, pending, MEMBERS - 1)
    waiting(held_server, MEMBERS - 1)
    if command == "flush":
        held.flushall()
    elif command == "delete":
        held.execute_command("AI.MODELDEL", "m")
    elif command == "replace":
        store(held, "m", "fail not this one")
    else:
        store(held, "n", "fail not this one")
        held.rename("n", "m")
    assert [one.reply() for one in runs] == [b"OK"] * len(runs)
    assert outputs(held, len(runs)) == [[n] for n in range(len(runs))]
    assert held.ping()


def test_members_that_wait_for_a_minimum_time_out(held, held_server, pending):
    store_batching(held, "identity")
    runs = members(held, pending, 2, options=["TIMEOUT", 30])
    assert [one.reply() for one in runs] == [b"TIMEDOUT"] * 2
    # They count no more: one that comes later waits for a whole minimum of its own.
    waiting(held_server, 0)
    runs = members(held, pending)
    assert [one.reply() for one in runs] == [b"OK"] * MEMBERS
    assert alone_in_its_run(held)


def test_a_minimum_waits_no_longer_than_its_timeout(held, pending):
    sizes = ["BATCHSIZE", 8, "MINBATCHSIZE", 8, "MINBATCHTIMEOUT", 30]
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB", "identity"]
    assert held.execute_command(*words) == b"OK"
    runs = members(held, pending)
    assert [one.reply() for one in runs] == [b"OK"] * MEMBERS
    assert outputs(held) == [[n] for n in range(MEMBERS)]


def test_a_waiting_batch_holds_up_no_other_model(held, held_server, pending):
    store_batching(held, "identity")
    store(held, "other", "identity")
    runs = members(held, pending, MEMBERS - 1)
    waiting(held_server, MEMBERS - 1)
    for _ in range(5):
        assert held.execute_command(*run("other", ["x1"], ["o"])) == b"OK"
    assert not any(one.answered() for one in runs)
    last = pending(*run("m", ["x0"], ["last"]))
    assert [one.reply() for one in (*runs, last)] == [b"OK"] * MEMBERS


@pytest.mark.parametrize("patience", [(), ("TIMEOUT", 600_000)], ids=["for ever", "for long"])
def test_a_late_member_is_dropped_and_counted(held, at, pending, patience):
    tensor(held, "late", 9)
    runs = members(held, pending, MEMBERS - 1, patience)
    late = pending(*run("m", ["late"], ["z"], "TIMEOUT", 100))
    at.reached()
    # Its deadline passes in the run, which the others still want.
    assert late.reply() == b"TIMEDOUT"
    assert not any(one.answered() for one in runs)
    at.open()
    assert [one.reply() for one in runs] == [b"OK"] * len(runs)
    assert not held.exists("z")
    assert outputs(held, len(runs)) == [[n] for n in range(len(runs))]
    wait_until(lambda: info(held, "m", "FULL")["late"] == 1, "the count")


def test_a_primary_that_becomes_a_replica(held, at, batch):
    held.replicaof("127.0.0.1", free_port())
    try:
        for one in batch:
            assert one.error().startswith("UNBLOCKED force unblock from blocking operation")
        at.open()
        wait_until(lambda: info(held, "m")["calls"] == MEMBERS, "the run's end")
        assert not held.exists("y0", "y1", "y2", "y3")
    finally:
        held.replicaof("NO", "ONE")


def test_a_batch_above_the_execution_timeout(make_server, server_binary, mock_path, tmp_path):
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "MODEL_EXECUTION_TIMEOUT", 1000]
    server = make_server(server_binary, module_args=arguments)
    client = server.client()
    at = Gate(tmp_path / "gate")
    store_batching(client, at.run_text)
    runs = members(client, lambda *words: Pending(server, *words))
    assert [one.error() for one in runs] == ["ERR the run was cancelled"] * MEMBERS
    # It was not tried again in halves.
    assert info(client, "m", "FULL")["batch_sizes"] == [[MEMBERS, 1]]
    counts = info(client, "m")
    assert (counts["calls"], counts["errors"]) == (MEMBERS, MEMBERS)
    store(client, "short", "identity")
    assert client.execute_command(*run("short", ["x1"], ["y"])) == b"OK"


def test_steps_of_dags_and_plain_runs_in_one_batch(held, at, pending):
    tensor(held, "x", 7)
    head = "PERSIST 1 p"
    runs = [
        pending(*run("m", ["x"], ["y"])),
        pending(*dag(tset("a", 1), execute("m", "a", "b"), tget("b", "VALUES"))),
        pending(*dag(tset("a", 2), execute("m", "a", "p"), head=head)),
        pending(
            *dag(
                execute("m", "x", "b"),
                tget("b", "VALUES"),
                head="LOAD 1 x",
                kind="AI.DAGEXECUTE_RO",
            )
        ),
    ]
    at.reached()
    at.open()
    plain, first, second, reading = [one.reply() for one in runs]
    assert (plain, first) == (b"OK", [b"OK", b"OK", [b"1"]])
    assert (second, reading) == ([b"OK", b"OK"], [b"OK", [b"7"]])
    assert (values(held, "y"), values(held, "p")) == ([7], [2])
    assert alone_in_its_run(held)


def test_lua_and_multi_are_refused_and_do_not_join(held, held_server, pending):
    store_batching(held, "identity")
    runs = members(held, pending, MEMBERS - 1)
    waiting(held_server, MEMBERS - 1)
    words = run("m", ["x0"], ["y"])
    lua = pending("EVAL", "return redis.pcall(unpack(ARGV))", 0, *words)
    assert "ERR Cannot run RedisAI command within a transaction or a LUA script" in lua.error()
    with held.pipeline(transaction=True) as multi:
        multi.execute_command(*words)
        assert "within a transaction" in str(multi.execute(raise_on_error=False)[0])
    assert not any(one.answered() for one in runs)
    last = pending(*words)
    assert [one.reply() for one in (*runs, last)] == [b"OK"] * MEMBERS
