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
from onnx_models import get, put
from persistence.busy import KINDS
from persistence.conftest import fill, look
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


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request):
    return request.param()


def work_until(server, kind, number, done):
    """Runs, stores and deletes until it is over; both outputs of a run are always of one run."""
    client = server.client()
    x, y, z, w, m = (f"{name}{number}" for name in "xyzwm")
    rounds = 0
    while not done.is_set():
        put(client, x, np.full((1, 3), rounds, np.float32))
        steps = [word for out in (y, z) for word in ("|>", *kind.run("busy", x, out))]
        dag = ["AI.DAGEXECUTE", "LOAD", 1, x, "PERSIST", 2, y, z, *steps]
        assert client.execute_command(*dag) == [b"OK", b"OK"]
        assert client.execute_command(*kind.store(m, rounds)) == b"OK"
        assert client.execute_command(*kind.run(m, x, w)) == b"OK"
        rounds += 1
    return rounds


def test_a_busy_server(start, kind, how):
    """Every save ends, and what it wrote is a moment of the data: nothing torn."""
    server = start(config=settings(how), module_args=["THREADS_PER_QUEUE", 2, "LOADER_THREADS", 2])
    client = server.client()
    fill(client)
    assert client.execute_command(*kind.store("busy", "t")) == b"OK"
    done = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        clients = [pool.submit(work_until, server, kind, number, done) for number in range(4)]
        try:
            for _ in range(SAVES // 4):
                save(server, how)
        finally:
            done.set()
        assert min(client.result() for client in clients) > 0
    server.restart(kill=True)
    client = server.client()
    for number in range(4):
        x, y, z, w, m = (f"{name}{number}" for name in "xyzwm")
        kind.check(client, y, z)
        assert client.execute_command(*kind.run(m, x, w)) == b"OK"
        client.delete(x, y, z, w, m)
    client.delete("busy")
    look(client)


ENDLESS = """
def stopped():
    found = redis.execute("EXISTS", ["stop"])
    return isinstance(found, int) and found == 1

def compute(tensors: List[Tensor], keys: List[str], args: List[str]):
    x = torch.ones(64, 64)
    while not stopped():
        for i in range(50):
            x = torch.relu(torch.mm(x, x) / 64.0)
    return x
"""


def test_workers_inside_of_torch(start, how):
    """None of its locks is asked for by a child, though both workers are in it all the time."""
    server = start(config=settings(how), module_args=["THREADS_PER_QUEUE", 2])
    client = server.client()
    words = ["ENTRY_POINTS", 1, "compute", "SOURCE", ENDLESS]
    assert client.execute_command("AI.SCRIPTSTORE", "s", "CPU", *words) == b"OK"
    runs = [
        Pending(server, "AI.SCRIPTEXECUTE", "s", "compute", "KEYS", 1, "stop", "OUTPUTS", 1, key)
        for key in ("y", "z")
    ]
    wait_until(lambda: server.info("ai")["ai_queue_CPU_busy"] == "2", "both runs")
    for _ in range(SAVES):
        save(server, how)
    assert server.info("ai")["ai_queue_CPU_busy"] == "2"
    assert not any(one.answered() for one in runs)
    client.set("stop", 1)
    assert [one.reply() for one in runs] == [b"OK", b"OK"]
    np.testing.assert_allclose(get(client, "y"), np.ones((64, 64)), rtol=1e-4)
