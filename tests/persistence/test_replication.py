"""A replica has what its primary has: by full sync, and command by command."""

from __future__ import annotations

import numpy as np
import pytest
import redis
from onnx_models import execute, get, info, put, store
from persistence.conftest import WEIGHTS, fill, linear, look, work
from redisai_rs.testing import wait_until


@pytest.fixture
def primary(start):
    return start()


@pytest.fixture
def replica(primary):
    with primary.replica() as one:
        one.wait_for_sync()
        yield one


def test_full_sync(primary):
    fill(primary.client())
    with primary.replica() as replica:
        replica.wait_for_sync()
        look(replica.client())
        replica.client().replicaof("NO", "ONE")
        work(replica.client())


def test_command_by_command(primary, replica):
    fill(primary.client())
    replica.wait_for_offset(primary)
    look(replica.client())
    # Sessions are built there too: a failover serves at once.
    client = replica.client()
    for key in ("plain", "options"):
        wait_until(lambda k=key: info(client, k, "FULL")["state"] == b"ready", "the session")
    client.replicaof("NO", "ONE")
    work(client)


def test_effects_arrive_as_tensors(primary, replica):
    client = primary.client()
    store(client, linear(), "m")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    put(client, "x", x)
    replica.wait_for_offset(primary)
    on_replica = replica.client()
    on_replica.config_resetstat()
    assert execute(client, ["x"], ["y"]) == b"OK"
    replica.wait_for_offset(primary)
    np.testing.assert_allclose(get(on_replica, "y"), x @ WEIGHTS)
    calls = on_replica.info("commandstats")
    assert calls["cmdstat_ai.tensorset"]["calls"] == 1
    assert "cmdstat_ai.modelexecute" not in calls
    assert info(on_replica, "m")["calls"] == 0


def test_deprecated_forms_arrive_in_the_form_of_today(primary, replica):
    client = primary.client()
    assert client.execute_command("AI.MODELSET", "m", "ONNX", "CPU", linear()) == b"OK"
    put(client, "x", np.ones((1, 3), np.float32))
    run = ("AI.MODELRUN", "m", "INPUTS", "x", "OUTPUTS", "y")
    assert client.execute_command(*run) == b"OK"
    replica.wait_for_offset(primary)
    on_replica = replica.client()
    np.testing.assert_array_equal(get(on_replica, "y"), get(client, "y"))
    assert on_replica.execute_command("AI.MODELGET", "m", "BLOB") == linear()
    assert client.execute_command("AI.MODELDEL", "m") == b"OK"
    replica.wait_for_offset(primary)
    assert not on_replica.exists("m")


def test_a_replica_without_the_backend_keeps_the_model(primary):
    client = primary.client()
    with primary.replica(module_args=["BACKENDSPATH", "/nonexistent"]) as replica:
        replica.wait_for_sync()
        fill(client)
        replica.wait_for_offset(primary)
        # Only the definitions came: what a session would say is not known.
        look(replica.client(), names=False)
        assert replica.info("replication")["master_link_status"] == "up"
        on_replica = replica.client()
        on_replica.replicaof("NO", "ONE")
        put(on_replica, "x", np.ones((1, 3), np.float32))
        with pytest.raises(redis.ResponseError, match="Could not load backend"):
            execute(on_replica, ["x"], ["y"], "plain")


def test_keys_are_the_same_bit_by_bit(primary, replica):
    client = primary.client()
    fill(client)
    replica.wait_for_offset(primary)
    keys = sorted(client.keys())
    digests = [one.execute_command("DEBUG", "DIGEST") for one in (client, replica.client())]
    assert digests[0] == digests[1]
    assert sorted(replica.client().keys()) == keys


def test_failed_commands_send_nothing(primary, replica):
    client = primary.client()
    store(client, linear(), "m")
    put(client, "x", np.ones((1, 2), np.float32))
    replica.wait_for_offset(primary)
    on_replica = replica.client()
    on_replica.config_resetstat()
    for command in (
        ("AI.MODELEXECUTE", "m", "INPUTS", 1, "x", "OUTPUTS", 1, "y"),
        ("AI.MODELSTORE", "n", "ONNX", "CPU", "BLOB", "no model"),
        ("AI.TENSORSET", "z", "FLOAT", 2, "VALUES", 1),
        ("AI.MODELDEL", "nothing"),
    ):
        with pytest.raises(redis.ResponseError):
            client.execute_command(*command)
    client.set("last", 1)
    replica.wait_for_offset(primary)
    assert not [name for name in on_replica.info("commandstats") if "ai." in name.lower()]
