"""What moves, frees or flushes keys: MIGRATE, UNLINK, FLUSHALL ASYNC, expiry, lazy frees."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from holding import NO_LIMIT, Gate, Pending, sessions, store, tensor, values
from holding import run as run_of
from onnx_models import put
from persistence.conftest import fill, look, work
from redisai_rs.testing import wait_until

MIB = 1 << 20


def used(server):
    return int(server.info("memory")["used_memory"])


@pytest.mark.parametrize("copy", [False, True], ids=["move", "copy"])
def test_migrate(start, copy):
    source, target = start(), start()
    client, other = source.client(), target.client()
    fill(client)
    keys = list(client.scan_iter())
    client.migrate(target.host, target.port, keys, 0, 60_000, copy=copy, replace=True)
    assert client.dbsize() == (len(keys) if copy else 0)
    look(other)
    work(other)
    if copy:
        # What is there already is not overwritten without REPLACE.
        with pytest.raises(redis.ResponseError, match="BUSYKEY"):
            client.migrate(target.host, target.port, keys, 0, 60_000, copy=True)
        look(client)


def test_migrate_above_the_limit_of_a_string(start):
    """It fails and keeps the key, on both sides."""
    source, target = start(), start()
    client, other = source.client(), target.client()
    put(client, "large", np.random.default_rng(1).integers(256, size=4 * MIB).astype(np.uint8))
    digest = client.execute_command("DEBUG", "DIGEST-VALUE", "large")
    other.config_set("proto-max-bulk-len", MIB)
    with pytest.raises(redis.ResponseError):
        client.migrate(target.host, target.port, "large", 0, 60_000)
    assert client.execute_command("DEBUG", "DIGEST-VALUE", "large") == digest
    assert other.dbsize() == 0
    other.config_set("proto-max-bulk-len", 512 * MIB)
    client.migrate(target.host, target.port, "large", 0, 60_000)
    assert other.execute_command("DEBUG", "DIGEST-VALUE", "large") == digest
    assert client.dbsize() == 0


def flush(client):
    client.flushall(asynchronous=True)


def unlink(client):
    client.unlink(*client.scan_iter())


def expire(client):
    for key in client.scan_iter():
        client.pexpire(key, 1)


GOING = {"FLUSHALL ASYNC": flush, "UNLINK": unlink, "expiry": expire}


@pytest.mark.parametrize("lazy", ["yes", "no"], ids=["lazily", "at once"])
@pytest.mark.parametrize("go", GOING.values(), ids=GOING)
def test_the_memory_of_what_goes_comes_back(start, mock_path, go, lazy):
    """Of tensors that were sent and that a run has made, and of models with their sessions."""
    server = start(module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path])
    client = server.client()
    for name in ("lazyfree-lazy-expire", "lazyfree-lazy-server-del", "lazyfree-lazy-user-del"):
        client.config_set(name, lazy)
    before = used(server)
    for _ in range(3):
        store(client, "maker", f"allocate {MIB}")
        tensor(client, "one", 1)
        for number in range(10):
            client.execute_command("AI.TENSORSET", f"t{number}", "UINT8", MIB, "BLOB", bytes(MIB))
            assert client.execute_command(*run_of("maker", ["one"], [f"y{number}"])) == b"OK"
            store(client, f"m{number}", "identity\n" + " " * MIB)
        assert used(server) > before + 30 * MIB
        assert sessions(server) == 11
        go(client)
        wait_until(lambda: client.dbsize() == 0, "the end of the keys")
        wait_until(lambda: used(server) < before + MIB, "the memory")
        wait_until(lambda: sessions(server) == 0, "the end of the sessions")


@pytest.mark.parametrize("go", GOING.values(), ids=GOING)
def test_what_goes_while_a_run_holds_it(start, mock_path, tmp_path, go):
    server = start(module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT])
    client = server.client()
    at = Gate(tmp_path / "gate")
    store(client, "m", at.run_text)
    tensor(client, "x", 1, 2)
    before = used(server)
    client.execute_command("AI.TENSORSET", "large", "UINT8", MIB, "BLOB", bytes(MIB))
    one = Pending(server, *run_of("m", ["x", "large"], ["y", "z"]))
    at.reached()
    go(client)
    wait_until(lambda: client.dbsize() == 0, "the end of the keys")
    # Its inputs and its model are the run's own now.
    assert used(server) > before + MIB // 2
    at.open()
    assert one.reply() == b"OK"
    assert sorted(client.scan_iter()) == [b"y", b"z"]
    assert values(client, "y") == [1, 2]
    assert client.memory_usage("z") >= MIB
    client.flushall()
    wait_until(lambda: used(server) < before + MIB // 2, "the memory")
    wait_until(lambda: sessions(server) == 0, "the end of the session")
