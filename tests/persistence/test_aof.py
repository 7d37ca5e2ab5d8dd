"""The append-only file: effects as they come, rewritten with and without an RDB preamble."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_models import execute, get, put, store
from persistence.conftest import WEIGHTS, fill, linear, look, work
from persistence.processes import aof_files, commands, rewrite


@pytest.fixture(params=["yes", "no"], ids=["preamble", "commands"])
def server(start, request):
    config = {"appendonly": "yes", "aof-use-rdb-preamble": request.param}
    return start(config=config)


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


def test_what_a_rewrite_writes(start):
    """The model in chunks, none of them empty; strings that hold a NUL one by one."""
    server = start(config={"appendonly": "yes", "aof-use-rdb-preamble": "no"})
    client = server.client()
    blob = linear()
    store(client, blob)
    put(client, "strings", np.array([b"one", b"a\0b"], object))
    put(client, "x", np.array([1, 2], np.int16))
    model = [b"AI.MODELSTORE", b"m", b"ONNX", b"CPU", b"TAG", b""]
    model += [b"BATCHSIZE", b"0", b"MINBATCHSIZE", b"0", b"MINBATCHTIMEOUT", b"0", b"BLOB"]
    for size in (1, 7, len(blob) - 1, len(blob), len(blob) + 1):
        client.execute_command("AI.CONFIG", "MODEL_CHUNK_SIZE", size)
        rewrite(server)
        written = {command[1]: command for command in commands(aof_files(server)[0].read_bytes())}
        chunks = [blob[at : at + size] for at in range(0, len(blob), size)]
        assert written[b"m"] == model + chunks
    assert written[b"strings"] == [
        b"AI.TENSORSET",
        b"strings",
        b"STRING",
        b"2",
        b"BYTES",
        b"one",
        b"a\0b",
    ]
    blob = np.array([1, 2], np.int16).tobytes()
    assert written[b"x"] == [b"AI.TENSORSET", b"x", b"INT16", b"2", b"BLOB", blob]


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
    written = b"".join(path.read_bytes() for path in aof_files(server))
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
