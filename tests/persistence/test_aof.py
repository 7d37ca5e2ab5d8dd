"""The append-only file: effects as they come, rewritten with and without an RDB preamble."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import execute, get, put, store
from persistence.conftest import WEIGHTS, fill, linear, look, work
from redisai_rs.testing import wait_until


@pytest.fixture(params=["yes", "no"], ids=["preamble", "commands"])
def server(start, request):
    config = {"appendonly": "yes", "aof-use-rdb-preamble": request.param}
    return start(config=config)


def rewrite(server):
    """Rewrites the file and waits for the end."""
    client = server.client()
    before = server.log_text().count("Background AOF rewrite finished successfully")
    client.bgrewriteaof()
    done = "Background AOF rewrite finished successfully"
    wait_until(lambda: server.log_text().count(done) > before, "the rewrite")
    state = server.info("persistence")
    assert state["aof_last_bgrewrite_status"] == "ok"
    assert state["aof_last_write_status"] == "ok"


def test_what_was_written_comes_back(server):
    fill(server.client())
    server.restart()
    look(server.client())
    work(server.client())


def test_after_a_kill(server):
    client = server.client()
    client.config_set("appendfsync", "always")
    fill(client)
    server.restart(kill=True)
    look(server.client())


def test_a_rewritten_file_comes_back(server):
    fill(server.client())
    rewrite(server)
    server.restart()
    look(server.client())
    # Twice: what was loaded from commands is rewritten from what they made.
    rewrite(server)
    server.restart()
    look(server.client())
    work(server.client())


def test_small_chunks_in_a_rewrite(server):
    client = server.client()
    fill(client)
    client.execute_command("AI.CONFIG", "MODEL_CHUNK_SIZE", 50)
    rewrite(server)
    server.restart()
    look(server.client())


def test_the_outputs_of_runs_come_back(server):
    client = server.client()
    store(client, linear(), "m")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    put(client, "x", x)
    assert execute(client, ["x"], ["y"]) == b"OK"
    client.delete("x", "m")
    server.restart()
    client = server.client()
    assert client.keys() == [b"y"]
    np.testing.assert_allclose(get(client, "y"), x @ WEIGHTS)


def test_runs_are_written_as_what_they_stored(start):
    server = start(config={"appendonly": "yes"})
    client = server.client()
    store(client, linear(), "m")
    put(client, "x", np.ones((2, 3), np.float32))
    assert execute(client, ["x"], ["y"]) == b"OK"
    client.config_set("appendfsync", "always")
    client.set("last", 1)
    files = [path for path in server.directory.rglob("*.aof*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files)
    assert b"AI.MODELEXECUTE" not in written.upper()
    expected = (np.ones((2, 3), np.float32) @ WEIGHTS).astype(np.float32).tobytes()
    assert b"$1\r\ny\r\n$5\r\nFLOAT\r\n$1\r\n2\r\n$1\r\n4\r\n$4\r\nBLOB\r\n" in written
    assert expected in written


def test_a_store_in_a_transaction_comes_back(server):
    client = server.client()
    with client.pipeline(transaction=True) as multi:
        multi.execute_command("AI.MODELSTORE", "m", "ONNX", "CPU", "BLOB", linear())
        multi.execute_command("AI.TENSORSET", "x", "FLOAT", 1, 3, "VALUES", 1, 2, 3)
        multi.execute()
    server.restart()
    client = server.client()
    assert execute(client, ["x"], ["y"]) == b"OK"
    assert get(client, "y").tolist() == ([[1, 2, 3]] @ WEIGHTS).tolist()
