"""Saves while models run and are built.

A save is a forked child: a lock that another thread holds at that moment is never released in it.
So workers are held where they are, and a child that needs their locks would never end.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from holding import NO_LIMIT, Gate, Pending, store, tensor, values
from holding import run as run_of
from onnx_models import execute, get, put
from persistence.conftest import WEIGHTS, fill, linear, look
from redisai_rs.testing import wait_until

SAVES = 40


def save(server, how):
    """Saves in a child, and waits for its end."""
    doing, status = (
        ("rdb_bgsave_in_progress", "rdb_last_bgsave_status")
        if how == "BGSAVE"
        else ("aof_rewrite_in_progress", "aof_last_bgrewrite_status")
    )
    server.execute(how)
    wait_until(lambda: server.info("persistence")[doing] == "0", "the end of the save")
    state = server.info("persistence")
    assert state[status] == "ok"
    assert state.get("aof_rewrite_scheduled", "0") == "0"


HOW = ["BGSAVE", "BGREWRITEAOF"]


@pytest.fixture(params=HOW)
def how(request):
    return request.param


def settings(how):
    """An append-only file of commands, where it is one; and short waits for children."""
    aof = {"appendonly": "yes", "aof-use-rdb-preamble": "no"}
    return {"hz": 500} | (aof if how == "BGREWRITEAOF" else {})


def test_workers_that_are_held(start, mock_path, tmp_path, how):
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT, "THREADS_PER_QUEUE", 2]
    server = start(module_args=arguments, config=settings(how))
    client = server.client()
    at, loading = Gate(tmp_path / "run"), Gate(tmp_path / "load")
    store(client, "m", at.run_text)
    store(client, "other", "identity\ninput a\noutput b")
    tensor(client, "x", 1, 2)
    held = Pending(server, *run_of("m", ["x"], ["y"]))
    at.reached()
    # One is built for a client, and another behind it for a key that is there already.
    building = Pending(server, "AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", loading.load_text)
    loading.reached()
    client.copy("other", "waits")
    for _ in range(SAVES):
        save(server, how)
    assert not held.answered()
    assert not building.answered()
    at.open()
    loading.open()
    assert held.reply() == building.reply() == b"OK"
    assert values(client, "y") == [1, 2]
    # What was saved meanwhile is whole; a session that is built now would stand at its gate.
    server.module_args = ["TEST_BACKENDS", "yes", "ONNX", str(mock_path), "BUILD_SESSIONS", "lazy"]
    server.restart(kill=True)
    client = server.client()
    there = {b"m", b"other", b"waits", b"x"} | ({b"y", b"n"} if how == "BGREWRITEAOF" else set())
    assert set(client.scan_iter()) == there
    assert client.execute_command("AI.MODELGET", "m", "BLOB") == at.run_text.encode()
    names = client.execute_command("AI.MODELGET", "other", "META")[1::2][5:7]
    assert names == [[b"a"], [b"b"]]


def work_until(server, number, done):
    """Runs, stores and deletes until it is over; both outputs of a run are always of one run."""
    client = server.client()
    rounds = 0
    while not done.is_set():
        put(client, f"x{number}", np.full((1, 3), rounds, np.float32))
        both = [f"y{number}", f"z{number}"]
        steps = [["AI.MODELEXECUTE", "plain", "INPUTS", 1, "x", "OUTPUTS", 1, key] for key in both]
        load = ["LOAD", 1, f"x{number}", "PERSIST", 2, *both]
        words = [[f"x{number}" if word == "x" else word for word in step] for step in steps]
        dag = ["AI.DAGEXECUTE", *load, "|>", *words[0], "|>", *words[1]]
        assert client.execute_command(*dag) == [b"OK", b"OK"]
        command = ["AI.MODELSTORE", f"m{number}", "ONNX", "CPU", "TAG", rounds]
        assert client.execute_command(*command, "BLOB", linear()) == b"OK"
        assert execute(client, [f"x{number}"], [f"w{number}"], f"m{number}") == b"OK"
        rounds += 1
    return rounds


def test_a_busy_server_with_onnx(start, how):
    """Every save ends, and what it wrote is a moment of the data: nothing torn."""
    server = start(config=settings(how), module_args=["THREADS_PER_QUEUE", 2, "LOADER_THREADS", 2])
    fill(server.client())
    done = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(work_until, server, number, done) for number in range(4)]
        try:
            for _ in range(SAVES // 4):
                save(server, how)
        finally:
            done.set()
        assert min(client.result() for client in clients) > 0
    server.restart(kill=True)
    client = server.client()
    for number in range(4):
        y, z = get(client, f"y{number}"), get(client, f"z{number}")
        np.testing.assert_array_equal(y, z)
        # All elements of an input are the same: so is what one run made of it.
        np.testing.assert_allclose(y, np.full((1, 3), y[0, 0] / WEIGHTS[:, 0].sum()) @ WEIGHTS)
        assert execute(client, [f"x{number}"], [f"w{number}"], f"m{number}") == b"OK"
        client.delete(*[f"{name}{number}" for name in "mwxyz"])
    look(client)
