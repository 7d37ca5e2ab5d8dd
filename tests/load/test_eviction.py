"""Eviction under `maxmemory` with every policy: the keys that must go, and those of runs."""

from __future__ import annotations

import contextlib

import pytest
import redis
from holding import NO_LIMIT, Gate, Pending, run, store
from redisai_rs.testing import wait_until

MIB = 1 << 20
KEYS = 40
MORE = 6
POLICIES = [f"allkeys-{how}" for how in ("lru", "lfu", "random")]
POLICIES += [f"volatile-{how}" for how in ("lru", "lfu", "random", "ttl")]


@pytest.fixture
def server(make_server, server_binary, mock_path):
    return make_server(
        server_binary, module_args=["TEST_BACKENDS", "yes", "ONNX", mock_path, *NO_LIMIT]
    )


@pytest.fixture
def client(server):
    return server.client()


def sent(client, key):
    """A tensor whose memory is the string that the client has sent."""
    blob = bytes(MIB)
    assert client.execute_command("AI.TENSORSET", key, "UINT8", MIB, "BLOB", blob) == b"OK"


def made(client, key):
    """A tensor whose memory a run has made."""
    wait_until(lambda: try_run(client, key), "a run whose own keys have not been evicted")


def try_run(client, key):
    if client.exists("maker", "one") < 2:
        store(client, "maker", f"allocate {MIB}")
        client.execute_command("AI.TENSORSET", "one", "INT8", 1)
    # The place for the output is made before the command: it may be that of its input.
    with contextlib.suppress(redis.ResponseError):
        return client.execute_command(*run("maker", ["one"], [key])) == b"OK"
    return False


def model(client, key):
    """A model of that size."""
    store(client, key, "identity\n" + " " * MIB)


KINDS = {"sent": sent, "made": made, "model": model}


def used(server):
    return int(server.info("memory")["used_memory"])


def evicted(server):
    return int(server.info("stats")["evicted_keys"])


def limited(server, client, policy, room):
    """From now on there is so much room above what is used."""
    client.config_set("maxmemory-policy", policy)
    client.config_set("maxmemory", used(server) + room)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", POLICIES)
def test_no_more_keys_than_needed(server, client, policy, kind):
    put = KINDS[kind]
    for number in range(KEYS):
        put(client, f"t{number}")
        client.expire(f"t{number}", 10_000 + number)
    limited(server, client, policy, MIB // 4)
    for number in range(MORE):
        put(client, f"more{number}")
        if policy.startswith("volatile"):
            client.expire(f"more{number}", 20_000)
    # Each of them needs the place of one, and a command while it runs that of its argument.
    assert MORE - 1 <= evicted(server) <= MORE + 2
    assert client.dbsize() >= KEYS - 2


def test_without_eviction_a_store_is_refused(server, client):
    sent(client, "t")
    store(client, "m", f"allocate {MIB}")
    client.execute_command("AI.TENSORSET", "one", "INT8", 1)
    limited(server, client, "noeviction", -MIB // 2)
    for command in (
        ["AI.TENSORSET", "more", "UINT8", 1],
        ["AI.MODELSTORE", "more", "ONNX", "CPU", "BLOB", "identity"],
        run("m", ["one"], ["more"]),
    ):
        with pytest.raises(redis.ResponseError, match="OOM|command not allowed"):
            client.execute_command(*command)
    assert evicted(server) == 0
    assert sorted(client.keys()) == [b"m", b"one", b"t"]
    # What frees or reads goes on.
    assert client.execute_command("AI.TENSORGET", "t", "META")
    client.delete("t")
    assert client.execute_command("AI.TENSORSET", "more", "UINT8", 1) == b"OK"


def test_keys_that_a_run_holds_free_nothing(server, client, tmp_path):
    """Each of them may be evicted in vain: so many more, and no others."""
    at = Gate(tmp_path / "gate")
    store(client, "m", at.run_text)
    held = 5
    for number in range(KEYS):
        sent(client, f"t{number}")
        client.expire(f"t{number}", 10_000 + number)
    # Those that go first with this policy.
    inputs = [f"t{number}" for number in range(held)]
    one = Pending(server, *run("m", inputs, ["y"]))
    at.reached()
    client.config_set("maxmemory-samples", 64)
    limited(server, client, "volatile-ttl", MIB // 4)
    for number in range(MORE):
        sent(client, f"more{number}")
    assert MORE + held - 1 <= evicted(server) <= MORE + held + 2
    assert not client.exists(*inputs)
    at.open()
    # The run had its inputs all the time.
    assert one.reply() == b"OK"
    assert client.execute_command("AI.TENSORGET", "y", "META")[3] == [MIB]


def test_a_limit_that_is_lowered_takes_what_is_above_it(server, client):
    for number in range(KEYS):
        sent(client, f"t{number}")
    client.config_set("maxmemory-policy", "allkeys-random")
    for _ in range(3):
        before = evicted(server)
        client.config_set("maxmemory", used(server) - 5 * MIB - MIB // 2)
        client.set("s", 1)
        assert 5 <= evicted(server) - before <= 8
