"""Real scripts in pauses, past their deadlines, while their keys change, at an exit."""

from __future__ import annotations

import pytest
from holding import Pending, info
from redisai_rs.testing import wait_until
from scripts.conftest import Torch

# A run says that it is on its way, and goes on when it is told to.
HELD = """
def f:
    redis.execute("SET", "started", "1")
    while isinstance(redis.execute("GET", "go"), NoneType):
        pass
    redis.execute("SET", keys[0], args[0])
    redis.execute("RPUSH", "list", args[0])
    return as_bytes(args[0])
def reads:
    redis.execute("SET", "started", "1")
    while isinstance(redis.execute("GET", "go"), NoneType):
        pass
    return as_bytes(show(redis.execute("GET", keys[0])))
def ping:
    return as_bytes(show(redis.execute("PING")))
def for_ever:
    while True:
        redis.execute("INCR", keys[0])
    return tensors[0]
"""


@pytest.fixture
def held(torch: Torch) -> Torch:
    torch.store(HELD)
    return torch


def begin(torch: Torch, function: str, *args: object, **more: object) -> Pending:
    """A run that has begun."""
    one = Pending(torch.server, *torch.words(function, *args, **more))
    wait_until(lambda: torch.client.exists("started"), "the run")
    return one


def test_a_write_waits_for_the_end_of_a_pause(held: Torch) -> None:
    if held.server.binary.version >= (7,):
        held.client.config_set("appendonly", "yes")
        wait_until(
            lambda: not held.client.info("persistence")["aof_rewrite_in_progress"], "the file"
        )
    one = begin(held, "f", "v", keys=["k"])
    held.client.set("go", 1)
    assert one.reply() == b"OK"
    held.client.delete("started", "go", "list")
    one = begin(held, "f", "v", keys=["k2"])
    pause = held.client.pipeline(transaction=True)
    pause.set("go", 1)
    pause.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    pause.execute()
    # Others are served; nothing is written.
    for _ in range(20):
        assert not held.client.exists("k2")
    assert not one.answered()
    held.client.execute_command("CLIENT", "UNPAUSE")
    assert one.reply() == b"OK"
    assert held.client.get("k2") == b"v"
    held.client.config_set("appendonly", "no")


def test_a_read_goes_on_in_a_pause_and_its_output_waits(held: Torch) -> None:
    held.client.set("k", "v")
    one = begin(held, "reads", keys=["k"])
    pause = held.client.pipeline(transaction=True)
    pause.set("go", 1)
    pause.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
    pause.execute()
    wait_until(lambda: info(held.client, "t")["calls"] == 1, "the run's end")
    assert not one.answered()
    held.client.execute_command("CLIENT", "UNPAUSE")
    assert one.reply() == b"OK"
    assert held.client.execute_command("AI.TENSORGET", "out", "BLOB") == b"str v"


def test_the_wait_in_a_pause_ends_at_the_deadline(held: Torch) -> None:
    one = begin(held, "f", "v", keys=["k"], options=["TIMEOUT", 400])
    pause = held.client.pipeline(transaction=True)
    pause.set("go", 1)
    pause.execute_command("CLIENT", "PAUSE", 3_600_000, "WRITE")
    pause.execute()
    assert one.reply() == b"TIMEDOUT"
    held.client.execute_command("CLIENT", "UNPAUSE")
    # The worker is free, and what came too late is not done.
    assert held.text("ping") == b"str PONG"
    assert not held.client.exists("k", "list")


def test_a_loop_of_commands_ends_at_the_deadline(held: Torch) -> None:
    held.client.execute_command("AI.TENSORSET", "x", "FLOAT", 1, "VALUES", 1)
    for _ in range(3):
        words = {"keys": ["n"], "inputs": ["x"], "options": ["TIMEOUT", 200]}
        assert held.run("for_ever", **words) == b"TIMEDOUT"
    assert held.text("ping") == b"str PONG"
    count = int(held.client.get("n"))
    assert count > 0
    assert held.text("ping") == b"str PONG"
    assert int(held.client.get("n")) == count


def test_nothing_is_done_while_the_main_thread_is_busy_past_the_deadline(held: Torch) -> None:
    one = begin(held, "f", "v", keys=["k"], options=["TIMEOUT", 300])
    busy = held.client.pipeline(transaction=True)
    busy.execute_command("DEBUG", "SLEEP", 0.6)
    busy.set("go", 1)
    busy.execute()
    assert one.reply() == b"TIMEDOUT"
    assert held.text("ping") == b"str PONG"
    assert not held.client.exists("k", "list")


@pytest.mark.parametrize("change", ["delete", "del", "replace", "rename", "another type"])
def test_its_key_changes_while_it_runs(held: Torch, change: str) -> None:
    client = held.client
    one = begin(held, "f", "v", keys=["k"])
    if change == "delete":
        client.execute_command("AI.SCRIPTDEL", "t")
    elif change == "del":
        client.delete("t")
    elif change == "replace":
        held.store("def f:\n    return as_bytes('the new one')\n")
    elif change == "rename":
        client.rename("t", "t2")
    else:
        client.set("t", "text")
    client.set("go", 1)
    # It ends as what it was.
    assert one.reply() == b"OK"
    assert client.get("k") == b"v"
    assert client.execute_command("AI.TENSORGET", "out", "BLOB") == b"v"
    if change == "replace":
        assert held.text("f") == b"the new one"
        assert info(client, "t")["calls"] == 1
    if change == "rename":
        assert info(client, "t2")["calls"] == 1


def test_a_client_that_goes_does_not_end_its_script(held: Torch) -> None:
    one = begin(held, "f", "v", keys=["k"])
    one.close()
    held.client.set("go", 1)
    wait_until(lambda: held.client.get("k") == b"v", "the script's write")


def test_a_server_that_became_a_replica_writes_nothing(held: Torch) -> None:
    one = begin(held, "f", "v", keys=["k"])
    held.client.replicaof("127.0.0.1", 1)
    assert "UNBLOCKED" in one.error()
    held.client.replicaof("NO", "ONE")
    held.client.set("go", 1)
    wait_until(lambda: info(held.client, "t")["calls"] == 1, "the run's end")
    assert not held.client.exists("out")


def test_an_exit_while_a_kernel_runs_is_clean(make_server, server_binary) -> None:
    """Nothing stops one long kernel, nor what torch still does in a thread."""
    torch = Torch(make_server(server_binary))
    lines = "".join("    a = torch.mm(a, a) * 0.001\n" for _ in range(200))
    torch.store(
        'def f:\n    redis.execute("SET", "started", "1")\n    a = tensors[0] + 1\n'
        f"{lines}    return a\n"
    )
    torch.client.execute_command("AI.TENSORSET", "x", "FLOAT", 2000, 2000)
    one = begin(torch, "f", inputs=["x"])
    torch.server.stop()
    one.close()
