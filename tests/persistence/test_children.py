"""What a child that saves costs; and what the server moves in memory by itself."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from holding import run as run_of
from holding import store, tensor, values
from onnx_models import put
from persistence.conftest import fill, look, work
from persistence.processes import rewrite
from redisai_rs.testing import wait_until

MIB = 1 << 20
LARGE = 64 * MIB


@pytest.fixture
def server(start, mock_path):
    """Large values of each kind of memory: what a client sent, and what a run made."""
    config = {
        "rdbcompression": "no",
        "aof-use-rdb-preamble": "no",
        "appendonly": "yes",
        # The file grows fast enough for the server to begin a rewrite by itself.
        "auto-aof-rewrite-percentage": 0,
    }
    arguments = ["TEST_BACKENDS", "yes", "ONNX", mock_path, "TORCH", mock_path]
    server = start(config=config, module_args=arguments)
    client = server.client()
    client.execute_command("AI.TENSORSET", "t", "UINT8", LARGE, "BLOB", bytes(LARGE))
    store(client, "m", "identity\n" + " " * LARGE)
    script = "def f identity\n" + " " * LARGE
    assert client.execute_command("AI.SCRIPTSET", "s", "CPU", "SOURCE", script) == b"OK"
    return server


def test_a_save_copies_no_blob(server):
    client = server.client()
    store(client, "maker", f"allocate {LARGE}")
    tensor(client, "one", 1)
    assert client.execute_command(*run_of("maker", ["one"], ["made"])) == b"OK"
    client.bgsave()
    wait_until(lambda: server.info("persistence")["rdb_bgsave_in_progress"] == "0", "the save")
    state = server.info("persistence")
    assert state["rdb_last_bgsave_status"] == "ok"
    assert int(state["rdb_last_cow_size"]) < LARGE // 2


def test_a_rewrite_copies_no_held_string(server):
    """What clients have sent becomes the argument of its command as it is."""
    rewrite(server)
    assert int(server.info("persistence")["aof_last_cow_size"]) < LARGE // 2
    server.restart(kill=True)
    client = server.client()
    assert client.memory_usage("t") >= LARGE
    assert len(client.execute_command("AI.MODELGET", "m", "BLOB")) > LARGE


def can_defragment(server):
    """Of the packaged servers one has the allocator for it."""
    return (server.binary.product, server.binary.version[0]) == ("Redis", 8)


def test_active_defragmentation(start):
    """The server moves keys and leaves our values where they are; most cannot do it at all."""
    server = start()
    client = server.client()
    fill(client)
    settings = {
        "active-defrag-ignore-bytes": 1,
        "active-defrag-threshold-lower": 0,
        "active-defrag-threshold-upper": 1,
        "active-defrag-cycle-min": 50,
        "active-defrag-cycle-max": 75,
    }
    for name, value in settings.items():
        client.config_set(name, value)
    if not can_defragment(server):
        with pytest.raises(redis.ResponseError, match="Active defragmentation cannot be enabled"):
            client.config_set("activedefrag", "yes")
        look(client)
        return
    client.config_set("activedefrag", "yes")
    # Holes between small keys and tensors, so that there is something to move.
    for number in range(20_000):
        client.set(f"pad{number}", b"x" * 200)
        if number % 20 == 0:
            put(client, f"tensor{number}", np.full(50, number, np.int32))
    client.delete(*[f"pad{number}" for number in range(20_000) if number % 8])
    moved = "active_defrag_hits"
    wait_until(lambda: int(server.info("stats")[moved]) > 100, "moved memory")
    for number in range(0, 20_000, 20):
        assert values(client, f"tensor{number}") == [number] * 50
        client.delete(f"tensor{number}")
    client.delete(*[f"pad{number}" for number in range(0, 20_000, 8)])
    look(client)
    work(client)
