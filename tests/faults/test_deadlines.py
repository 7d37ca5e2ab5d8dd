"""TIMEOUT while queued and while running, and MODEL_EXECUTION_TIMEOUT."""

import pytest
from holding import Gate, Pending, info, run, store, tensor, values
from redisai_rs.testing import wait_until


@pytest.fixture
def at(held, gate, pending):
    """A run that stands at the gate, as `at.waiting`."""
    one = gate()
    store(held, "slow", one.run_text)
    store(held, "m", "identity")
    tensor(held, "x", 1)
    one.waiting = pending(*run("slow", ["x"], ["y"]))
    one.reached()
    return one


def test_a_queued_run_times_out_at_its_deadline(held, at, pending):
    queued = pending(*run("m", ["x"], ["z"], "TIMEOUT", 20))
    # The gate is closed all the while: the reply does not wait for a worker.
    assert queued.reply() == b"TIMEDOUT"
    assert not at.waiting.answered()
    at.open()
    assert at.waiting.reply() == b"OK"
    last = pending(*run("m", ["x"], ["last"], "TIMEOUT", 600_000))
    assert last.reply() == b"OK"
    # It never ran.
    assert info(held, "m")["calls"] == 1
    assert not held.exists("z")


def test_many_queued_runs_time_out_each_at_its_own(held, at, pending):
    # The shortest last: the timer does not go by the order of arrival.
    queued = [pending(*run("m", ["x"], ["z"], "TIMEOUT", ms)) for ms in (600_000, 60, 30)]
    assert queued[2].reply() == b"TIMEDOUT"
    assert queued[1].reply() == b"TIMEDOUT"
    assert not queued[0].answered()
    at.open()
    assert queued[0].reply() == b"OK"


def test_a_run_under_way_times_out_and_stores_nothing(held, held_server, gate, pending):
    at = gate()
    store(held, "slow", at.run_text)
    tensor(held, "x", 1)
    one = pending(*run("slow", ["x"], ["y"], "TIMEOUT", 50))
    assert one.reply() == b"TIMEDOUT"
    # The mock can be stopped, and nobody wants the result any more: the queue goes on by itself.
    store(held, "m", "identity")
    assert pending(*run("m", ["x"], ["z"])).reply() == b"OK"
    assert held.keys("y") == []


def test_a_client_that_timed_out_goes_on(held, at, pending):
    queued = pending(*run("m", ["x"], ["z"], "TIMEOUT", 20))
    queued.send("ECHO", "next")
    assert [queued.reply(), queued.reply()] == [b"TIMEDOUT", b"next"]


def test_a_timeout_in_a_pause(held, at, pending):
    queued = pending(*run("m", ["x"], ["z"], "TIMEOUT", 20))
    held.execute_command("CLIENT", "PAUSE", 3_600_000, "WRITE")
    # It stores nothing, so it does not wait for the end of the pause.
    assert queued.reply() == b"TIMEDOUT"
    held.client_unpause()


def test_a_timeout_of_a_dag_in_a_pause(held, at, pending):
    words = ("LOAD", 1, "x", "PERSIST", 1, "z", "TIMEOUT", 20)
    queued = pending("AI.DAGEXECUTE", *words, "|>", *run("m", ["x"], ["z"]))
    held.execute_command("CLIENT", "PAUSE", 3_600_000, "WRITE")
    assert queued.reply() == b"TIMEDOUT"
    held.client_unpause()


@pytest.mark.parametrize("timeout", [-1, 0, "x", "", "1e400", 2**64])
def test_a_timeout_that_is_none(held, pending, timeout):
    store(held, "m", "identity")
    tensor(held, "x", 1)
    one = pending(*run("m", ["x"], ["y"], "TIMEOUT", timeout))
    assert one.error() == "ERR Invalid value for TIMEOUT"


def test_a_run_above_the_execution_timeout(make_server, server_binary, mock_path, tmp_path):
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "MODEL_EXECUTION_TIMEOUT", 1000]
    server = make_server(server_binary, module_args=arguments)
    client = server.client()
    at = Gate(tmp_path / "gate")
    store(client, "slow", at.run_text)
    tensor(client, "x", 1)
    one = Pending(server, *run("slow", ["x"], ["y"]))
    assert one.error() == "ERR the run was cancelled"
    counts = info(client, "slow")
    assert (counts["calls"], counts["errors"]) == (1, 1)
    # A run that is short enough is left alone, and so is the queue.
    store(client, "m", "sleep 1")
    assert client.execute_command(*run("m", ["x"], ["y"])) == b"OK"
    assert values(client, "y") == [1]


def test_the_limit_of_onnx_is_there_by_default(make_server, server_binary, mock_path, tmp_path):
    server = make_server(server_binary, module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path])
    client = server.client()
    assert client.execute_command("AI.CONFIG", "GET", "MODEL_EXECUTION_TIMEOUT") in {5000, None}
    at = Gate(tmp_path / "gate")
    store(client, "slow", at.run_text)
    tensor(client, "x", 1)
    one = Pending(server, *run("slow", ["x"], ["y"]))
    at.reached()
    # Nothing opens the gate: five seconds do.
    assert one.error() == "ERR the run was cancelled"
    wait_until(lambda: info(client, "slow")["errors"] == 1, "the count")
