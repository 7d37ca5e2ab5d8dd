"""MULTI, WATCH, Lua, and client-side caching beside runs and stores."""

import pytest
import redis
from holding import Pending, run, store, tensor, values

REFUSED = "Cannot run RedisAI command within a transaction or a LUA script"


@pytest.fixture
def ready(held, gate):
    at = gate()
    store(held, "m", at.run_text)
    tensor(held, "x", 1)
    return at


def watching(pending, key):
    one = pending("WATCH", key)
    assert one.reply() == b"OK"
    return one


def execute(one):
    """A transaction of the watching client."""
    for command in ("MULTI",), ("SET", "done", "1"), ("EXEC",):
        one.send(*command)
    assert [one.reply(), one.reply()] == [b"OK", b"QUEUED"]
    return one.reply()


@pytest.mark.parametrize("key", ["x", "m"])
def test_a_run_does_not_touch_what_it_reads(held, ready, pending, key):
    watcher = watching(pending, key)
    waiting = pending(*run("m", ["x"], ["y"]))
    ready.open()
    assert waiting.reply() == b"OK"
    assert execute(watcher) == [b"OK"]


def test_a_run_touches_its_output_when_it_is_stored_and_not_before(held, ready, pending):
    early, late = watching(pending, "y"), watching(pending, "y")
    waiting = pending(*run("m", ["x"], ["y"]))
    ready.reached()
    assert execute(early) == [b"OK"]
    ready.open()
    assert waiting.reply() == b"OK"
    assert execute(late) is None


def test_a_run_that_fails_touches_nothing(held, ready, pending):
    store(held, "bad", "fail no")
    watcher = watching(pending, "y")
    assert pending(*run("bad", ["x"], ["y"])).error() == "ERR no"
    assert execute(watcher) == [b"OK"]


def test_a_store_touches_its_key_when_it_completes(held, gate, pending):
    at = gate()
    early, late = watching(pending, "n"), watching(pending, "n")
    waiting = pending("AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    assert execute(early) == [b"OK"]
    at.open()
    assert waiting.reply() == b"OK"
    assert execute(late) is None


def test_a_transaction(held):
    store(held, "m", "identity")
    with held.pipeline(transaction=True) as multi:
        multi.execute_command("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 3)
        multi.execute_command("AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", "identity")
        multi.execute_command("AI.MODELSTORE", "bad", "ONNX", "CPU", "BLOB", "fail-load no")
        multi.execute_command(*run("m", ["x"], ["y"]))
        multi.execute_command("AI.TENSORGET", "x", "VALUES")
        multi.execute_command("AI.MODELDEL", "m")
        replies = multi.execute(raise_on_error=False)
    assert [replies[0], replies[1], replies[4], replies[5]] == [b"OK", b"OK", [b"3"], b"OK"]
    assert str(replies[2]) == "no"
    assert str(replies[3]) == REFUSED
    assert sorted(held.keys()) == [b"n", b"x"]
    # What was stored there is complete.
    assert held.execute_command(*run("n", ["x"], ["y"])) == b"OK"
    assert values(held, "y") == [3]


def test_lua(held):
    store(held, "m", "identity")
    tensor(held, "x", 3)
    call = "return redis.call(unpack(ARGV))"
    with pytest.raises(redis.ResponseError, match=REFUSED):
        held.eval(call, 0, *run("m", ["x"], ["y"]))
    assert not held.exists("y")
    stored = held.eval(call, 0, "AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", "identity")
    assert stored == b"OK"
    assert held.execute_command(*run("n", ["x"], ["y"])) == b"OK"
    with pytest.raises(redis.ResponseError, match="no way"):
        held.eval(call, 0, "AI.MODELSTORE", "o", "ONNX", "CPU", "BLOB", "fail-load no way")
    assert not held.exists("o")
    assert held.eval(call, 0, "AI.TENSORGET", "y", "VALUES") is not None
    assert held.eval(call, 0, "AI.MODELGET", "n", "META")[1] == b"ONNX"


def test_a_store_in_a_transaction_behind_one_that_is_being_built(held, gate, pending):
    at = gate()
    waiting = pending("AI.MODELSTORE", "n", "ONNX", "CPU", "TAG", "1", "BLOB", at.load_text)
    at.reached()
    with held.pipeline(transaction=True) as multi:
        multi.execute_command("AI.MODELSTORE", "n", "ONNX", "CPU", "TAG", "2", "BLOB", "identity")
        assert multi.execute() == [b"OK"]
    at.open()
    assert waiting.reply() == b"OK"
    # The last to complete.
    assert held.execute_command("AI.INFO", "n")[9] == b"1"


def test_client_side_caching_gets_the_invalidation_after_the_store(held_server, held, ready):
    reader = Pending(held_server, "HELLO", 2)
    reader.reply()
    redirect = Pending(held_server, "SUBSCRIBE", "__redis__:invalidate")
    redirect.reply()
    tensor(held, "y", 0)
    reader.send("CLIENT", "TRACKING", "ON", "REDIRECT", redirect.id)
    assert reader.reply() == b"OK"
    reader.send("AI.TENSORGET", "y", "VALUES")
    assert reader.reply() == [b"0"]
    waiting = Pending(held_server, *run("m", ["x"], ["y"]))
    ready.reached()
    assert not redirect.answered()
    ready.open()
    assert waiting.reply() == b"OK"
    assert redirect.reply() == [b"message", b"__redis__:invalidate", [b"y"]]
    reader.send("AI.TENSORGET", "y", "VALUES")
    assert reader.reply() == [b"1"]
    reader.close()
    redirect.close()
