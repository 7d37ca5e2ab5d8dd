"""Keys that change while a run or a store is in flight."""

import pytest
from holding import info, run, sessions, store, tensor, values
from redisai_rs.testing import wait_until

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"


@pytest.fixture
def at(held, gate, pending):
    """A run of `m` from `x` = [1, 2] to `y`, at the gate, as `at.waiting`."""
    one = gate()
    store(held, "m", one.run_text)
    tensor(held, "x", 1, 2)
    one.waiting = pending(*run("m", ["x"], ["y"]))
    one.reached()
    return one


def finish(at):
    at.open()
    assert at.waiting.reply() == b"OK"


@pytest.mark.parametrize(
    "change",
    [
        [("DEL", "x")],
        [("UNLINK", "x")],
        [("AI.TENSORSET", "x", "FLOAT", 3, "VALUES", 7, 8, 9)],
        [("DEL", "x"), ("SET", "x", "text")],
        [("RENAME", "x", "z")],
        [("PEXPIRE", "x", 0)],
    ],
    ids=lambda change: " ".join(command[0] for command in change),
)
def test_an_input_that_changes_was_read_before(held, at, change):
    for command in change:
        held.execute_command(*command)
    finish(at)
    assert values(held, "y") == [1, 2]


def test_a_model_that_is_deleted_ends_its_run(held, held_server, at):
    assert held.execute_command("AI.MODELDEL", "m") == b"OK"
    assert not held.exists("m")
    finish(at)
    assert values(held, "y") == [1, 2]
    wait_until(lambda: sessions(held_server) == 0, "the end of the session")


def test_a_model_that_is_replaced_counts_nothing_of_the_old_one(held, held_server, at):
    store(held, "m", "fail new", device="CPU:1")
    finish(at)
    assert values(held, "y") == [1, 2]
    assert info(held, "m")["calls"] == 0
    wait_until(lambda: sessions(held_server) == 1, "the end of the old session")
    with pytest.raises(Exception, match="^new$"):
        held.execute_command(*run("m", ["x"], ["y"]))


def test_a_model_that_is_renamed_keeps_its_counts(held, at):
    held.rename("m", "n")
    finish(at)
    assert info(held, "n")["calls"] == 1
    assert held.execute_command("AI._MODELSCAN") == [[b"n", b""]]


@pytest.mark.parametrize("command", ["FLUSHALL", "FLUSHDB", "FLUSHALL ASYNC"])
def test_a_flush_leaves_the_outputs_that_come_after_it(held, at, command):
    held.execute_command(*command.split())
    assert held.dbsize() == 0
    finish(at)
    assert held.keys() == [b"y"]
    assert values(held, "y") == [1, 2]


def test_a_swap_of_databases(held, held_server, at):
    held.swapdb(0, 5)
    finish(at)
    # The client's database is still number 0, whatever was in it when the run began.
    assert held.keys() == [b"y"]
    assert values(held_server.client(db=5), "x") == [1, 2]


@pytest.mark.parametrize("kind", ["text", "model"])
def test_a_wrong_type_that_appears_at_an_output(held, at, kind):
    if kind == "text":
        held.set("y", "text")
    else:
        store(held, "y", "identity", device="CPU:1")
    at.open()
    assert at.waiting.error() == WRONG_TYPE
    # One reply, not two: the next command gets its own.
    at.waiting.send("ECHO", "next")
    assert at.waiting.reply() == b"next"
    assert held.type("y") == (b"string" if kind == "text" else b"AI__MODEL")


def test_nothing_is_stored_when_one_of_two_outputs_cannot_be(held, gate, pending):
    at = gate()
    store(held, "m", at.run_text)
    tensor(held, "x", 1)
    waiting = pending(*run("m", ["x", "x"], ["a", "b"]))
    at.reached()
    held.lpush("b", "text")
    at.open()
    assert waiting.error() == WRONG_TYPE
    assert not held.exists("a")
    assert held.lrange("b", 0, -1) == [b"text"]


def test_an_output_that_is_an_input(held, held_server, gate, pending):
    at = gate()
    store(held, "m", at.run_text)
    tensor(held, "x", 1, 2)
    held.expire("x", 1000)
    waiting = pending(*run("m", ["x"], ["x"]))
    at.open()
    assert waiting.reply() == b"OK"
    assert values(held, "x") == [1, 2]
    assert held.ttl("x") == -1


def test_a_store_survives_a_flush_in_between(held, gate, pending):
    at = gate()
    waiting = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "TAG", "t", "BLOB", at.load_text)
    at.reached()
    held.flushall()
    at.open()
    assert waiting.reply() == b"OK"
    assert held.execute_command("AI._MODELSCAN") == [[b"m", b"t"]]


def test_of_two_stores_the_last_to_complete_wins(held, gate, pending):
    first, second = gate(), gate()
    one = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "TAG", "1", "BLOB", first.load_text)
    first.reached()
    two = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "TAG", "2", "BLOB", second.load_text)
    assert not held.exists("m")
    first.open()
    assert one.reply() == b"OK"
    assert info(held, "m")["tag"] == b"1"
    second.open()
    assert two.reply() == b"OK"
    assert info(held, "m")["tag"] == b"2"


def test_a_wrong_type_that_appears_where_a_model_is_stored(held, gate, pending):
    at = gate()
    waiting = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    held.set("m", "text")
    at.open()
    assert waiting.error() == WRONG_TYPE
    assert held.get("m") == b"text"


def test_an_old_model_serves_while_its_successor_is_built(held, gate, pending):
    at = gate()
    store(held, "m", "identity")
    tensor(held, "x", 3)
    waiting = pending("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    assert held.execute_command(*run("m", ["x"], ["y"])) == b"OK"
    at.open()
    assert waiting.reply() == b"OK"
    assert info(held, "m")["calls"] == 0
