"""A model or script that cannot be built where it is loaded: kept as it is, and it says why."""

from __future__ import annotations

import pytest
import redis
from holding import info, run, store, tensor, values
from persistence.failing import KINDS, NO_BACKENDS, WAYS
from persistence.processes import rewrite
from redisai_rs.testing import wait_until


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__.lower())
def kind(request):
    return request.param


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def case(start, mock_path, kind, request):
    return kind(start, mock_path, **request.param)


def test_from_a_file(case):
    case.server.client().save()
    client = case.restart(case.after)
    case.failed(client)
    # Saved again as it was, and good where it can be built.
    assert client.dump("m") == case.payload
    client.save()
    case.works(case.restart(case.before))


def test_from_an_append_only_file(case):
    server = case.server
    server.config |= {"appendonly": "yes", "aof-use-rdb-preamble": "no"}
    server.client().config_set("appendonly", "yes")
    wait_until(lambda: server.info("persistence")["aof_rewrite_in_progress"] == "0", "the file")
    client = case.restart(case.after)
    case.failed(client)
    rewrite(server)
    case.failed(case.restart(case.after))
    case.works(case.restart(case.before))


def test_by_restore_copy_and_replication(case):
    case.server.client().delete("m")
    case.server.client().save()
    client = case.restart(case.after)
    client.restore("m", 0, case.payload)
    case.failed(client)
    client.copy("m", "copy")
    case.failed(client, "copy")
    with case.server.replica() as replica:
        replica.wait_for_sync()
        other = replica.client()
        wait_until(lambda: info(other, "m", "FULL")["state"] == b"failed", "the failed build")
        assert info(other, "m", "FULL")["reason"].decode() == case.reason
        assert other.dump("m") == case.payload
        case.look(other, "m")
    client.delete("m")
    # A client could not have stored it here.
    with pytest.raises(redis.ResponseError) as raised:
        client.execute_command(*case.store("n"))
    assert str(raised.value).startswith(case.reason.removeprefix("ERR "))


def test_a_backend_that_is_loaded_later_builds_it(start, mock_path, kind):
    """Without being asked: what was loaded in vain is built when its backend is there."""
    case = kind(start, mock_path, NO_BACKENDS, mocked=True)
    case.server.client().save()
    client = case.restart([*NO_BACKENDS, "TEST_BACKENDS", "yes", "LOADBACKEND", "any"])
    case.failed(client)
    assert client.execute_command("AI.CONFIG", "LOADBACKEND", case.backend, str(mock_path)) == b"OK"
    wait_until(lambda: info(client, "m", "FULL")["state"] == b"ready", "the session")
    case.works(client)


def test_others_are_built_all_the_same(start, mock_path):
    arguments = ["TEST_BACKENDS", "yes", "ONNX", str(mock_path)]
    server = start(module_args=arguments)
    client = server.client()
    for number in range(10):
        store(client, f"m{number}", "identity")
    tensor(client, "x", 1, 2)
    client.config_set("rdbcompression", "no")
    client.save()
    path = server.directory / "dump.rdb"
    server.stop()
    data = path.read_bytes()
    # One of them is spoilt; the checksum of the whole is switched off.
    place = data.index(b"identity", data.index(b"m5"))
    path.write_bytes(data[:place] + b"nonsense" + data[place + 8 : -8] + bytes(8))
    server.start()
    client = server.client()
    wait_until(lambda: info(client, "m5", "FULL")["state"] == b"failed", "the failed build")
    for number in (0, 1, 4, 6, 9):
        assert client.execute_command(*run(f"m{number}", ["x"], ["y"])) == b"OK"
        assert values(client, "y") == [1, 2]
