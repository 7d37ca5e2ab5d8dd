"""The names that are kept for `AI._MODELSCAN`: as many as there are models, whatever keys do."""

from __future__ import annotations

import pytest
from persistence.conftest import linear, listed
from redisai_rs.testing import wait_until

COUNT = 20


def names(server):
    """How many names are kept."""
    return int(server.info("ai")["ai_index_names"])


@pytest.fixture
def models(client):
    """Models under `m0`, `m1`, …"""
    for number in range(COUNT):
        command = ["AI.MODELSTORE", f"m{number}", "ONNX", "CPU", "TAG", "t", "BLOB", linear()]
        assert client.execute_command(*command) == b"OK"
    return [f"m{number}" for number in range(COUNT)]


GOING = {
    "AI.MODELDEL": lambda client, key: client.execute_command("AI.MODELDEL", key),
    "DEL": lambda client, key: client.delete(key),
    "UNLINK": lambda client, key: client.unlink(key),
    "EXPIRE": lambda client, key: client.expire(key, -1),
    "PEXPIREAT": lambda client, key: client.pexpireat(key, 1),
    "MOVE and DEL": lambda client, key: (client.move(key, 5), client.eval(DEL, 0, key)),
    "RENAME and DEL": lambda client, key: (client.rename(key, "new"), client.delete("new")),
    "FLUSHDB": lambda client, _: client.flushdb(),
    "FLUSHALL ASYNC": lambda client, _: client.flushall(asynchronous=True),
    "SWAPDB and FLUSHALL": lambda client, _: (client.swapdb(0, 5), client.flushall()),
}
DEL = "redis.call('SELECT', 5); return redis.call('DEL', ARGV[1])"


@pytest.mark.parametrize("go", GOING.values(), ids=GOING)
def test_names_go_with_their_keys(server, client, models, go):
    assert names(server) == listed(server, COUNT)
    for key in models:
        go(client, key)
    wait_until(lambda: client.dbsize() == 0, "the end of the keys")
    assert names(server) == 0
    assert client.execute_command("AI._MODELSCAN") == []


def test_names_go_when_keys_expire(server, client, models):
    for key in models:
        client.pexpire(key, 1)
    wait_until(lambda: client.dbsize() == 0, "the server's cycle")
    assert names(server) == 0


def test_names_go_when_keys_are_evicted(server, client, models):
    try:
        client.config_set("maxmemory-policy", "allkeys-random")
        client.config_set("maxmemory", 1)
        wait_until(lambda: client.dbsize() == 0, "eviction")
        assert names(server) == 0
    finally:
        client.config_set("maxmemory", 0)


def test_one_name_for_a_key_that_moves_about(server, client, models):
    """Renamed, moved and restored again and again."""
    for key in models[1:]:
        client.delete(key)
    other = server.client(db=7)
    for _ in range(50):
        client.rename("m0", "n0")
        client.move("n0", 7)
        payload = other.dump("n0")
        other.delete("n0")
        client.restore("m0", 0, payload)
        assert names(server) == listed(server, 1)
        assert client.execute_command("AI._MODELSCAN") == [[b"m0", b"t"]]


@pytest.mark.parametrize("how", ["save", "appendonly", "reload"])
def test_names_after_a_load(start, how):
    """6.2 does not say in which database a key of a file is."""
    server = start(config={"appendonly": "yes" if how == "appendonly" else "no"})
    client, other = server.client(), server.client(db=9)
    for one, name in ((client, "a"), (client, "b"), (other, "b"), (other, "c")):
        one.execute_command("AI.MODELSTORE", name, "ONNX", "CPU", "BLOB", linear())
        one.set("text", 1)
    if how == "reload":
        client.execute_command("DEBUG", "RELOAD")
    else:
        if how == "save":
            client.save()
        server.restart()
        client, other = server.client(), server.client(db=9)
    assert names(server) == listed(server, 4)
    assert [name for name, _ in client.execute_command("AI._MODELSCAN")] == [b"a", b"b"]
    assert [name for name, _ in other.execute_command("AI._MODELSCAN")] == [b"b", b"c"]
    client.delete("b")
    other.delete("b", "c")
    assert names(server) == listed(server, 1)
    assert client.execute_command("AI._MODELSCAN") == [[b"a", b""]]
    client.flushall()
    assert names(server) == 0
