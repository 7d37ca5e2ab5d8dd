"""Clients that go away while their command is in flight."""

import pytest
from holding import info, run, sessions, store, tensor, values
from redisai_rs.testing import wait_until


def kill(held, one):
    held.client_kill_filter(_id=one.id)


def close(held, one):
    one.close()


def kill_all(held, one):
    held.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


leaving = pytest.mark.parametrize("leave", [kill, close, kill_all])


def clients(held):
    return {int(client["id"]) for client in held.client_list()}


def gone(held, leave, one):
    """Makes a client leave, and waits until the server has noticed."""
    leave(held, one)
    wait_until(lambda: one.id not in clients(held), "the client's end")


@leaving
def test_a_run_under_way_is_counted_and_its_outputs_dropped(held, gate, pending, leave):
    at = gate()
    store(held, "m", at.run_text)
    tensor(held, "x", 1)
    one = pending(*run("m", ["x"], ["y"]))
    at.reached()
    gone(held, leave, one)
    at.open()
    wait_until(lambda: info(held, "m")["calls"] == 1, "the run's end")
    assert info(held, "m")["errors"] == 0
    # The next run of the same client's key shows that the queue goes on.
    two = pending(*run("m", ["x"], ["z"]))
    at.open()
    assert two.reply() == b"OK"
    assert not held.exists("y")


@leaving
def test_a_run_that_has_not_begun_is_dropped(held, gate, pending, leave):
    at = gate()
    store(held, "slow", at.run_text)
    store(held, "m", "identity")
    tensor(held, "x", 1)
    first = pending(*run("slow", ["x"], ["y"]))
    at.reached()
    queued = pending(*run("m", ["x"], ["z"]))
    wait_until(lambda: "b" in flags(held, queued), "the client to be blocked")
    if leave is kill_all:
        gone(held, kill, first)
    gone(held, leave, queued)
    at.open()
    # The queue is in order: when this one has run, the dropped one would have.
    last = pending(*run("m", ["x"], ["last"]))
    assert last.reply() == b"OK"
    assert info(held, "m")["calls"] == 1
    assert not held.exists("z")


def flags(held, one):
    return next(c["flags"] for c in held.client_list() if int(c["id"]) == one.id)


@leaving
def test_a_store_is_carried_out(held, held_server, gate, pending, leave):
    at = gate()
    one = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "TAG", "t", "BLOB", at.load_text, db=2)
    at.reached()
    gone(held, leave, one)
    at.open()
    second = held_server.client(db=2)
    wait_until(lambda: second.exists("m"), "the model's key")
    assert second.execute_command("AI._MODELSCAN") == [[b"m", b"t"]]
    tensor(second, "x", 5)
    assert second.execute_command(*run("m", ["x"], ["y"])) == b"OK"
    assert values(second, "y") == [5]


def test_a_store_that_has_not_begun_is_carried_out(held, gate, pending):
    at = gate()
    first = pending("AI.MODELSTORE", "a", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    queued = pending("AI.MODELSTORE", "b", "ONNX", "CPU", "BLOB", "identity")
    wait_until(lambda: "b" in flags(held, queued), "the client to be blocked")
    gone(held, kill, queued)
    at.open()
    assert first.reply() == b"OK"
    wait_until(lambda: held.exists("b"), "the model's key")


def test_a_store_that_fails_leaves_nothing(held, held_server, gate, pending):
    at = gate()
    first = pending("AI.MODELSTORE", "a", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    bad = pending("AI.MODELSTORE", "b", "ONNX", "CPU", "BLOB", "fail-load no")
    wait_until(lambda: "b" in flags(held, bad), "the client to be blocked")
    gone(held, kill, bad)
    at.open()
    assert first.reply() == b"OK"
    store(held, "c", "identity")  # built after it
    assert sorted(held.keys()) == [b"a", b"c"]
    assert sessions(held_server) == 2


def test_a_store_over_a_key_of_another_type_harms_nothing(held, held_server, gate, pending):
    at = gate()
    one = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    gone(held, kill, one)
    held.set("m", "text")
    at.open()
    held_server.wait_for_log("model m, whose client has gone, was not stored: WRONGTYPE")
    assert held.get("m") == b"text"


def test_client_unblock_does_not_reach_a_run(held, gate, pending):
    at = gate()
    store(held, "m", at.run_text)
    tensor(held, "x", 1)
    one = pending(*run("m", ["x"], ["y"]))
    at.reached()
    for options in ((), ("TIMEOUT",), ("ERROR",)):
        assert held.execute_command("CLIENT", "UNBLOCK", one.id, *options) == 0
    at.open()
    assert one.reply() == b"OK"


def test_commands_sent_behind_a_run_wait_for_it(held, gate, pending):
    at = gate()
    store(held, "m", at.run_text)
    tensor(held, "x", 6)
    one = pending(*run("m", ["x"], ["y"]))
    one.send("AI.TENSORGET", "y", "VALUES")
    one.send("ECHO", "end")
    at.reached()
    assert not one.answered()
    at.open()
    assert [one.reply() for _ in range(3)] == [b"OK", [b"6"], b"end"]
