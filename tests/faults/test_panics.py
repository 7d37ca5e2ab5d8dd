"""A panic in each callback of the module: the server lives, keeps its keys, answers."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
import redis
from holding import NO_LIMIT, Gate, Pending, info, run, sessions, store, tensor, values
from persistence.replicating import Primary
from redisai_rs.testing import wait_until

CAUGHT = "ERR a bug of redisai-rs was caught: see the server's log"
SOURCES = Path(__file__).parents[2] / "crates" / "module" / "src"


@pytest.fixture
def server(make_server, faults_module, mock_path, server_binary):
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "TORCH", mock_path, *NO_LIMIT]
    return make_server(server_binary, module=faults_module, module_args=arguments)


@pytest.fixture
def client(server):
    one = server.client()
    tensor(one, "x", 1, 2)
    store(one, "m", "identity")
    yield one
    # Whatever happened: it answers, has its keys, and runs its model.
    assert one.ping()
    assert values(one, "x") == [1, 2]
    assert one.execute_command(*run("m", ["x"], ["after"])) == b"OK"
    server.assert_alive()


def arm(client, name):
    assert client.execute_command("AI._FAULT", name) == b"OK"


def caught(server, name):
    """Waits until the panic has been provoked and caught."""
    server.wait_for_log(f"a bug of redisai-rs was caught in {name}")
    assert f"provoked in {name}" in server.log_text()


# How each guarded callback is made to run once, after it has been armed.
PROVOKE = {
    "command filter": lambda client: client.ping(),
    "cron": lambda client: client.ping(),
    "flush": lambda client: client.execute_command("FLUSHDB"),
    "swapdb": lambda client: client.swapdb(8, 9),
    "keyspace event": lambda client: client.rename("t", "t2"),
    "load event": lambda client: client.execute_command("DEBUG", "RELOAD"),
    "scan": lambda client: client.execute_command("AI._MODELSCAN"),
    "info": lambda client: client.info("everything"),
    "tensor rdb_save": lambda client: client.dump("t"),
    "model rdb_save": lambda client: client.dump("n"),
    "script rdb_save": lambda client: client.dump("p"),
    "tensor mem_usage": lambda client: client.memory_usage("t"),
    "model mem_usage": lambda client: client.memory_usage("n"),
    "script mem_usage": lambda client: client.memory_usage("p"),
    "tensor digest": lambda client: client.execute_command("DEBUG", "DIGEST-VALUE", "t"),
    "model digest": lambda client: client.execute_command("DEBUG", "DIGEST-VALUE", "n"),
    "script digest": lambda client: client.execute_command("DEBUG", "DIGEST-VALUE", "p"),
    "tensor free": lambda client: client.delete("t"),
    "model free": lambda client: client.delete("n"),
    "script free": lambda client: client.delete("p"),
    "tensor free_effort": lambda client: client.unlink("t"),
    "model free_effort": lambda client: client.unlink("n"),
    "script free_effort": lambda client: client.unlink("p"),
    "tensor copy": lambda client: client.copy("t", "t2"),
    "model copy": lambda client: client.copy("n", "n2"),
    "script copy": lambda client: client.copy("p", "p2"),
}
# These have a test of their own below, or none: a panic in a load is a load that fails, and one in
# the exit leaves the process to its usual end.
OTHERS = {
    "command",
    "disconnect",
    "exit",
    "free private data",
    "load",
    "load beside",
    "load with backup",
    "model aof_rewrite",
    "model rdb_load",
    "script aof_rewrite",
    "script rdb_load",
    "one-shot",
    "release",
    "reply",
    "shutdown",
    "tensor aof_rewrite",
    "tensor rdb_load",
    "timer",
}


def test_every_guard_has_a_test():
    names = set()
    for path in SOURCES.rglob("*.rs"):
        text = path.read_text()
        names |= set(re.findall(r"guard::(?:run|replying)\(\s*\"([^\"]+)\"", text))
    assert len(names) > 20
    assert names == PROVOKE.keys() | OTHERS


def not_called(server, name):
    """A callback that this server has no use for."""
    assert f"provoked in {name}" not in server.log_text()


def walks(server):
    """Whether models are listed by a walk over the keys, since key events do harm there."""
    return server.binary.product == "Valkey" and server.binary.version < (9, 1)


def fill(client):
    tensor(client, "t", 3)
    store(client, "n", "identity")
    script(client, "p")


def script(client, key):
    assert client.execute_command("AI.SCRIPTSET", key, "CPU", "SOURCE", "def f identity") == b"OK"


@pytest.mark.parametrize("name", sorted(PROVOKE))
def test_a_panic_in(server, client, name):
    fill(client)
    if name == ("keyspace event" if walks(server) else "scan"):
        arm(client, name)
        PROVOKE[name](client)
        not_called(server, name)
        return
    if name == "flush":
        client.select(5)
    arm(client, name)
    # Null is a type's way to refuse a copy.
    may_fail = redis.ResponseError if name.endswith(" copy") else ()
    with contextlib.suppress(may_fail):
        PROVOKE[name](client)
    caught(server, name)
    client.select(0)
    # Once is once: the same callback works again.
    fill(client)
    if name != "flush":
        PROVOKE[name](client)


@pytest.mark.parametrize("protocol", [2, 3])
def test_a_panic_in_a_command(server, client, protocol):
    other = server.client(protocol=protocol)
    arm(client, "command")
    with pytest.raises(redis.ResponseError, match=CAUGHT[4:]):
        other.execute_command("AI.TENSORGET", "x")
    assert values(other, "x") == [1, 2]


def test_a_panic_in_a_reply_answers_a_blocked_client(server, client, tmp_path):
    at = Gate(tmp_path / "gate")
    store(client, "slow", at.run_text)
    one = Pending(server, *run("slow", ["x"], ["y"]))
    at.reached()
    arm(client, "reply")
    at.open()
    assert one.error() == CAUGHT
    one.send("ECHO", "next")
    assert one.reply() == b"next"
    assert not client.exists("y")
    arm(client, "reply")
    one.send("AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", "identity")
    assert one.error() == CAUGHT


def posts(server):
    """Whether the server has callbacks that are posted from any thread."""
    return server.binary.version >= (7,)


def test_a_panic_where_the_main_thread_is_asked(server, client, tmp_path):
    at = Gate(tmp_path / "gate")
    store(client, "slow", at.run_text)
    one = Pending(server, *run("slow", ["x"], ["y"]))
    at.reached()
    # After this command the worker asks before it delivers.
    client.client_id()
    arm(client, "one-shot")
    at.open()
    if posts(server):
        caught(server, "one-shot")
    # The server's cron delivers.
    assert one.reply() == b"OK"
    if not posts(server):
        not_called(server, "one-shot")
    assert values(client, "y") == [1, 2]


def test_a_panic_where_what_was_replaced_is_handed_over(server, client):
    elements = 18 << 20
    blob = bytes(4 * elements)
    client.execute_command("AI.TENSORSET", "large", "FLOAT", elements, "BLOB", blob)
    arm(client, "release")
    client.execute_command("AI.TENSORSET", "large", "FLOAT", elements, "BLOB", blob)
    if posts(server):
        caught(server, "release")
    # The server's cron hands over.
    small = len(blob) * 3 // 2
    wait_until(lambda: client.info("memory")["used_memory"] < small, "the freed tensor")
    if not posts(server):
        not_called(server, "release")


def test_a_panic_where_a_clients_data_is_freed(server, client):
    arm(client, "free private data")
    assert client.execute_command(*run("m", ["x"], ["y"])) == b"OK"
    caught(server, "free private data")
    assert client.execute_command(*run("m", ["x"], ["y"])) == b"OK"


def test_a_panic_where_a_client_goes(server, client, tmp_path):
    at = Gate(tmp_path / "gate")
    store(client, "slow", at.run_text)
    one = Pending(server, *run("slow", ["x"], ["y"]))
    at.reached()
    arm(client, "disconnect")
    client.client_kill_filter(_id=one.id)
    caught(server, "disconnect")
    at.open()
    assert client.execute_command(*run("m", ["x"], ["z"])) == b"OK"


def test_a_panic_where_an_orphaned_store_is_carried_out(server, client, tmp_path):
    at = Gate(tmp_path / "gate")
    one = Pending(server, "AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", at.load_text)
    at.reached()
    arm(client, "timer")
    client.client_kill_filter(_id=one.id)
    at.open()
    caught(server, "timer")
    assert not client.exists("n")


@pytest.mark.parametrize(("key", "name"), [("x", "tensor"), ("m", "model"), ("p", "script")])
def test_a_panic_in_rdb_load(server, client, key, name):
    script(client, "p")
    payload = client.dump(key)
    arm(client, f"{name} rdb_load")
    with pytest.raises(redis.ResponseError, match="Bad data format"):
        client.restore("copy", 0, payload)
    caught(server, f"{name} rdb_load")
    client.restore("copy", 0, payload)


@pytest.mark.parametrize("name", ["tensor", "model", "script"])
def test_a_panic_in_an_aof_rewrite(server, client, name):
    script(client, "p")
    client.config_set("aof-use-rdb-preamble", "no")
    client.config_set("appendonly", "yes")
    wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the rewrite")
    arm(client, f"{name} aof_rewrite")
    client.bgrewriteaof()
    # It happens in the child, whose log is the same.
    caught(server, f"{name} aof_rewrite")
    wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the rewrite")


def test_a_panic_at_shutdown(server, client):
    client.save()
    arm(client, "shutdown")
    Pending(server, "SHUTDOWN", "NOSAVE")
    assert server.wait_for_exit() == 0
    assert "provoked in shutdown" in server.log_text()
    server.stop()
    server.start()


# The mock's own panics: in the backend, behind its own guard -----------------------------------


def test_a_panic_in_a_run_poisons_the_session_which_is_built_anew_once(server, client):
    store(client, "bad", "panic so")
    before = sessions(server)

    def state():
        return info(client, "bad", "FULL")["state"]

    def panics():
        one = Pending(server, *run("bad", ["x"], ["y"]))
        assert one.error() == "ERR this run panicked: so"

    panics()
    wait_until(lambda: state() == b"ready", "the new session")
    wait_until(lambda: sessions(server) == before, "the end of the old session")
    panics()
    wait_until(lambda: state() == b"failed", "the end of the second session")
    panics()
    assert info(client, "bad")["errors"] == 2
    # A store is a new beginning.
    store(client, "bad", "identity")
    assert client.execute_command(*run("bad", ["x"], ["y"])) == b"OK"


def test_a_panic_at_load_poisons_the_backend(make_server, mock_path):
    server = make_server(module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path])
    client = server.client()
    tensor(client, "x", 1)
    store(client, "m", "identity")
    for text, error in (
        ("panic-load so", "ERR the backend panicked: so"),
        ("identity", "ERR the backend panicked before and is not used any more"),
    ):
        one = Pending(server, "AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", text)
        assert one.error() == error
        assert not client.exists("n")
    # Sessions from before go on; keys are keys.
    assert client.execute_command(*run("m", ["x"], ["y"])) == b"OK"
    assert client.execute_command("AI.MODELGET", "m", "BLOB") == b"identity"
    assert client.execute_command("AI.MODELDEL", "m") == b"OK"
    server.assert_alive()


@pytest.mark.parametrize("text", ["crash", "crash segv"])
def test_a_crash_of_a_framework_is_a_crash_and_saved_keys_are_there(make_server, mock_path, text):
    server = make_server(module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path])
    client = server.client()
    tensor(client, "x", 1)
    store(client, "bad", text)
    client.save()
    one = Pending(server, *run("bad", ["x"], ["y"]))
    assert server.wait_for_exit() < 0
    one.close()
    # The crash is expected; a log of its own for what follows.
    server.start()
    again = server.client()
    assert values(again, "x") == [1]
    assert again.execute_command("AI.MODELGET", "bad", "BLOB") == text.encode()


def test_a_load_beside_the_old_data(server, client):
    """6.2 puts the old data away meanwhile, later servers load aside: each has an event for it."""
    client.config_set("repl-diskless-load", "swapdb")
    name = "load beside" if server.binary.version >= (7,) else "load with backup"
    with Primary() as primary:
        arm(client, name)
        client.replicaof("127.0.0.1", primary.port)
        link = primary.link()
        link.send(b"REDIS0009")
        link.cut()
        # It comes again: so it has survived the first time.
        primary.link()
        caught(server, name)
        client.replicaof("NO", "ONE")
