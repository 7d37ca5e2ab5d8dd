"""A batch with a bad member is halved while time passes and clients go."""

from __future__ import annotations

import pytest
from dag.ops import dag, tget
from dag.ops import execute as step
from holding import Gate, Pending, info, run
from redisai_rs.testing import wait_until

BAD, HELD = 255, 254
REFUSED = "ERR mock: a byte is 255"
STOPPED = "ERR the run was cancelled"


def prepare(client, gate, values):
    """`m` refuses a byte 255 and holds one that is 254; it waits until all members are there."""
    count = len(values)
    sizes = ["BATCHSIZE", count, "MINBATCHSIZE", count]
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", *sizes, "BLOB", f"picky {gate.path}"]
    assert client.execute_command(*words) == b"OK"
    for n, value in enumerate(values):
        words = ("AI.TENSORSET", f"x{n}", "UINT8", 1, 2, "VALUES", value, value)
        assert client.execute_command(*words) == b"OK"


def send(pending, count, timeouts=()):
    """Each member; every other one is a DAG's step with another behind it."""
    sent = []
    for n in range(count):
        timeout = dict(timeouts).get(n)
        if n % 2:
            head = f"LOAD 1 x{n} PERSIST 1 y{n}" + (f" TIMEOUT {timeout}" if timeout else "")
            words = dag(step("m", f"x{n}", f"y{n}"), tget(f"y{n}", "VALUES"), head=head)
        else:
            words = run("m", [f"x{n}"], [f"y{n}"], *(["TIMEOUT", timeout] if timeout else []))
        sent.append(pending(*words))
    return sent


def succeeded(n, value):
    return [b"OK", [value, value]] if n % 2 else b"OK"


def assert_failed(n, reply, text):
    """An error stands in its operation's place, and what is behind it is not run."""
    if n % 2:
        failed, behind = reply
        assert behind == b"NA"
        reply = failed
    assert str(reply) in (text, text.removeprefix("ERR "))


def assert_stored(client, values, numbers):
    for n, value in enumerate(values):
        if n in numbers:
            found = client.execute_command("AI.TENSORGET", f"y{n}", "VALUES")
            assert found == [value, value]
        else:
            assert not client.exists(f"y{n}")


def sizes(client):
    return info(client, "m", "FULL")["batch_sizes"]


@pytest.mark.parametrize(
    "values",
    [[1, BAD, HELD, 2], [HELD, BAD, 1, 2]],
    ids=["in the half that runs", "in the one behind"],
)
def test_a_member_whose_time_is_over(held, gate, pending, values):
    """It is answered then; the others have their rows."""
    at = gate()
    prepare(held, at, values)
    # The last one: nobody waits for the minimum once it has come.
    sent = send(pending, 4, [(3, 300)])
    at.reached()
    assert sent[3].reply() == b"TIMEDOUT"
    at.open()
    for n in (0, 2):
        assert sent[n].reply() == succeeded(n, values[n])
    assert_failed(1, sent[1].reply(), REFUSED)
    assert_stored(held, values, {0, 2})


@pytest.mark.parametrize("gone", [0, 3], ids=["in the half that runs", "in the one behind"])
def test_a_client_that_is_killed(held, gate, pending, gone):
    values = [HELD, 7, BAD, 9]
    at = gate()
    prepare(held, at, values)
    sent = send(pending, 4)
    at.reached()
    held.client_kill_filter(_id=sent[gone].id)
    clients = lambda: {int(client["id"]) for client in held.client_list()}  # noqa: E731
    wait_until(lambda: sent[gone].id not in clients(), "the client's end")
    at.open()
    for n in {0, 1, 3} - {gone}:
        assert sent[n].reply() == succeeded(n, values[n])
    assert_failed(2, sent[2].reply(), REFUSED)
    assert_stored(held, values, {0, 1, 3} - {gone})
    # One that had gone before its run never ran.
    wait_until(lambda: info(held, "m")["calls"] == (4 if gone == 0 else 3), "the counts")


def test_changes_of_the_model(held, gate, pending):
    """Replaced, then deleted: the halves go on with the one that they began with."""
    values = [HELD, 1, BAD, 2]
    at = gate()
    prepare(held, at, values)
    sent = send(pending, 4)
    at.reached()
    words = ["AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", "fail not this one"]
    assert held.execute_command(*words) == b"OK"
    held.execute_command("AI.MODELDEL", "m")
    at.open()
    for n in (0, 1, 3):
        assert sent[n].reply() == succeeded(n, values[n])
    assert_failed(2, sent[2].reply(), REFUSED)
    assert_stored(held, values, {0, 1, 3})


def test_the_limit_of_a_run(make_server, server_binary, mock_path, tmp_path):
    """A half that is stopped is not tried again in smaller ones; the others have their rows."""
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "MODEL_EXECUTION_TIMEOUT", 1000]
    server = make_server(server_binary, module_args=arguments)
    client = server.client()
    at = Gate(tmp_path / "gate")
    values = [1, 2, 3, BAD, HELD, 4, 5, 6]
    prepare(client, at, values)
    sent = send(lambda *words: Pending(server, *words), 8)
    for n, value in enumerate(values):
        reply = sent[n].reply()
        if n < 3:
            assert reply == succeeded(n, value)
        else:
            assert_failed(n, reply, REFUSED if n == 3 else STOPPED)
    assert_stored(client, values, {0, 1, 2})
    # Eight, four, two and two, one and one; then four, which were stopped.
    assert sizes(client) == [[1, 2], [2, 2], [4, 2], [8, 1]]
    counts = info(client, "m")
    assert (counts["calls"], counts["errors"]) == (8, 5)
