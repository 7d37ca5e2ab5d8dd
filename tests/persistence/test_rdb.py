"""SAVE and restart, DEBUG RELOAD, DUMP and RESTORE, and what else moves or copies keys."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from onnx_models import execute, get, info, put, store
from persistence.conftest import TENSORS, fill, linear, look, work
from redisai_rs.testing import wait_until


@pytest.fixture
def filled(client):
    fill(client)
    return client


def test_restart(start):
    server = start()
    client = server.client()
    fill(client)
    assert client.save()
    server.restart()
    look(server.client())
    work(server.client())


def test_a_background_save_and_a_kill(start):
    server = start()
    client = server.client()
    fill(client)
    saved = client.lastsave()
    # The time is in seconds: so that the new one differs.
    wait_until(lambda: client.time()[0] > saved.timestamp(), "the next second")
    client.bgsave()
    wait_until(lambda: client.lastsave() > saved, "the save")
    client.delete("plain")
    server.restart(kill=True)
    look(server.client())


def test_debug_reload(server, filled):
    for _ in range(2):
        filled.execute_command("DEBUG", "RELOAD")
        look(filled)
        work(filled)


def test_a_save_with_small_chunks(start):
    server = start(module_args=["MODEL_CHUNK_SIZE", 64])
    client = server.client()
    fill(client)
    client.save()
    server.module_args = []
    server.restart()
    look(server.client())


def test_dump_and_restore(filled):
    for key in list(filled.scan_iter()):
        ttl = max(filled.pttl(key), 0)
        payload = filled.dump(key)
        digest = filled.execute_command("DEBUG", "DIGEST-VALUE", key)
        filled.delete(key)
        filled.restore(key, ttl, payload)
        assert filled.execute_command("DEBUG", "DIGEST-VALUE", key) == digest
        assert filled.dump(key) == payload
    look(filled)
    work(filled)


def test_copy_and_rename(server, filled):
    for key in list(filled.scan_iter()):
        filled.copy(key, b"copy:" + key)
        digests = filled.execute_command("DEBUG", "DIGEST-VALUE", key, b"copy:" + key)
        assert digests[0] == digests[1]
        filled.delete(key)
        filled.rename(b"copy:" + key, key)
    look(filled)
    work(filled)


def test_move_and_swap(server, filled):
    other = server.client(db=3)
    filled.move("plain", 3)
    filled.move("floats", 3)
    assert filled.execute_command("AI._MODELSCAN") == [[b"options", "v\xe9".encode()]]
    assert other.execute_command("AI._MODELSCAN") == [[b"plain", b""]]
    np.testing.assert_array_equal(get(other, "floats"), TENSORS["floats"])
    assert not filled.exists("floats")
    filled.swapdb(0, 3)
    assert filled.execute_command("AI._MODELSCAN") == [[b"plain", b""]]
    assert other.execute_command("AI._MODELSCAN") == [[b"options", "v\xe9".encode()]]
    other.move("options", 0)
    filled.swapdb(0, 3)
    other.move("plain", 0)
    other.move("options", 0)
    other.move("floats", 0)
    look(filled)
    work(filled)
    assert other.execute_command("AI._MODELSCAN") == []


def test_a_copy_is_a_model_of_its_own(filled):
    filled.copy("plain", "second")
    put(filled, "x", np.ones((1, 3), np.float32))
    filled.delete("plain")
    assert execute(filled, ["x"], ["y"], "second") == b"OK"
    assert info(filled, "second")["calls"] == 1


def test_lazy_sessions_are_built_at_their_first_use(start):
    server = start(module_args=["BUILD_SESSIONS", "lazy"])
    client = server.client()
    fill(client)
    client.save()
    server.restart()
    client = server.client()
    assert info(client, "plain", "FULL")["state"] == b"unbuilt"
    look(client)
    put(client, "x", np.ones((1, 3), np.float32))
    assert execute(client, ["x"], ["y"], "plain") == b"OK"
    assert info(client, "plain", "FULL")["state"] == b"ready"
    assert info(client, "options", "FULL")["state"] == b"unbuilt"


def test_eager_sessions_are_built_without_being_asked(start):
    server = start()
    client = server.client()
    fill(client)
    client.save()
    server.restart()
    client = server.client()
    for key in ("plain", "options"):
        wait_until(lambda k=key: info(client, k, "FULL")["state"] == b"ready", "the session")


def test_a_model_without_its_backend(start):
    server = start()
    client = server.client()
    fill(client)
    client.save()
    server.module_args = ["BACKENDSPATH", "/nonexistent"]
    server.restart()
    client = server.client()
    # Everything is there, and saved again as it was.
    look(client)
    put(client, "x", np.ones((1, 3), np.float32))
    with pytest.raises(redis.ResponseError, match="^Could not load backend$"):
        execute(client, ["x"], ["y"], "plain")
    full = info(client, "plain", "FULL")
    assert (full["state"], full["reason"]) == (b"failed", b"ERR Could not load backend")
    client.delete("x")
    client.save()
    server.module_args = []
    server.restart()
    look(server.client())
    work(server.client())


def test_a_device_that_is_not_there_any_more(start, mock_path):
    """Stored where there was a GPU (the mock pretends one), loaded where there is none."""
    server = start(module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path])
    client = server.client()
    store(client, b"identity\ninput x\noutput y", "m", device="GPU:1")
    client.save()
    server.module_args = []
    server.restart()
    client = server.client()
    put(client, "x", np.ones((1, 3), np.float32))
    with pytest.raises(redis.ResponseError):
        execute(client, ["x"], ["y"], "m")
    assert info(client, "m", "FULL")["state"] == b"failed"
    meta = client.execute_command("AI.MODELGET", "m", "META")[1::2]
    assert meta[1] == b"GPU:1"


def test_memory_usage_counts_the_bytes(filled):
    assert filled.memory_usage("big") >= 1 << 20
    assert filled.memory_usage("plain") >= len(linear())
    assert filled.memory_usage("scalar") < 1000
